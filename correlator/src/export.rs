//! Handing incidents on: to Elasticsearch by `_bulk`, and to files of NDJSON, both as ECS documents.
//!
//! Owns the mapping of an incident to documents and their delivery, at least once and without doubles: a document's id never
//! changes, and only `create` is used. A document that the other side refuses is counted, logged, and not sent again.

mod bulk;
mod config;
mod ecs;
mod elasticsearch;
mod ndjson;

pub(crate) use config::{ElasticsearchConfig, ElasticsearchFile, NdjsonConfig, NdjsonFile};
pub(crate) use elasticsearch::Elasticsearch;
pub(crate) use ndjson::Ndjson;
