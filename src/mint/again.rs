//! A request that is sent again, to another backend: its header is signed again, with the time of the new try and the region
//! of that backend.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::{Grant, MAX_IDENTITY_BYTES, Minter};
use crate::backend::Candidates;
use crate::headers::IDENTITY;
use crate::time::{Seconds, UnixTime};

impl Minter {
    /// The request `grant` for the next backend of `candidates`, signed at `now` for `lifetime`; `None` if its header cannot
    /// be signed. Everything but time and region stays as it was signed before.
    #[must_use]
    pub fn signed_again(
        &self,
        grant: &Grant,
        candidates: Candidates,
        now: UnixTime,
        lifetime: Seconds,
    ) -> Option<Grant> {
        let mut next = Grant { candidates, ..grant.clone() };
        let token = grant.headers.all(IDENTITY).next()?;
        let payload = token.split(|byte| *byte == b'.').nth(1)?;
        let mut claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
        *claims.get_mut("iat")? = now.seconds().into();
        *claims.get_mut("exp")? = now.plus(lifetime).seconds().into();
        if let Some(region) = next.region() {
            *claims.pointer_mut("/rctx/region")? = region.into();
        }
        let token = self.sign(&grant.origin, claims.to_string().as_bytes()).ok()?;
        next.headers = grant.headers.iter().filter(|(name, _)| *name != IDENTITY).collect();
        let is_short = token.len() <= MAX_IDENTITY_BYTES;
        next.headers.append(IDENTITY, token);
        is_short.then_some(next)
    }
}
