//! An Elasticsearch that knows `_bulk` with `create`, as a data stream does, and refuses what the real one would refuse.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::Result;
use axum::http::Method;
use serde_json::{Value, json};

use crate::receiver::{Answer, Receiver, Request};

#[derive(Default)]
struct Index {
    documents: BTreeMap<String, Value>,
    /// How many of the next documents are answered with 429.
    pushed_back: usize,
    /// The status of the next answers as a whole.
    troubles: Vec<u16>,
    requests: usize,
}

/// A running receiver. It ends when this is dropped.
pub struct ElasticsearchReceiver {
    receiver: Receiver,
    index: Arc<Mutex<Index>>,
}

impl ElasticsearchReceiver {
    /// Starts one on loopback, empty.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn start() -> Result<Self> {
        let index = Arc::new(Mutex::new(Index::default()));
        let shared = Arc::clone(&index);
        let receiver =
            Receiver::start(move |request| serve(request, &mut shared.lock().unwrap_or_else(PoisonError::into_inner)))?;
        Ok(Self { receiver, index })
    }

    /// Its base URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.receiver.address())
    }

    /// Every stored document under its id.
    #[must_use]
    pub fn documents(&self) -> BTreeMap<String, Value> {
        self.lock().documents.clone()
    }

    /// How many requests came, refused ones included.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.lock().requests
    }

    /// Answers the next `count` documents with 429, as a busy cluster does.
    pub fn push_back(&self, count: usize) {
        self.lock().pushed_back = count;
    }

    /// Answers the next requests with these statuses.
    pub fn trouble(&self, statuses: impl IntoIterator<Item = u16>) {
        self.lock().troubles.extend(statuses);
    }

    fn lock(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answer(status: u16, body: &Value) -> Answer {
    Answer { status, content_type: "application/json", body: body.to_string(), retry_after: None }
}

fn refuse(status: u16, kind: &str, reason: &str) -> Answer {
    answer(status, &json!({"error": {"type": kind, "reason": reason}, "status": status}))
}

fn serve(request: &Request, index: &mut Index) -> Answer {
    index.requests += 1;
    if !index.troubles.is_empty() {
        let status = index.troubles.remove(0);
        return refuse(status, "unavailable", "by order of the test");
    }
    let name = request.path.strip_prefix('/').and_then(|path| path.strip_suffix("/_bulk"));
    let Some(name) = name.filter(|name| !name.is_empty() && *name == name.to_lowercase() && !name.contains('/')) else {
        return refuse(400, "invalid_index_name_exception", &request.path);
    };
    if request.method != Method::POST && request.method != Method::PUT {
        return refuse(405, "method_not_allowed", request.method.as_str());
    }
    if request.content_type != "application/x-ndjson" {
        return refuse(406, "content_type_exception", "Content-Type header is not supported");
    }
    let pairs = match pairs(&request.body) {
        Ok(pairs) => pairs,
        Err(reason) => return refuse(400, "illegal_argument_exception", &reason),
    };
    let items: Vec<Value> = pairs.into_iter().map(|(id, source)| create(index, name, id, source)).collect();
    let errors = items.iter().any(|item| !item["create"]["error"].is_null());
    answer(200, &json!({"took": 1, "errors": errors, "items": items}))
}

/// The id and the source of each action.
fn pairs(body: &[u8]) -> Result<Vec<(String, Value)>, String> {
    let text = str::from_utf8(body).map_err(|error| format!("not UTF-8: {error}"))?;
    let Some(text) = text.strip_suffix('\n') else {
        return Err("The bulk request must be terminated by a newline [\\n]".to_owned());
    };
    let mut lines = text.split('\n').enumerate();
    let mut pairs = Vec::new();
    while let Some((number, line)) = lines.next() {
        let malformed = |why: &str| format!("Malformed action/metadata line [{}]: {why}", number + 1);
        let action: Value = serde_json::from_str(line).map_err(|error| malformed(&error.to_string()))?;
        let action =
            action.as_object().filter(|action| action.len() == 1).ok_or_else(|| malformed("not one action"))?;
        let create = action.get("create").ok_or_else(|| malformed("only create is allowed in a data stream"))?;
        let create = create.as_object().ok_or_else(|| malformed("not an object"))?;
        if let Some(unknown) = create.keys().find(|key| !matches!(key.as_str(), "_id" | "_index")) {
            return Err(malformed(&format!("unknown parameter [{unknown}]")));
        }
        let id = create.get("_id").and_then(Value::as_str).filter(|id| !id.is_empty() && id.len() <= 512);
        let id = id.ok_or_else(|| malformed("an _id of 1 to 512 bytes is wanted"))?;
        let (_, source) = lines.next().ok_or_else(|| malformed("no source follows"))?;
        let source: Value = serde_json::from_str(source).map_err(|error| malformed(&error.to_string()))?;
        pairs.push((id.to_owned(), source));
    }
    if pairs.is_empty() { Err("request body is required".to_owned()) } else { Ok(pairs) }
}

fn create(index: &mut Index, name: &str, id: String, source: Value) -> Value {
    let failed = |id: &str, status: u16, kind: &str| json!({"create": {"_index": name, "_id": id, "status": status, "error": {"type": kind, "reason": "refused"}}});
    if index.pushed_back > 0 {
        index.pushed_back -= 1;
        return failed(&id, 429, "es_rejected_execution_exception");
    }
    if index.documents.contains_key(&id) {
        return failed(&id, 409, "version_conflict_engine_exception");
    }
    let time = source.get("@timestamp").and_then(Value::as_str);
    if time.is_none_or(|time| time.parse::<jiff::Timestamp>().is_err()) {
        return failed(&id, 400, "document_parsing_exception");
    }
    let item = json!({"create": {"_index": name, "_id": id, "_version": 1, "result": "created", "status": 201}});
    index.documents.insert(id, source);
    item
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;

    use super::*;

    fn post(index: &mut Index, content_type: &str, body: &str) -> (u16, Value) {
        let (path, content_type) = ("/logs-x/_bulk".to_owned(), content_type.to_owned());
        let request = Request { method: Method::POST, path, content_type, body: Bytes::from(body.to_owned()) };
        let answer = serve(&request, index);
        (answer.status, serde_json::from_str(&answer.body).unwrap())
    }

    const NDJSON: &str = "application/x-ndjson";
    const GOOD: &str = "{\"create\":{\"_id\":\"a\"}}\n{\"@timestamp\":\"2026-11-22T09:11:12Z\"}\n";

    fn item_status(answer: &Value) -> &Value {
        &answer["items"][0]["create"]["status"]
    }

    #[test]
    fn a_document_is_stored_once() {
        let mut index = Index::default();
        let (status, answer) = post(&mut index, NDJSON, GOOD);
        assert_eq!((status, item_status(&answer)), (200, &json!(201)));
        let (status, answer) = post(&mut index, NDJSON, GOOD);
        assert_eq!((status, item_status(&answer), &answer["errors"]), (200, &json!(409), &json!(true)));
        assert_eq!(index.documents.len(), 1);
    }

    #[test]
    fn what_elasticsearch_refuses_is_refused() {
        let cases = [
            ("application/json", GOOD, 406),
            (NDJSON, GOOD.trim_end(), 400),
            (NDJSON, "", 400),
            (NDJSON, "\n", 400),
            (NDJSON, "{\"create\":{\"_id\":\"a\"}}\n", 400),
            (NDJSON, "{\"create\":{\"_id\":\"a\"}}\n{\n", 400),
            (NDJSON, "{\"index\":{\"_id\":\"a\"}}\n{\"@timestamp\":\"2026-11-22T09:11:12Z\"}\n", 400),
            (NDJSON, "{\"create\":{\"_id\":\"a\",\"_type\":\"t\"}}\n{\"@timestamp\":\"2026-11-22T09:11:12Z\"}\n", 400),
        ];
        for (content_type, body, expected) in cases {
            let mut index = Index::default();
            assert_eq!(post(&mut index, content_type, body).0, expected, "{body:?}");
            assert!(index.documents.is_empty());
        }
        let (_, answer) = post(&mut Index::default(), NDJSON, "{\"create\":{\"_id\":\"a\"}}\n{}\n");
        assert_eq!(item_status(&answer), &json!(400));
    }
}
