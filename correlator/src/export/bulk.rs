//! Elasticsearch's `_bulk` in both directions. Pure: documents in, NDJSON out; an answer in, what became of each document out.
//!
//! Only `create` is used: with ids that stay the same, whatever was stored before answers 409 and is done.

use serde::Deserialize;
use serde_json::json;

use super::ecs::Document;

/// How large one request may be, and how many documents it may carry. Elasticsearch advises 5 to 15 MB.
const REQUEST_BYTES_MAX: usize = 5 * 1024 * 1024;
const REQUEST_DOCUMENTS_MAX: usize = 500;

/// The body of one request, and whom it carries.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) body: String,
    pub(crate) documents: Vec<&'a Document>,
}

/// As few requests as the bounds allow, in the order of the documents.
pub(crate) fn requests<'a>(documents: impl IntoIterator<Item = &'a Document>) -> Vec<Request<'a>> {
    let mut requests: Vec<Request<'a>> = Vec::new();
    for document in documents {
        let pair = format!("{}\n{}\n", json!({"create": {"_id": document.id}}), document.body);
        match requests.last_mut() {
            Some(request)
                if request.documents.len() < REQUEST_DOCUMENTS_MAX
                    && request.body.len() + pair.len() <= REQUEST_BYTES_MAX =>
            {
                request.body.push_str(&pair);
                request.documents.push(document);
            }
            _ => requests.push(Request { body: pair, documents: vec![document] }),
        }
    }
    requests
}

/// What became of the documents of one request.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Outcome<'a> {
    /// Stored now.
    pub(crate) created: usize,
    /// Stored before.
    pub(crate) present: usize,
    /// To be sent again: the server had no room for them.
    pub(crate) again: Vec<&'a Document>,
    /// Never to be sent again: the status and kind of the first refusal, and how many there were.
    pub(crate) refused: usize,
    pub(crate) first_refusal: Option<String>,
}

/// An answer that does not tell what became of the documents.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AnswerError {
    #[error("the answer is not that of _bulk")]
    Unreadable,
    #[error("the answer tells of {told} documents, {sent} were sent")]
    Count { told: usize, sent: usize },
    #[error("the answer tells of other documents than were sent")]
    OtherDocuments,
}

#[derive(Deserialize)]
struct Answer {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    create: Created,
}

#[derive(Deserialize)]
struct Created {
    #[serde(rename = "_id")]
    id: String,
    status: u16,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(rename = "type")]
    kind: String,
}

/// Reads the answer to a request that carried `documents`.
pub(crate) fn read<'a>(body: &[u8], documents: &[&'a Document]) -> Result<Outcome<'a>, AnswerError> {
    let answer: Answer = serde_json::from_slice(body).ok().ok_or(AnswerError::Unreadable)?;
    if answer.items.len() != documents.len() {
        return Err(AnswerError::Count { told: answer.items.len(), sent: documents.len() });
    }
    let mut outcome = Outcome::default();
    for (Item { create }, document) in answer.items.into_iter().zip(documents) {
        if create.id != document.id {
            return Err(AnswerError::OtherDocuments);
        }
        match create.status {
            200..=299 => outcome.created += 1,
            409 => outcome.present += 1,
            429 | 500..=599 => outcome.again.push(document),
            status => {
                outcome.refused += 1;
                let kind = create.error.map(|error| error.kind).unwrap_or_default();
                let kind: String = kind.chars().filter(char::is_ascii_graphic).take(80).collect();
                outcome.first_refusal.get_or_insert(format!("{status} {kind}"));
            }
        }
    }
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(id: &str, size: usize) -> Document {
        Document { id: id.to_owned(), body: json!({"message": "x".repeat(size)}) }
    }

    #[test]
    fn each_document_is_two_lines_and_each_line_ends() {
        let documents = [document("a", 1), document("b\"\n", 2)];
        let requests = requests(&documents);
        assert_eq!(
            requests[0].body,
            "{\"create\":{\"_id\":\"a\"}}\n{\"message\":\"x\"}\n{\"create\":{\"_id\":\"b\\\"\\n\"}}\n{\"message\":\"xx\"}\n"
        );
    }

    #[test]
    fn requests_stay_within_their_bounds() {
        let large: Vec<_> = (0..4).map(|number| document(&number.to_string(), 2 * 1024 * 1024)).collect();
        assert_eq!(requests(&large).len(), 2);
        let many: Vec<_> = (0..1_001).map(|number| document(&number.to_string(), 1)).collect();
        assert_eq!(requests(&many).iter().map(|request| request.documents.len()).collect::<Vec<_>>(), [500, 500, 1]);
        assert!(requests(&[]).is_empty());
    }

    #[test]
    fn every_document_has_its_own_fate() {
        let documents: Vec<_> = ["a", "b", "c", "d", "e"].map(|id| document(id, 1)).into();
        let sent: Vec<_> = documents.iter().collect();
        let item =
            |id: &str, status: u16| json!({"create": {"_id": id, "status": status, "error": {"type": "t\u{1b}"}}});
        let answer = json!({"errors": true, "items": [item("a", 201), item("b", 409), item("c", 429), item("d", 400), item("e", 503)]});
        let outcome = read(answer.to_string().as_bytes(), &sent).unwrap();
        assert_eq!((outcome.created, outcome.present, outcome.refused), (1, 1, 1));
        assert_eq!(outcome.again, [sent[2], sent[4]]);
        assert_eq!(outcome.first_refusal.as_deref(), Some("400 t"));
    }

    #[test]
    fn an_answer_about_other_documents_is_no_answer() {
        let documents = [document("a", 1)];
        let sent: Vec<_> = documents.iter().collect();
        assert!(matches!(read(b"<html>", &sent), Err(AnswerError::Unreadable)));
        assert!(matches!(read(br#"{"items":[]}"#, &sent), Err(AnswerError::Count { told: 0, sent: 1 })));
        let other = br#"{"items":[{"create":{"_id":"z","status":201}}]}"#;
        assert!(matches!(read(other, &sent), Err(AnswerError::OtherDocuments)));
    }
}
