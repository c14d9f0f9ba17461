//! Nonces of the edge for proofs of possession (RFC 9449 §8, §9): without one, whoever could use a client's key once might
//! have made proofs for later. Nothing is kept: a nonce is a MAC over the window of time in which it is to be used, so that
//! every POP makes and knows the same ones.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::digest::{expand, extract, hmac};
use crate::secret::Secret;
use crate::time::UnixTime;

/// How long one nonce is the fresh one, in seconds. It is taken for as long again.
pub const NONCE_WINDOW: u64 = 120;

/// What sets the keys of nonces apart from all else that may be derived from the same secrets (RFC 5869 §3.2).
const PURPOSE: &[u8] = b"fastgate dpop nonce";

/// What makes nonces and knows them again; the default neither.
#[derive(Debug, Default)]
pub struct Nonces(Vec<Secret<[u8; 32]>>);

impl Nonces {
    /// Nonces by keys that are derived from these secrets (HKDF with SHA-256). The first makes them; all know theirs again,
    /// so that secrets can be exchanged one after the other.
    #[must_use]
    pub fn derived_from<S: AsRef<[u8]>>(secrets: impl IntoIterator<Item = S>) -> Self {
        let derive = |secret: S| Secret::new(expand(&extract(secret.as_ref()), &[PURPOSE]));
        Self(secrets.into_iter().map(derive).collect())
    }

    /// The nonce to use from now on; none where there is no key to make it by.
    pub(in crate::identity) fn fresh(&self, now: UnixTime) -> Option<String> {
        self.0.first().map(|key| nonce(key, window(now)))
    }

    /// Whether a proof with this nonce was made for this moment: the nonce is of this window or of the one before.
    pub(super) fn know(&self, given: &str, now: UnixTime) -> bool {
        let windows = [Some(window(now)), window(now).checked_sub(1)];
        self.0.iter().any(|key| windows.into_iter().flatten().any(|window| nonce(key, window) == given))
    }
}

const fn window(now: UnixTime) -> u64 {
    now.seconds() / NONCE_WINDOW
}

/// A MAC over the number of the window. It is told to whoever proves something; only those to come must not be guessed.
fn nonce(key: &Secret<[u8; 32]>, window: u64) -> String {
    URL_SAFE_NO_PAD.encode(hmac(key.expose(), &[&window.to_be_bytes()]))
}
