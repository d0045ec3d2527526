//! What Block Kit allows in a message, by Slack's reference: types, keys, limits.

use serde_json::{Map, Value};

const BLOCKS_MAX: usize = 50;
const ID_CHARS_MAX: usize = 255;

type Object = Map<String, Value>;

/// Checks the list of a message's blocks.
pub(super) fn check_all(blocks: &Value) -> Result<(), String> {
    let blocks = blocks.as_array().ok_or("blocks is not a list")?;
    if blocks.is_empty() || blocks.len() > BLOCKS_MAX {
        return Err(format!("{} blocks; 1 to {BLOCKS_MAX} are allowed", blocks.len()));
    }
    blocks.iter().enumerate().try_for_each(|(index, block)| check(block).map_err(|why| format!("block {index}: {why}")))
}

fn check(block: &Value) -> Result<(), String> {
    let block = block.as_object().ok_or("not an object")?;
    if let Some(id) = block.get("block_id") {
        let id = id.as_str().ok_or("block_id is not a string")?;
        within("block_id", id, ID_CHARS_MAX)?;
    }
    match string(block, "type")? {
        "divider" => only(block, &[]),
        "header" => {
            only(block, &["text"])?;
            text(required(block, "text")?, &["plain_text"], 150)
        }
        "section" => section(block),
        "context" => {
            only(block, &["elements"])?;
            elements(block, 10, |element| match element["type"].as_str() {
                Some("image") => image(element),
                _ => text(element, &["plain_text", "mrkdwn"], 3_000),
            })
        }
        "actions" => {
            only(block, &["elements"])?;
            elements(block, 25, button)
        }
        "image" => image(&Value::Object(block.clone())),
        other => Err(format!("unknown type {other:?}")),
    }
}

fn section(block: &Object) -> Result<(), String> {
    only(block, &["text", "fields", "accessory", "expand"])?;
    if !block.contains_key("text") && !block.contains_key("fields") {
        return Err("a section needs text or fields".to_owned());
    }
    if let Some(object) = block.get("text") {
        text(object, &["plain_text", "mrkdwn"], 3_000)?;
    }
    if let Some(fields) = block.get("fields") {
        let fields = fields.as_array().ok_or("fields is not a list")?;
        if fields.is_empty() || fields.len() > 10 {
            return Err(format!("{} fields; 1 to 10 are allowed", fields.len()));
        }
        fields.iter().try_for_each(|field| text(field, &["plain_text", "mrkdwn"], 2_000))?;
    }
    block.get("accessory").map_or(Ok(()), button)
}

fn elements(block: &Object, max: usize, check: impl Fn(&Value) -> Result<(), String>) -> Result<(), String> {
    let elements = required(block, "elements")?.as_array().ok_or("elements is not a list")?;
    if elements.is_empty() || elements.len() > max {
        return Err(format!("{} elements; 1 to {max} are allowed", elements.len()));
    }
    elements.iter().try_for_each(check)
}

fn button(element: &Value) -> Result<(), String> {
    let element = element.as_object().ok_or("element is not an object")?;
    if string(element, "type")? != "button" {
        return Err("an interactive element other than a button".to_owned());
    }
    only(element, &["text", "action_id", "url", "value", "style"])?;
    within("url", element.get("url").and_then(Value::as_str).unwrap_or("-"), 3_000)?;
    text(required(element, "text")?, &["plain_text"], 75)
}

fn image(element: &Value) -> Result<(), String> {
    let element = element.as_object().ok_or("element is not an object")?;
    within("image_url", string(element, "image_url")?, 3_000)?;
    within("alt_text", string(element, "alt_text")?, 2_000)
}

/// A text object: of an allowed type, not empty, not too long, without the other type's keys.
fn text(object: &Value, types: &[&str], chars_max: usize) -> Result<(), String> {
    let object = object.as_object().ok_or("a text that is not an object")?;
    let kind = string(object, "type")?;
    if !types.contains(&kind) {
        return Err(format!("a text of type {kind:?} where {types:?} is allowed"));
    }
    let flag = if kind == "mrkdwn" { "verbatim" } else { "emoji" };
    only(object, &["text", flag])?;
    if object.get(flag).is_some_and(|value| !value.is_boolean()) {
        return Err(format!("{flag} is not true or false"));
    }
    within("text", string(object, "text")?, chars_max)
}

fn within(what: &str, value: &str, chars_max: usize) -> Result<(), String> {
    match value.chars().count() {
        0 => Err(format!("{what} is empty")),
        count if count > chars_max => Err(format!("{what} has {count} characters; {chars_max} are allowed")),
        _ => Ok(()),
    }
}

fn only(object: &Object, allowed: &[&str]) -> Result<(), String> {
    let known = |key: &str| key == "type" || key == "block_id" || allowed.contains(&key);
    object.keys().find(|key| !known(key)).map_or(Ok(()), |key| Err(format!("unknown key {key}")))
}

fn required<'a>(object: &'a Object, key: &str) -> Result<&'a Value, String> {
    object.get(key).ok_or_else(|| format!("{key} is missing"))
}

fn string<'a>(object: &'a Object, key: &str) -> Result<&'a str, String> {
    required(object, key)?.as_str().ok_or_else(|| format!("{key} is not a string"))
}
