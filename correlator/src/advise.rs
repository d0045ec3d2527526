//! What an incident means and what to do now.
//!
//! This room owns the words: a template that always works, and a model's retelling where one is configured. It refuses to decide
//! anything: severity, grouping, notification and closing never come from here, next steps never come from a model, and a sentence
//! without an event to rest on cannot be made ([`Sentence`]). Bounded by [`template::SENTENCES_MAX`] sentences an incident,
//! [`steps::STEPS_MAX`] steps, and for the model by its deadline and the caps of [`check`].

mod beat;
mod check;
mod config;
mod facts;
mod model;
mod names;
mod sentence;
mod shell;
mod steps;
mod task;
mod technique;
mod template;
mod wording;

#[cfg(test)]
pub(crate) mod example;

pub(crate) use config::{Config, ConfigFile};
pub(crate) use model::Model;
pub(crate) use task::{ModelWriter, TemplateWriter};
pub(crate) use template::advice;
