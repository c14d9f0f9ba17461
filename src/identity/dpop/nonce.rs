//! Nonces of the edge for proofs of possession (RFC 9449 §8, §9). Without nonces, an attacker who can use a client's
//! key once can make proofs for later. Nonces are not stored: a nonce is a MAC over the time window in which it is
//! used, so that every POP creates and accepts the same nonces.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::digest::{expand, extract, hmac};
use crate::secret::Secret;
use crate::time::UnixTime;

/// How long a nonce is the current one, in seconds. It is accepted in the next window, too.
pub const NONCE_WINDOW: u64 = 120;

/// Separates the keys of nonces from other keys derived from the same secrets (RFC 5869 §3.2).
const PURPOSE: &[u8] = b"fastgate dpop nonce";

/// Creates and accepts nonces; the default does neither.
#[derive(Debug, Default)]
pub struct Nonces(Vec<Secret<[u8; 32]>>);

impl Nonces {
    /// Nonces with keys derived from these secrets (HKDF with SHA-256). Nonces are created with the first secret, and
    /// accepted if any of them created them, so that secrets can be rotated.
    #[must_use]
    pub fn derived_from<S: AsRef<[u8]>>(secrets: impl IntoIterator<Item = S>) -> Self {
        let derive = |secret: S| Secret::new(expand(&extract(secret.as_ref()), &[PURPOSE]));
        Self(secrets.into_iter().map(derive).collect())
    }

    /// The current nonce; `None` without a secret.
    pub(in crate::identity) fn current(&self, now: UnixTime) -> Option<String> {
        self.0.first().map(|key| nonce(key, window(now)))
    }

    /// Whether the nonce is of the current window or of the one before.
    pub(super) fn accept(&self, given: &str, now: UnixTime) -> bool {
        let windows = [Some(window(now)), window(now).checked_sub(1)];
        self.0.iter().any(|key| windows.into_iter().flatten().any(|window| nonce(key, window) == given))
    }
}

const fn window(now: UnixTime) -> u64 {
    now.seconds() / NONCE_WINDOW
}

/// A MAC over the number of the window. Clients see nonces; only future ones must be unpredictable.
fn nonce(key: &Secret<[u8; 32]>, window: u64) -> String {
    URL_SAFE_NO_PAD.encode(hmac(key.expose(), &[&window.to_be_bytes()]))
}
