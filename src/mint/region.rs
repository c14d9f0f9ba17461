//! A request that is sent again, to another backend: its header names the region of that one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Grant, Minter};
use crate::backend::Candidates;
use crate::headers::IDENTITY;

impl Minter {
    /// The request `grant` for the next backend of `candidates`; `None` if its header cannot be signed. Everything but the
    /// region stays as it was signed before.
    #[must_use]
    pub fn signed_again(&self, grant: &Grant, candidates: Candidates) -> Option<Grant> {
        let mut next = Grant { candidates, ..grant.clone() };
        if let Some((before, after)) = grant.region().zip(next.region()).filter(|(before, after)| before != after) {
            let token = grant.headers.all(IDENTITY).next()?;
            let payload = token.split(|byte| *byte == b'.').nth(1)?;
            let claims = in_region(&URL_SAFE_NO_PAD.decode(payload).ok()?, before, after)?;
            let token = self.sign(&grant.origin, &claims).ok()?;
            next.headers = grant.headers.iter().filter(|(name, _)| *name != IDENTITY).collect();
            next.headers.append(IDENTITY, token);
        }
        Some(next)
    }
}

/// The claims with another region, which is the last member of the last member; `None` if it is not.
fn in_region(claims: &[u8], before: &str, after: &str) -> Option<Vec<u8>> {
    let end = |region: &str| serde_json::to_string(region).map(|text| format!("\"region\":{text}}}}}")).ok();
    let rest = claims.strip_suffix(end(before)?.as_bytes())?;
    Some([rest, end(after)?.as_bytes()].concat())
}
