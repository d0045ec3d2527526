use axum::body::Bytes;
use serde_json::json;

use super::*;

fn post(content_type: &str, body: &str) -> Result<Value, Refusal> {
    judge(&Request {
        method: Method::POST,
        path: PATH.to_owned(),
        content_type: content_type.to_owned(),
        body: Bytes::from(body.to_owned()),
    })
}

fn blocks(blocks: &Value) -> Result<Value, Refusal> {
    post("application/json", &json!({"text": "t", "blocks": blocks}).to_string())
}

#[test]
fn takes_what_slack_takes() {
    let message = json!([
        {"type": "header", "text": {"type": "plain_text", "text": "h", "emoji": false}},
        {"type": "section", "fields": [{"type": "mrkdwn", "text": "*f*", "verbatim": true}]},
        {"type": "section", "text": {"type": "mrkdwn", "text": "x".repeat(3_000)}},
        {"type": "divider"},
        {"type": "context", "elements": [{"type": "mrkdwn", "text": "<http://x|y>"}]},
    ]);
    blocks(&message).unwrap();
}

#[test]
fn refuses_what_slack_refuses() {
    let text = |kind: &str, length: usize| json!({"type": kind, "text": "x".repeat(length)});
    let cases = [
        (json!([]), "0 blocks"),
        (json!(vec![json!({"type": "divider"}); 51]), "51 blocks"),
        (json!([{"type": "paragraph"}]), "unknown type"),
        (json!([{"type": "header", "text": text("mrkdwn", 1)}]), "a text of type \"mrkdwn\""),
        (json!([{"type": "header", "text": text("plain_text", 151)}]), "151 characters"),
        (json!([{"type": "section"}]), "needs text or fields"),
        (json!([{"type": "section", "text": text("mrkdwn", 3_001)}]), "3001 characters"),
        (json!([{"type": "section", "text": text("mrkdwn", 0)}]), "text is empty"),
        (json!([{"type": "section", "text": text("markdown", 1)}]), "a text of type \"markdown\""),
        (json!([{"type": "section", "text": "plain"}]), "not an object"),
        (json!([{"type": "section", "fields": vec![text("mrkdwn", 1); 11]}]), "11 fields"),
        (json!([{"type": "section", "fields": [text("mrkdwn", 2_001)]}]), "2001 characters"),
        (json!([{"type": "section", "text": {"type": "mrkdwn", "text": "x", "emoji": true}}]), "unknown key emoji"),
        (json!([{"type": "section", "text": text("mrkdwn", 1), "colour": "red"}]), "unknown key colour"),
        (json!([{"type": "context", "elements": []}]), "0 elements"),
    ];
    for (bad, why) in cases {
        let (status, code, detail) = blocks(&bad).unwrap_err();
        assert_eq!((status, code), (400, "invalid_blocks"), "{why}");
        assert!(detail.contains(why), "{detail}");
    }
    assert_eq!(post("text/plain", "{}").unwrap_err().1, "invalid_payload");
    assert_eq!(post("application/json", "{").unwrap_err().1, "invalid_payload");
    assert_eq!(post("application/json", "{}").unwrap_err().1, "no_text");
    assert_eq!(post("application/json", r#"{"text":"x","channel":"y"}"#).unwrap_err().1, "invalid_payload");
}
