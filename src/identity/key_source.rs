//! The port through which step *identify* gets the key sets of issuers.

use std::sync::Arc;

use super::keys::KeySet;
use crate::policy::{Issuer, IssuerId};
use crate::time::UnixTime;

/// The port to the key sets of issuers.
pub trait KeySource {
    /// The key set of `issuer`, from the nearest cache that has one, or from the issuer.
    ///
    /// # Errors
    /// [`KeysUnavailable`] if there is none; the caller then gets 503, not 401.
    fn keys(&mut self, issuer: &Issuer, wanted: Wanted) -> Result<Arc<KeySet>, KeysUnavailable>;

    /// Whether the set that was returned last may lack the key `kid` although the issuer has published it: the token
    /// was issued (`since`, its `iat`) after the set was fetched, and the keys may not be fetched again yet.
    fn may_lack(&self, issuer: &Issuer, kid: Option<&str>, since: Option<UnixTime>) -> bool {
        let _ = (issuer, kid, since);
        false
    }
}

/// The required key set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The nearest one that may be used.
    Nearest,
    /// A later one, because the nearest one lacks a key. The result may be the same set again, for example if it was
    /// fetched a moment ago.
    Later,
}

/// The keys of an issuer are not available.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the keys of issuer \"{issuer}\" are not available: {cause}")]
pub struct KeysUnavailable {
    /// The policy's id of the issuer.
    pub issuer: IssuerId,
    /// The cause, for the log.
    pub cause: String,
}

impl KeysUnavailable {
    /// The code for logs, metrics and tests.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "keys-unavailable"
    }
}
