//! DPoP proofs (RFC 9449). Input: the `DPoP` field, the request, its token and the key that the token is bound to.
//! Output: a [`ProofId`], evidence that the client holds the key and has just made this request. There are three parts,
//! cheapest first: [`Proof::only`] reads the proof, [`check`](Proof::check) compares it with the request,
//! [`verify`](Proof::verify) verifies the signature. A verified proof is then marked as [`used`].

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
use crate::time::{Seconds, UnixTime};
pub use error::ProofError;
pub use key::ALGORITHMS;
use key::ProofKey;
pub use nonce::{NONCE_WINDOW, Nonces};
use used::ProofId;

/// The longest proof that is read, in bytes.
pub const MAX_PROOF_BYTES: usize = 4096;
/// How long a used proof is remembered: as long as any policy could accept it, because the next policy may accept older
/// proofs than this one. The time counts from the first moment of validity to the last, rounded up to whole seconds.
pub(super) const USED_FOR: Seconds = MAX_PROOF_AGE.plus(MAX_PROOF_LEEWAY).plus(Seconds::new(2));
/// The longest `jti` that is accepted, in bytes.
const MAX_JTI_BYTES: usize = 256;

/// The rules for proofs, for one request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules<'request> {
    pub(super) policy: ProofRules,
    pub(super) nonces: &'request Nonces,
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
    /// Reads the proof in the only `DPoP` field.
    ///
    /// # Errors
    /// A [`ProofError`] if there is no field or more than one, or if it is not a compact JWS with the header of a
    /// proof.
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
        let Segments { header, payload, signature, signed } = Segments::split(compact)?;
        let signature = jws::decode(signature)?;
        let (header, claims) = (jws::object(header)?, jws::object(payload)?);
        Ok(Self { signed, signature, key: read_key(&header)?, claims })
    }

    /// The nonce for the client's next proof, if nonces are required and this proof does not have the current one.
    pub(super) fn next_nonce(&self, rules: Rules<'_>) -> Option<String> {
        let current = rules.nonces.current(rules.now).filter(|_| rules.policy.nonce)?;
        (self.text("nonce") != Ok(&current)).then_some(current)
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
        let Rules { policy, nonces, now } = rules;
        if self.text("htm")? != target.method() {
            return Err(ProofError::Method);
        }
        if !url::matches(self.text("htu")?, target) {
            return Err(ProofError::Url);
        }
        let issued = self.issued()?;
        if issued > now.plus(policy.leeway) {
            return Err(ProofError::TooEarly { ahead: issued.since(now) });
        }
        if now.since(issued) > policy.max_age {
            return Err(ProofError::TooOld { age: now.since(issued) });
        }
        if self.text("ath")? != Thumbprint::of(&sha256(token.expose())).as_str() {
            return Err(ProofError::Token);
        }
        if Thumbprint::of(self.key.thumbprint()) != *bound_to {
            return Err(ProofError::OtherKey);
        }
        if policy.nonce && !self.text("nonce").is_ok_and(|nonce| nonces.accept(nonce, now)) {
            return Err(ProofError::Nonce);
        }
        self.jti().map(drop)
    }

    /// Verifies the signature and returns the digest under which the proof is marked as used.
    ///
    /// # Errors
    /// [`ProofError::Signature`] if the signature is not valid.
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
    fn issued(&self) -> Result<UnixTime, ProofError> {
        self.claims.get("iat").and_then(jws::numeric_date).ok_or(ProofError::Claim { claim: "iat" })
    }
}

/// Checks the other members of a proof's header (RFC 9449 §4.2) and reads its key.
fn read_key(header: &Map<String, Value>) -> Result<ProofKey, ProofError> {
    if let Some(member) = jws::extension(header) {
        return Err(ProofError::Extension { member });
    }
    if header.get("typ").is_none_or(|given| given != "dpop+jwt") {
        return Err(ProofError::Type);
    }
    let alg = header.get("alg").and_then(Value::as_str).ok_or(ProofError::Algorithm)?;
    let no_key = Map::new(); // `read` refuses it, but reports an algorithm that is not accepted first
    ProofKey::read(alg, header.get("jwk").and_then(Value::as_object).unwrap_or(&no_key))
}
