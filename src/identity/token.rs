//! The verifier: a token, the keys and rules of its issuer and the time go in, [`VerifiedClaims`] come out. Three steps,
//! cheapest first: [`UnverifiedToken::parse`] reads, [`check`](UnverifiedToken::check) judges what needs no key,
//! [`verify`](UnverifiedToken::verify) checks the signature. Nothing a token says about keys (`jwk`, `jku`, `x5u`, `x5c`)
//! is ever looked at.

mod error;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
pub use error::TokenError;
use serde_json::{Map, Value};

use super::binding::Binding;
use super::claims::{Claims, Holder};
use super::demands;
use super::jose;
use super::keys::{Key, KeySet, NoKey};
use super::verdict::{Verdict, Verdicts};
use crate::policy::{AlgorithmName, Issuer, MAX_TOKEN_BYTES};
use crate::secret::Secret;
use crate::strict_json;
use crate::time::UnixTime;

/// The longest JOSE header that is read, in base64url characters: enough for a chain of certificates (`x5c`), which some
/// issuers put there and nothing here looks at.
pub const MAX_HEADER_CHARACTERS: u64 = 8192;

/// A token that has been read and not been checked.
#[derive(Debug)]
pub struct UnverifiedToken<'request> {
    compact: Secret<&'request str>,
    header: Map<String, Value>,
    claims: Claims,
    issuer: String,
}

/// What a token says, after everything about it has been checked. Only [`UnverifiedToken::verify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedClaims {
    holder: Holder,
    claims: Claims,
}

impl VerifiedClaims {
    /// What the token says about its holder; all claims as they stand in the token.
    pub(super) fn into_parts(self) -> (Holder, Claims) {
        (self.holder, self.claims)
    }

    /// A claim at the top.
    pub(super) fn claim(&self, name: &str) -> Option<&Value> {
        self.claims.top(name)
    }

    /// `iat`.
    pub(super) fn issued(&self) -> Option<UnixTime> {
        self.claims.time("iat").ok().flatten()
    }
}

/// Refuses a token of more than `most` bytes, signed or opaque, before anything in it is read.
///
/// # Errors
/// [`TokenError::TooLong`]
pub(super) fn check_length(compact: &Secret<&str>, most: u64) -> Result<(), TokenError> {
    at_most(most, compact.expose())
}

fn at_most(most: u64, text: &str) -> Result<(), TokenError> {
    let bytes = text.len();
    if u64::try_from(bytes).is_ok_and(|bytes| bytes <= most) {
        Ok(())
    } else {
        Err(TokenError::TooLong { bytes, most })
    }
}

/// Judges claims for which the issuer itself vouched just now (RFC 7662 §2.2) as those of a signed token are judged.
///
/// # Errors
/// The first [`TokenError`] found.
pub(super) fn vouched(claims: Claims, issuer: &Issuer, now: UnixTime) -> Result<VerifiedClaims, TokenError> {
    demands::check(&claims, issuer, now)?;
    Ok(VerifiedClaims { holder: claims.holder(&issuer.shape)?, claims })
}

impl<'request> UnverifiedToken<'request> {
    /// Reads a token, without believing it.
    ///
    /// # Errors
    /// A [`TokenError`] where the token is too long or is not a compact JWS with an issuer.
    pub fn parse(compact: Secret<&'request str>) -> Result<Self, TokenError> {
        check_length(&compact, MAX_TOKEN_BYTES)?;
        let token = *compact.expose();
        let mut segments = token.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (segments.next(), segments.next(), segments.next(), segments.next())
        else {
            return Err(TokenError::Malformed);
        };
        at_most(MAX_HEADER_CHARACTERS, header)?;
        if decode(signature)?.is_empty() {
            return Err(TokenError::Malformed);
        }
        let header = object(header)?;
        let claims = Claims::new(object(payload)?);
        let issuer = claims.issuer()?.to_owned();
        Ok(Self { compact, header, claims, issuer })
    }

