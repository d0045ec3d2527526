//! A Slack that takes messages by incoming webhook and refuses what the real one would refuse.

mod block;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result};
use axum::http::Method;
use serde_json::Value;

use crate::{
    receiver::{Answer, Receiver, Request},
    wait,
};

/// How long a message may take to arrive.
const MESSAGE_WITHIN: Duration = Duration::from_secs(45);
const PATH: &str = "/services/T000/B000/xxxx";

/// What is to be answered instead of judging a message.
#[derive(Debug, Clone, Copy)]
pub struct Trouble {
    /// The status.
    pub status: u16,
    /// Seconds for a `Retry-After` header.
    pub retry_after: Option<u64>,
}

#[derive(Default)]
struct Heard {
    messages: Vec<Value>,
    refusals: Vec<String>,
    troubles: VecDeque<Trouble>,
}

/// A running receiver. It ends when this is dropped.
pub struct SlackReceiver {
    receiver: Receiver,
    heard: Arc<Mutex<Heard>>,
}

impl SlackReceiver {
    /// Starts one on loopback.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn start() -> Result<Self> {
        let heard = Arc::new(Mutex::new(Heard::default()));
        let shared = Arc::clone(&heard);
        let receiver = Receiver::start(move |request| {
            let mut heard = shared.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(trouble) = heard.troubles.pop_front() {
                return answer(trouble.status, "trouble", trouble.retry_after);
            }
            match judge(request) {
                Ok(message) => {
                    heard.messages.push(message);
                    answer(200, "ok", None)
                }
                Err((status, code, detail)) => {
                    heard.refusals.push(format!("{code}: {detail}"));
                    answer(status, code, None)
                }
            }
        })?;
        Ok(Self { receiver, heard })
    }

    /// The webhook's URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}{PATH}", self.receiver.address())
    }

    /// Answers the next requests with trouble, in that order.
    pub fn trouble(&self, troubles: impl IntoIterator<Item = Trouble>) {
        self.heard().troubles.extend(troubles);
    }

    /// Every message that was accepted, oldest first.
    #[must_use]
    pub fn messages(&self) -> Vec<Value> {
        self.heard().messages.clone()
    }

    /// Every message that was refused, with the reason.
    #[must_use]
    pub fn refusals(&self) -> Vec<String> {
        self.heard().refusals.clone()
    }

    /// Waits for a message about that incident; its headline and how it was taken, for a person.
    ///
    /// # Errors
    /// When none comes in time; says what was refused instead.
    pub fn message_about(&self, incident: &str) -> Result<String> {
        wait::until("a Slack message about the incident", MESSAGE_WITHIN, || {
            let messages = self.messages();
            let about = |message: &&Value| headline(message).split([' ', ':']).any(|word| word == incident);
            let message = messages.iter().find(about).with_context(|| {
                format!("{} messages, none about {incident}; refused: {:?}", messages.len(), self.refusals())
            })?;
            let blocks = message["blocks"].as_array().map_or(0, Vec::len);
            Ok::<_, anyhow::Error>(format!("“{}” ({blocks} blocks, accepted)", headline(message)))
        })
    }

    fn heard(&self) -> std::sync::MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The text of the message's header, else its notification.
fn headline(message: &Value) -> &str {
    let header = message["blocks"].as_array().into_iter().flatten().find(|block| block["type"] == "header");
    header.map_or(&message["text"], |block| &block["text"]["text"]).as_str().unwrap_or_default()
}

fn answer(status: u16, body: &str, retry_after: Option<u64>) -> Answer {
    Answer { status, content_type: "text/html", body: body.to_owned(), retry_after }
}

type Refusal = (u16, &'static str, String);

/// The message, or why Slack would not have it, by Slack's own codes.
fn judge(request: &Request) -> Result<Value, Refusal> {
    let invalid = |detail: &str| (400, "invalid_payload", detail.to_owned());
    if request.path != PATH {
        return Err((404, "no_service", request.path.clone()));
    }
    if request.method != Method::POST {
        return Err((405, "method_not_allowed", request.method.to_string()));
    }
    if request.content_type != "application/json" {
        return Err(invalid(&format!("content type {:?}", request.content_type)));
    }
    let message: Value = serde_json::from_slice(&request.body).map_err(|error| invalid(&error.to_string()))?;
    let object = message.as_object().ok_or_else(|| invalid("not an object"))?;
    const KNOWN: &[&str] =
        &["text", "blocks", "attachments", "thread_ts", "mrkdwn", "unfurl_links", "unfurl_media", "response_type"];
    if let Some(unknown) = object.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        return Err(invalid(&format!("unknown key {unknown}")));
    }
    if object.get("text").and_then(Value::as_str).is_none_or(str::is_empty) {
        return Err((400, "no_text", "a message with blocks needs a text for notifications".to_owned()));
    }
    if let Some(blocks) = object.get("blocks") {
        block::check_all(blocks).map_err(|detail| (400, "invalid_blocks", detail))?;
    }
    Ok(message)
}

#[cfg(test)]
mod tests;
