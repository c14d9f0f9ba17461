//! Proofs of possession (RFC 9449): in goes the `DPoP` field of a request, the request and its token, out comes the
//! certainty that whoever sent it holds the key that the token is bound to, and sent it now, and once. Three steps,
//! cheapest first: [`Proof::only`] reads, [`check`](Proof::check) compares, [`spend`](Proof::spend) checks the signature
//! and uses the proof up.

mod error;
mod key;
mod nonce;
mod url;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::IdentityError;
use super::binding::Thumbprint;
use super::jose;
use super::replay::{ProofId, Replays};
use crate::digest::sha256;
use crate::policy::{MAX_PROOF_AGE, MAX_PROOF_LEEWAY, ProofDemands};
use crate::request::Target;
use crate::secret::Secret;
use crate::strict_json;
use crate::time::UnixTime;
pub use error::ProofError;
use key::ProofKey;
pub use nonce::{NONCE_WINDOW, Nonces};

/// The algorithms by which a proof may be signed, all of them asymmetric (RFC 9449 §4.3, point 5).
pub const ALGORITHMS: [&str; 2] = ["ES256", "EdDSA"];
/// The longest proof that is read, in bytes.
pub const MAX_PROOF_BYTES: usize = 4096;
/// How long a used proof is remembered, in seconds: for as long as any policy could take it, since the next one may take
/// older ones than this one. From the moment at which it is first good to the last, rounded up: times are whole seconds.
const USED_FOR: u64 = MAX_PROOF_AGE + MAX_PROOF_LEEWAY + 2;
/// The longest `jti` that is accepted, in bytes.
const MAX_JTI_BYTES: usize = 256;

/// By what proofs are judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules<'outside> {
    pub(super) demands: ProofDemands,
    pub(super) nonces: &'outside Nonces,
    pub(super) now: UnixTime,
}

/// A proof that has been read and not been checked.
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
    /// A [`ProofError`] for none, for several, and for anything but a compact JWS with the header of a proof.
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
        let (signed, signature) = compact.rsplit_once('.').ok_or(ProofError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(ProofError::Malformed)?;
        let signature = decode(signature)?;
        let (header, claims) = (object(header)?, object(payload)?); // a fourth segment is no base64url
        Ok(Self { signed, signature, key: key_of(&header)?, claims })
    }

    /// The nonce that the client is to use next, where nonces are asked for and this one is not the fresh one.
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
        if now.since(made) > demands.max_age {
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

    /// Checks the signature and uses the proof up. Only what is signed gets that far: nobody fills the memory of used
    /// proofs without a key that a good token is bound to.
    ///
    /// # Errors
    /// A [`ProofError`] where the signature does not hold or the proof was used before;
    /// [`ReplaysUnreachable`](super::replay::ReplaysUnreachable) where the latter cannot be told.
    pub(super) fn spend(&self, replays: &mut dyn Replays) -> Result<(), IdentityError> {
        self.key.verify(self.signed.as_bytes(), &self.signature)?;
        let id = ProofId::new(self.key.thumbprint(), self.jti()?);
        if replays.is_first(&id, USED_FOR)? { Ok(()) } else { Err(ProofError::Replayed.into()) }
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
        /// 9999-12-31T23:59:59Z: beyond it a number is not a date.
        const LAST: f64 = 253_402_300_799.0;
        match self.claims.get("iat").and_then(Value::as_f64) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
            Some(seconds) if (0.0..=LAST).contains(&seconds) => Ok(UnixTime::from_seconds(seconds as u64)),
            _ => Err(ProofError::Claim { claim: "iat" }),
        }
    }
}

/// The key in the header of a proof, once the rest of the header is that of a proof (RFC 9449 §4.2).
fn key_of(header: &Map<String, Value>) -> Result<ProofKey, ProofError> {
    if let Some(member) = jose::extension(header) {
        return Err(ProofError::Extension { member });
    }
    if header.get("typ").is_none_or(|given| given != "dpop+jwt") {
        return Err(ProofError::Type);
    }
    let alg = header.get("alg").and_then(Value::as_str).ok_or(ProofError::Algorithm)?;
    let none = Map::new(); // no key either, but an algorithm that is not accepted is said first
    ProofKey::read(alg, header.get("jwk").and_then(Value::as_object).unwrap_or(&none))
}

fn object(segment: &str) -> Result<Map<String, Value>, ProofError> {
    strict_json::parse_object(&decode(segment)?).map_err(|_| ProofError::Malformed)
}

/// base64url without padding, and without bits that say nothing (RFC 7515 §2, RFC 4648 §3.5).
fn decode(segment: &str) -> Result<Vec<u8>, ProofError> {
    URL_SAFE_NO_PAD.decode(segment).map_err(|_| ProofError::Malformed)
}
