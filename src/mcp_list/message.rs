//! One message of a server.

use super::error::{ListError, MAX_BYTES};
use super::shown::{LISTS, ListFilter};
use crate::json_body::{Change, JsonBody, Object, Value};
use crate::policy::is_like;

impl ListFilter {
    /// The response, which is one JSON document.
    ///
    /// # Errors
    /// A [`ListError`] if it cannot be filtered.
    pub fn document(&self, body: Vec<u8>) -> Result<Vec<u8>, ListError> {
        let message = parse(&body)?;
        if result(&message)?.is_none() && message.value("error").is_none() {
            return Err(ListError::Malformed("a response"));
        }
        let changed = self.changed(&message)?;
        Ok(changed.map_or(body, String::into_bytes))
    }

    /// The content of a response that is no success, in JSON: an error of the server or of what is in front of it, or nothing.
    ///
    /// # Errors
    /// A [`ListError`] if it has a list that cannot be filtered, or if that cannot be told.
    pub fn other_document(&self, body: Vec<u8>) -> Result<Vec<u8>, ListError> {
        if body.trim_ascii().is_empty() {
            return Ok(body);
        }
        let changed = self.changed(&parse(&body)?)?;
        Ok(changed.map_or(body, String::into_bytes))
    }

    /// A message of a stream as it passes; `None` if that is as it came.
    ///
    /// # Errors
    /// A [`ListError`] if it is a response that cannot be filtered, or if that cannot be told.
    pub(super) fn event(&self, data: &[u8]) -> Result<Option<String>, ListError> {
        self.changed(&parse(data)?)
    }

    fn changed(&self, message: &JsonBody<'_>) -> Result<Option<String>, ListError> {
        let Some(result) = result(message)? else { return Ok(None) };
        if !self.is_of_request(message.value("id")) {
            return Err(ListError::OtherId);
        }
        let mut stay: Vec<(&str, Vec<bool>)> = Vec::new();
        let mut has_list = false;
        for (name, value) in result.members() {
            let Some((_, list, key)) = LISTS.iter().find(|(_, list, _)| is_like(name, list)) else { continue };
            let elements = value.list().filter(|_| name == *list);
            let elements = elements.ok_or(ListError::Malformed("a result whose lists are lists"))?;
            has_list = true;
            let shown: Vec<bool> = elements.iter().map(|element| self.shows_element(list, key, element)).collect();
            if shown.contains(&false) {
                stay.push((list, shown));
            }
        }
        let mut changes: Vec<(&str, Change<'_>)> =
            stay.iter().map(|(list, shown)| (*list, Change::Elements(shown))).collect();
        if has_list {
            changes.extend(scope(result));
        }
        if changes.is_empty() {
            return Ok(None);
        }
        let filtered = message.with_inner("result", &changes);
        filtered.map(Some).ok_or(ListError::Malformed("a result whose lists are lists"))
    }

    /// Whether the caller is shown an element: an object with one name, which a reader cannot take for another.
    fn shows_element(&self, list: &str, key: &str, element: &Value<'_>) -> bool {
        let Value::Object(element) = element else { return false };
        let is_unclear = element.names().any(|name| name != key && is_like(name, key));
        !is_unclear && element.value(key).and_then(Value::text).is_some_and(|name| self.shows(list, name))
    }
}

fn parse(text: &[u8]) -> Result<JsonBody<'_>, ListError> {
    if text.len() > MAX_BYTES {
        return Err(ListError::TooLong);
    }
    Ok(JsonBody::parse(text)?)
}

/// The result, if the message is a response with one.
fn result<'message>(message: &'message JsonBody<'_>) -> Result<Option<&'message Object<'message>>, ListError> {
    let object = message.object();
    if !object.names().any(|name| is_like(name, "result")) {
        return Ok(None);
    }
    let is_response = object.names().all(|name| ["jsonrpc", "id", "result"].contains(&name));
    let result = message.value("result").and_then(Value::object).filter(|_| is_response);
    result.map(Some).ok_or(ListError::Malformed("a response whose result is an object"))
}

/// The change by which no cache keeps the result for others, if it may be kept at all.
fn scope(result: &Object<'_>) -> Option<(&'static str, Change<'static>)> {
    match (result.value("cacheScope"), result.value("ttlMs")) {
        (Some(scope), _) => (scope.text() != Some("private")).then_some(("cacheScope", Change::Value("\"private\""))),
        (None, Some(_)) => Some(("ttlMs", Change::Behind(",\"cacheScope\":\"private\""))),
        (None, None) => None,
    }
}
