//! The policy in force, or the shadow policy, and its replacement.

use std::fmt::{self, Write as _};

use fastgate::store_keys::{POLICY_KEY, SHADOW_KEY};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::super::date::date;
use super::super::failure::Failure;
use super::super::fastly_api::{ApiError, Item, KvStore};
use super::super::printer;
use super::difference::difference;

/// How long the former value of a key may be used: a minute until a POP has the new one, and ten seconds until a sandbox
/// reads it, see `docs/guides/deploy.md`.
pub(in super::super) const FOLLOWS: &str = "every POP follows within about a minute";

/// The identity of a text: the first twelve hexadecimal digits of its SHA-256.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) struct Revision(String);

impl Revision {
    pub(in super::super) fn of(text: &[u8]) -> Self {
        Self(hexadecimal(text, 6))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The first `octets` octets of the SHA-256 of `content`, in hexadecimal digits.
pub(super) fn hexadecimal(content: &[u8], octets: usize) -> String {
    let mut digits = String::new();
    for byte in Sha256::digest(content).iter().take(octets) {
        let _ = write!(digits, "{byte:02x}"); // writing to a String cannot fail
    }
    digits
}

/// KV: a policy that was pushed. `@` separates it from the keys that the edge reads.
pub(in super::super) fn history_key(revision: impl fmt::Display) -> String {
    format!("{POLICY_KEY}@{revision}")
}

/// What the store has at present.
pub(in super::super) struct Live {
    key: &'static str,
    item: Option<Item>,
}

impl Live {
    /// Reads the live policy, or the shadow policy.
    pub(in super::super) fn read(store: &KvStore, shadow: bool) -> Result<Self, ApiError> {
        let key = if shadow { SHADOW_KEY } else { POLICY_KEY };
        Ok(Self { key, item: store.item(key)? })
    }

    /// The revision of what is there, and the time of its latest push; the time is empty if it is not known.
    pub(in super::super) fn in_force(&self) -> Option<(Revision, String)> {
        self.item.as_ref().map(|item| (Revision::of(&item.value), pushed_at(&item.metadata)))
    }

    /// Refuses if somebody else wrote the policy after it was read here.
    pub(super) fn unchanged(&self, store: &KvStore) -> Result<(), Failure> {
        let now = store.described(self.key)?.map(|item| item.generation);
        if now.as_ref() == self.item.as_ref().map(|item| &item.generation) {
            return Ok(());
        }
        Err(Failure::Refused(format!(
            "refused: somebody else wrote the {} after it was read here; nothing was written: look at the difference to theirs, \
             and push again",
            self.name()
        )))
    }

    /// Refuses if the policy in force is not `text`; `undone` says what is not done then.
    pub(super) fn still(&self, store: &KvStore, text: &[u8], undone: &str) -> Result<(), Failure> {
        if store.item(self.key)?.is_some_and(|item| item.value == text) {
            return Ok(());
        }
        Err(Failure::Refused(format!(
            "refused: somebody else wrote the {} in between, so {undone}: look at the difference to theirs, and push again",
            self.name()
        )))
    }

    /// What `text` changes, one line each; `None` if it is the same text.
    pub(in super::super) fn difference(&self, text: &[u8]) -> Option<Vec<String>> {
        match &self.item {
            Some(item) if item.value == text => None,
            Some(item) => Some(difference(&item.value, text)),
            None => Some(vec![format!("+ the first {}", self.name())]),
        }
    }

    /// Its key.
    pub(super) const fn key(&self) -> &'static str {
        self.key
    }

    /// What is there.
    pub(super) fn text(&self) -> Option<&[u8]> {
        self.item.as_ref().map(|item| item.value.as_slice())
    }

    /// Refuses if the policy in force is no longer `text` after files were replaced or deleted, whose keys are `taken`.
    pub(super) fn lasted(&self, store: &KvStore, text: &[u8], taken: &[&str]) -> Result<(), Failure> {
        let now = store.item(self.key)?;
        if now.as_ref().is_some_and(|item| item.value == text) {
            return Ok(());
        }
        let now = now.map_or_else(|| "deleted".to_owned(), |item| format!("now {}", Revision::of(&item.value)));
        Err(Failure::Refused(format!(
            "somebody else wrote the {} (revision {now}) while files were replaced or deleted: {}; if theirs names one of them, push \
             theirs again with the folder that has it: fastgate push --assets DIR",
            self.name(),
            listed(taken)
        )))
    }

    pub(super) fn name(&self) -> &'static str {
        if self.key == SHADOW_KEY { "shadow policy" } else { "policy" }
    }

