//! Items of a KV store. A generation identifies one write of an item; it is kept as text, because its numbers do not fit
//! into signed ones.

use std::fmt::Write as _;

use serde_json::Value;
use ureq::http::Method;

use super::agent::Request;
use super::client::{Api, ApiError};

/// An item as it is in the store.
#[derive(Clone, Debug)]
pub(in super::super) struct Item {
    pub(in super::super) value: Vec<u8>,
    pub(in super::super) metadata: String,
    generation: String,
}

/// One KV store.
pub(in super::super) struct KvStore {
    api: Api,
    id: String,
}

impl KvStore {
    pub(super) fn new(api: Api, id: String) -> Self {
        Self { api, id }
    }

    fn path(&self, key: &str) -> String {
        format!("/resources/stores/kv/{}/keys/{}", encoded(&self.id), encoded(key))
    }

    fn subject(&self, key: &str) -> String {
        format!("key \"{key}\" of the KV store {}", self.id)
    }

    /// Reads an item; `None` if there is none.
    pub(in super::super) fn item(&self, key: &str) -> Result<Option<Item>, ApiError> {
        self.read(key, false)
    }

    /// Reads the metadata of an item; `None` if there is none.
    pub(in super::super) fn metadata(&self, key: &str) -> Result<Option<String>, ApiError> {
        Ok(self.read(key, true)?.map(|item| item.metadata))
    }

    fn read(&self, key: &str, without_body: bool) -> Result<Option<Item>, ApiError> {
        let path = self.path(key);
        let request = Request { without_body, ..Request::reading(&path) };
        match self.api.send_or_absent(&request, &self.subject(key))? {
            None => {
                // Of a store that does not exist, every key is absent as well.
                self.api
                    .read(&format!("/resources/stores/kv/{}", encoded(&self.id)), &format!("KV store {}", self.id))?;
                Ok(None)
            }
            Some(answer) => {
                let (generation, metadata) = (answer.field("generation"), answer.field("metadata"));
                Ok(Some(Item { value: answer.body, metadata, generation }))
            }
        }
    }

    /// Writes an item that does not exist yet.
    ///
    /// # Errors
    /// [`ApiError::Lost`] if it exists.
    pub(in super::super) fn add(&self, key: &str, value: &[u8], metadata: &str) -> Result<(), ApiError> {
        self.put(&format!("{}?add=true", self.path(key)), key, value, vec![("metadata", metadata)])
    }

    /// Writes an item in place of the one that was read.
    ///
    /// # Errors
    /// [`ApiError::Lost`] if it was written in between.
    pub(in super::super) fn replace(
        &self,
        key: &str,
        read: &Item,
        value: &[u8],
        metadata: &str,
    ) -> Result<(), ApiError> {
        let fields = vec![("metadata", metadata), ("if-generation-match", &*read.generation)];
        self.put(&self.path(key), key, value, fields)
    }

    /// Writes an item, whatever is there.
    pub(in super::super) fn write(&self, key: &str, value: &[u8], metadata: &str) -> Result<(), ApiError> {
        self.put(&self.path(key), key, value, vec![("metadata", metadata)])
    }

    fn put(&self, path: &str, key: &str, value: &[u8], mut fields: Vec<(&'static str, &str)>) -> Result<(), ApiError> {
        fields.retain(|(_, text)| !text.is_empty());
        let request = Request { fields, body: value, ..Request::new(Method::PUT, path) };
        self.api.send(&request, &self.subject(key)).map(|_| ())
    }

    /// Deletes an item; it is a success if there is none.
    pub(in super::super) fn delete(&self, key: &str) -> Result<(), ApiError> {
        let path = self.path(key);
        self.api.send_or_absent(&Request::new(Method::DELETE, &path), &self.subject(key)).map(|_| ())
    }

    /// The keys that begin with `prefix`.
    pub(in super::super) fn keys(&self, prefix: &str) -> Result<Vec<String>, ApiError> {
        let (mut keys, mut cursor) = (Vec::new(), String::new());
        loop {
            let mut path = format!("/resources/stores/kv/{}/keys?prefix={}", encoded(&self.id), encoded(prefix));
            if !cursor.is_empty() {
                let _ = write!(path, "&cursor={}", encoded(&cursor)); // writing to a String cannot fail
            }
            let page = self.api.read(&path, &format!("keys of the KV store {}", self.id))?;
            let listed = page.get("data").and_then(Value::as_array).into_iter().flatten();
            keys.extend(listed.filter_map(|key| key.as_str().map(str::to_owned)));
            match page.pointer("/meta/next_cursor").and_then(Value::as_str) {
                Some(next) if !next.is_empty() && next != cursor => next.clone_into(&mut cursor),
                _ => return Ok(keys),
            }
        }
    }
}

/// Percent-encodes everything but unreserved characters (RFC 3986 §2.3): a slash in a key is `%2F`.
pub(super) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}"); // writing to a String cannot fail
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::encoded;

    #[test]
    fn a_key_is_one_segment_of_a_path() {
        assert_eq!(encoded("files/a b/ü.js"), "files%2Fa%20b%2F%C3%BC.js");
        assert_eq!(encoded("policy@0123-._~"), "policy%400123-._~");
    }
}
