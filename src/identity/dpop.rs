//! DPoP proofs (RFC 9449). A valid proof shows that the client holds the key that its token is bound to and that it
//! made this request, just now. Three steps, cheapest first: [`Proof::only`] reads it, [`check`](Proof::check) compares
//! it with the request, [`verify`](Proof::verify) verifies the signature. A verified proof is then marked as [`used`].

mod error;
mod key;
mod nonce;
mod url;
pub mod used;

use serde_json::{Map, Value};

use super::binding::Thumbprint;
use super::jws::{self, Segments};
use crate::digest::sha256;
use crate::policy::{MAX_PROOF_AGE, MAX_PROOF_LEEWAY, ProofRules};
use crate::request::Target;
use crate::secret::Secret;
use crate::time::UnixTime;
pub use error::ProofError;
pub use key::ALGORITHMS;
use key::ProofKey;
pub use nonce::{NONCE_WINDOW, Nonces};
use used::ProofId;

/// The longest proof that is read, in bytes.
pub const MAX_PROOF_BYTES: usize = 4096;
/// How long a used proof is remembered, in seconds: as long as any policy could accept it, since the next policy may
/// accept older proofs than this one. It counts from the first moment of validity to the last, rounded up to whole
/// seconds.
pub(super) const USED_FOR: u64 = MAX_PROOF_AGE + MAX_PROOF_LEEWAY + 2;
/// The longest `jti` that is accepted, in bytes.
const MAX_JTI_BYTES: usize = 256;

/// The rules for proofs, for one request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules<'outside> {
    pub(super) demands: ProofRules,
    pub(super) nonces: &'outside Nonces,
    pub(super) now: UnixTime,
}

/// A proof that was read, but not checked.
#[derive(Debug)]
pub(super) struct Proof<'request> {
    signed: &'request str,
    signature: Vec<u8>,
    key: ProofKey,
    claims: Map<String, Value>,
}

impl<'request> Proof<'request> {
    /// The proof in the only `DPoP` field.
    ///
    /// # Errors
    /// A [`ProofError`] if there is none or several, or if it is not a compact JWS with the header of a proof.
    pub(super) fn only(fields: &'request [Secret<Vec<u8>>]) -> Result<Self, ProofError> {
        match fields {
            [] => Err(ProofError::Missing),
            [field] => {
                let text = std::str::from_utf8(field.expose()).map_err(|_| ProofError::Malformed)?;
                Self::parse(text)
            }
            several => Err(ProofError::Repeated { count: several.len() }),
        }
    }

    fn parse(compact: &'request str) -> Result<Self, ProofError> {
        if compact.len() > MAX_PROOF_BYTES {
            return Err(ProofError::TooLong);
        }
        let Segments { header, payload, signature, signed } = Segments::of(compact)?;
        let signature = jws::decode(signature)?;
        let (header, claims) = (jws::object(header)?, jws::object(payload)?);
        Ok(Self { signed, signature, key: key_of(&header)?, claims })
    }

    /// The nonce for the client's next proof, if nonces are required and this proof does not have the current one.
    pub(super) fn next_nonce(&self, rules: Rules<'_>) -> Option<String> {
        let fresh = rules.nonces.fresh(rules.now).filter(|_| rules.demands.nonce)?;
        (self.text("nonce") != Ok(&fresh)).then_some(fresh)
    }

    /// Compares the proof with the request, its token, the key that the token is bound to, and the time.
    ///
    /// # Errors
    /// The first [`ProofError`] found.
    pub(super) fn check(
        &self,
        target: &Target,
        token: &Secret<&str>,
        bound_to: &Thumbprint,
        rules: Rules<'_>,
    ) -> Result<(), ProofError> {
        let Rules { demands, nonces, now } = rules;
        if self.text("htm")? != target.method() {
            return Err(ProofError::Method);
        }
        if !url::is_of(self.text("htu")?, target) {
            return Err(ProofError::Url);
        }
        let made = self.made()?;
        if made > now.plus(demands.leeway) {
            return Err(ProofError::TooEarly { ahead: made.since(now) });
        }
        if now.since(made) > demands.max_age.as_u64() {
            return Err(ProofError::TooOld { age: now.since(made) });
        }
        if self.text("ath")? != Thumbprint::of(&sha256(token.expose())).as_str() {
            return Err(ProofError::Token);
        }
        if Thumbprint::of(self.key.thumbprint()) != *bound_to {
            return Err(ProofError::OtherKey);
        }
        if demands.nonce && !self.text("nonce").is_ok_and(|nonce| nonces.know(nonce, now)) {
            return Err(ProofError::Nonce);
        }
        self.jti().map(drop)
    }

    /// Verifies the signature; the result is the digest under which the proof is marked as used.
    ///
    /// # Errors
    /// [`ProofError::Signature`]
    pub(super) fn verify(&self) -> Result<ProofId, ProofError> {
        self.key.verify(self.signed.as_bytes(), &self.signature)?;
        Ok(ProofId::new(self.key.thumbprint(), self.jti()?))
    }

    fn text(&self, claim: &'static str) -> Result<&str, ProofError> {
        self.claims.get(claim).and_then(Value::as_str).ok_or(ProofError::Claim { claim })
    }

    fn jti(&self) -> Result<&str, ProofError> {
        let jti = self.text("jti")?;
        if jti.is_empty() || jti.len() > MAX_JTI_BYTES { Err(ProofError::Claim { claim: "jti" }) } else { Ok(jti) }
    }

    /// `iat`, a `NumericDate` (RFC 7519 §2); a fraction of a second is cut off.
    fn made(&self) -> Result<UnixTime, ProofError> {
        self.claims.get("iat").and_then(jws::numeric_date).ok_or(ProofError::Claim { claim: "iat" })
    }
}

/// The key in the header of a proof, after the other members of the header are checked (RFC 9449 §4.2).
fn key_of(header: &Map<String, Value>) -> Result<ProofKey, ProofError> {
    if let Some(member) = jws::extension(header) {
        return Err(ProofError::Extension { member });
    }
    if header.get("typ").is_none_or(|given| given != "dpop+jwt") {
        return Err(ProofError::Type);
    }
    let alg = header.get("alg").and_then(Value::as_str).ok_or(ProofError::Algorithm)?;
    let none = Map::new(); // not a key either, but an algorithm that is not accepted is reported first
    ProofKey::read(alg, header.get("jwk").and_then(Value::as_object).unwrap_or(&none))
}