    /// `iss`, unverified.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// `kid`, unverified; absent, too, where it is not text.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.header.get("kid").and_then(Value::as_str)
    }

    /// `iat`, unverified; absent, too, where it is no time.
    #[must_use]
    pub fn issued(&self) -> Option<UnixTime> {
        self.claims.time("iat").ok().flatten()
    }

    /// What it is bound to, unverified.
    ///
    /// # Errors
    /// [`TokenError::Bound`] where that cannot be checked here.
    pub fn binding(&self) -> Result<Option<Binding>, TokenError> {
        Binding::of(self.claims.top("cnf"))
    }

    /// Judges everything that needs no key: the header, and the claims against what the policy demands of them.
    ///
    /// # Errors
    /// The first [`TokenError`] found.
    pub fn check(&self, issuer: &Issuer, now: UnixTime) -> Result<(), TokenError> {
        self.check_header(issuer)?;
        demands::check(&self.claims, issuer, now)
    }

    /// Checks the signature with the key that the token names among `keys`, which must be those of `issuer`. The checks
    /// that need no key are made again, so that claims cannot be had without them.
    ///
    /// # Errors
    /// A [`TokenError`] where a check fails, no key fits or the signature does not hold.
    pub fn verify(
        &self,
        issuer: &Issuer,
        keys: &KeySet,
        now: UnixTime,
        verdicts: &mut dyn Verdicts,
    ) -> Result<VerifiedClaims, TokenError> {
        self.check(issuer, now)?;
        let algorithm = self.algorithm(issuer)?;
        let key = keys.find(self.key_id(), algorithm, &issuer.key_issuers).map_err(|error| match error {
            NoKey::Unknown => TokenError::UnknownKey,
            NoKey::Ambiguous => TokenError::AmbiguousKey,
        })?;
        let verdict = Verdict::new(key, self.compact.expose());
        if !verdicts.holds(&verdict) {
            self.check_signature(key, algorithm)?;
            verdicts.remember(&verdict, issuer.verdict_window.as_u64());
        }
        Ok(VerifiedClaims { holder: self.claims.holder(&issuer.shape)?, claims: self.claims.clone() })
    }

    fn check_signature(&self, key: &Key, algorithm: AlgorithmName) -> Result<(), TokenError> {
        let (signed, signature) = self.compact.expose().rsplit_once('.').ok_or(TokenError::Malformed)?;
        key.verify(algorithm, signed.as_bytes(), &decode(signature)?).map_err(|_| TokenError::Signature)
    }

    fn check_header(&self, issuer: &Issuer) -> Result<(), TokenError> {
        if let Some(member) = jose::extension(&self.header) {
            return Err(TokenError::Extension { member });
        }
        if self.header.get("kid").is_some_and(|kid| !kid.is_string()) {
            return Err(TokenError::Malformed);
        }
        self.algorithm(issuer)?;
        let accepted = match self.header.get("typ") {
            None => issuer.shape.untyped,
            Some(Value::String(given)) => {
                let given = given.to_ascii_lowercase();
                // RFC 7515 §4.1.9: "application/" may be left out where no other slash follows.
                let short = given.strip_prefix("application/").filter(|rest| !rest.contains('/')).unwrap_or(&given);
                issuer.shape.types.iter().any(|accepted| accepted == short)
            }
            Some(_) => false,
        };
        if accepted { Ok(()) } else { Err(TokenError::Type) }
    }

    fn algorithm(&self, issuer: &Issuer) -> Result<AlgorithmName, TokenError> {
        let name = self.header.get("alg").and_then(Value::as_str).ok_or(TokenError::Algorithm)?;
        let accepted = |algorithm: &AlgorithmName| issuer.algorithms.contains(algorithm);
        AlgorithmName::from_jose(name).filter(accepted).ok_or(TokenError::Algorithm)
    }
}

fn object(segment: &str) -> Result<Map<String, Value>, TokenError> {
    strict_json::parse_object(&decode(segment)?).map_err(|_| TokenError::Malformed)
}

/// base64url without padding, and without bits that say nothing (RFC 7515 §2, RFC 4648 §3.5).
fn decode(segment: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD.decode(segment).map_err(|_| TokenError::Malformed)
}
