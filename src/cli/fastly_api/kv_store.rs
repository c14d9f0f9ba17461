//! Items of a KV store. Every write and deletion is conditional: what somebody else wrote in between stays.

use std::collections::BTreeSet;

use fastgate::store_keys::file_key;
use ureq::http::Method;

use super::active_version::ActiveVersion;
use super::agent::{Answer, Request};
use super::client::{Api, ApiError};
use super::lists::pages;
use super::path::encoded;

/// What identifies one write of an item: a number, kept as text, because it does not fit into signed ones. It is never
/// empty, so no write that has one is unconditional.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Generation(String);

/// An item as it is in the store.
#[derive(Clone, Debug)]
pub(in super::super) struct Item {
    pub(in super::super) value: Vec<u8>,
    pub(in super::super) metadata: String,
    pub(in super::super) generation: Generation,
}

/// An item without its value.
#[derive(Clone, Debug)]
pub(in super::super) struct Described {
    pub(in super::super) metadata: String,
    pub(in super::super) generation: Generation,
}

/// One KV store.
pub(in super::super) struct KvStore {
    api: Api,
    id: String,
    /// The version that opens it, if it is known. A command that waits must not rely on it.
    active: Option<ActiveVersion>,
}

impl KvStore {
    pub(super) const fn new(api: Api, id: String, active: Option<ActiveVersion>) -> Self {
        Self { api, id, active }
    }

    /// The store and its service, for people.
    pub(in super::super) fn place(&self) -> String {
        match &self.active {
            Some(active) => format!("service {} (KV store {})", active.service(), self.id),
            None => format!("KV store {}", self.id),
        }
    }

    /// The id, for commands that a person may copy.
    pub(in super::super) fn id(&self) -> &str {
        &self.id
    }

    fn path(&self, key: &str) -> String {
        format!("/resources/stores/kv/{}/keys/{}", encoded(&self.id), encoded(key))
    }

    fn subject(&self, key: &str) -> String {
        format!("key \"{key}\" of the KV store {}", self.id)
    }

    /// Reads an item; `None` if there is none.
    pub(in super::super) fn item(&self, key: &str) -> Result<Option<Item>, ApiError> {
        let read = self.read(key, false)?;
        Ok(read.map(|(Described { metadata, generation }, answer)| Item { value: answer.body, metadata, generation }))
    }

    /// Reads an item without its value; `None` if there is none.
    pub(in super::super) fn described(&self, key: &str) -> Result<Option<Described>, ApiError> {
        Ok(self.read(key, true)?.map(|(described, _)| described))
    }

    fn read(&self, key: &str, without_body: bool) -> Result<Option<(Described, Answer)>, ApiError> {
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
                let generation = Generation::read(&answer.field("generation")).ok_or_else(|| {
                    ApiError::Failed(format!(
                        "{}: the answer has no generation, so nobody could know whether somebody else writes it in between, and \
                         this command does not write it: run the command again, and see https://www.fastlystatus.com",
                        self.subject(key)
                    ))
                })?;
                Ok(Some((Described { metadata: answer.field("metadata"), generation }, answer)))
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

    /// Writes an item in place of the one that was read with this generation.
    ///
    /// # Errors
    /// [`ApiError::Lost`] if it was written or deleted in between.
    pub(in super::super) fn replace(
        &self,
        key: &str,
        read: &Generation,
        value: &[u8],
        metadata: &str,
    ) -> Result<(), ApiError> {
        let fields = vec![("metadata", metadata), ("if-generation-match", &*read.0)];
        self.put(&self.path(key), key, value, fields)
    }

    fn put(&self, path: &str, key: &str, value: &[u8], mut fields: Vec<(&'static str, &str)>) -> Result<(), ApiError> {
        fields.retain(|(_, text)| !text.is_empty());
        let request = Request { fields, body: value, ..Request::new(Method::PUT, path) };
        self.api.send(&request, &self.subject(key)).map(|_| ())
    }

    /// Deletes the item that was read with this generation; it is a success if there is none.
    ///
    /// # Errors
    /// [`ApiError::Lost`] if another one was written in between.
    pub(in super::super) fn delete(&self, key: &str, read: &Generation) -> Result<(), ApiError> {
        let path = self.path(key);
        let fields = vec![("if-generation-match", &*read.0)];
        let request = Request { fields, ..Request::new(Method::DELETE, &path) };
        match self.api.send_or_absent(&request, &self.subject(key)) {
            // The first attempt may have deleted it, and its answer been lost.
            Err(ApiError::Lost) if self.described(key)?.is_none() => Ok(()),
            answer => answer.map(|_| ()),
        }
    }

    /// Access to the API, and the version that opens the store, if it is known.
    pub(in super::super) const fn opened_by(&self) -> (&Api, Option<&ActiveVersion>) {
        (&self.api, self.active.as_ref())
    }

    /// The keys of all files.
    pub(in super::super) fn files(&self) -> Result<BTreeSet<String>, ApiError> {
        Ok(self.keys(&file_key(""))?.into_iter().collect())
    }

    /// The keys that begin with `prefix`.
    pub(in super::super) fn keys(&self, prefix: &str) -> Result<Vec<String>, ApiError> {
        let path = format!("/resources/stores/kv/{}/keys?prefix={}", encoded(&self.id), encoded(prefix));
        let subject = format!("keys of the KV store {}", self.id);
        let listed = pages(&self.api, &path, &subject)?;
        let key = |key: &serde_json::Value| key.as_str().map(str::to_owned);
        let keys: Option<Vec<String>> = listed.iter().map(key).collect();
        keys.ok_or_else(|| ApiError::Failed(format!("{subject}: the answer of Fastly's API has a key that is no text")))
    }
}

impl Generation {
    fn read(text: &str) -> Option<Self> {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::Generation;

    #[test]
    fn a_generation_is_a_number() {
        assert!(Generation::read("18446744073709551615").is_some());
        for text in ["", "-1", "1.0", "\"1\"", "1 ", "abc"] {
            assert_eq!(Generation::read(text), None, "{text}");
        }
    }
}