    /// Writes `text`, after the history has both.
    pub(in super::super) fn replace(&self, store: &KvStore, text: &[u8]) -> Result<(), Failure> {
        let revision = Revision::of(text);
        let metadata = metadata(&revision, &now());
        if self.key == POLICY_KEY {
            if let Some(item) = &self.item {
                remember(store, &item.value, &item.metadata, true)?;
            }
            remember(store, text, &metadata, false)?;
        }
        let written = match &self.item {
            Some(read) => store.replace(self.key, &read.generation, text, &metadata),
            None => store.add(self.key, text, &metadata),
        };
        if let Err(error) = written {
            self.settle(store, text, error)?;
        }
        printer::line(format_args!("revision {revision} is the {} of {} now; {FOLLOWS}", self.name(), store.place()));
        Ok(())
    }

    /// Finds out what became of a write that failed: the answer may have been lost and the write not.
    fn settle(&self, store: &KvStore, text: &[u8], error: ApiError) -> Result<(), Failure> {
        let now = match store.item(self.key) {
            Ok(now) => now,
            Err(second) => {
                return Err(Failure::Refused(format!(
                    "{error}\nand whether the {} was written is not known: {second}\nrun the command again, it writes nothing \
                     twice",
                    self.name()
                )));
            }
        };
        let name = self.name();
        let generation = |item: &Option<Item>| item.as_ref().map(|item| item.generation.clone());
        // Of the same text, it does not matter who wrote it.
        let what = match &now {
            Some(item) if item.value == text => return Ok(()),
            _ if error != ApiError::Lost && generation(&now) == generation(&self.item) => {
                format!("the {name} is unchanged: run the command again")
            }
            Some(item) => format!(
                "somebody else wrote the {name} after it was read here (revision {} now): look at the difference to theirs, and push \
                 again",
                Revision::of(&item.value)
            ),
            None => format!("somebody else deleted the {name} after it was read here, so there is none: push again"),
        };
        Err(Failure::Refused(match error {
            ApiError::Lost => format!("refused: {what}; nothing was replaced"),
            ApiError::Failed(message) => format!("{message}\n{what}"),
        }))
    }
}

/// The first keys.
fn listed(keys: &[&str]) -> String {
    const SHOWN: usize = 10;
    let shown = keys.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    if keys.len() > SHOWN { format!("{shown} and {} more", keys.len() - SHOWN) } else { shown }
}

/// Adds a text to the history. If the entry is there and `is_former`, it gets the time of `metadata`, unless it has a later
/// one: so a policy that is replaced has the time of its latest push. That of a new policy is at the live policy first, since
/// its push may fail.
fn remember(store: &KvStore, text: &[u8], metadata: &str, is_former: bool) -> Result<(), Failure> {
    let key = history_key(Revision::of(text));
    match store.add(&key, text, metadata) {
        Ok(()) => Ok(()),
        Err(ApiError::Lost) => match store.item(&key)? {
            Some(item) if item.value == text => {
                if !is_former || pushed_at(metadata) <= pushed_at(&item.metadata) {
                    return Ok(());
                }
                match store.replace(&key, &item.generation, text, metadata) {
                    Ok(()) | Err(ApiError::Lost) => Ok(()), // whoever wrote it in between pushes, too
                    Err(error) => Err(error.into()),
                }
            }
            _ => {
                Err(Failure::Refused(format!("key \"{key}\" has another text: delete it, it is no history of a push")))
            }
        },
        Err(error) => Err(error.into()),
    }
}

/// The metadata of a policy that was pushed.
fn metadata(revision: &Revision, time: &str) -> String {
    json!({ "revision": revision.0, "time": time }).to_string()
}

/// The time in the metadata of a policy; empty if there is none.
pub(in super::super) fn pushed_at(metadata: &str) -> String {
    let document: Value = serde_json::from_str(metadata).unwrap_or_default();
    document.get("time").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The time, `2026-11-27T09:41:00Z`.
fn now() -> String {
    date(std::time::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::{Revision, metadata, pushed_at};

    #[test]
    fn a_revision_is_the_beginning_of_the_digest() {
        let revision = Revision::of(b"abc");
        assert_eq!(revision.to_string(), "ba7816bf8f01");
        assert_eq!(pushed_at(&metadata(&revision, "2026-11-27T09:41:00Z")), "2026-11-27T09:41:00Z");
        assert_eq!(pushed_at("not JSON"), "");
    }
}
