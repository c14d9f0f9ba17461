//! The verifier: a token, the keys and rules of its issuer and the time go in, [`VerifiedClaims`] come out. Three steps,
//! cheapest first: [`UnverifiedToken::parse`] reads, [`check`](UnverifiedToken::check) judges what needs no key,
//! [`verify`](UnverifiedToken::verify) checks the signature. Nothing a token says about keys (`jwk`, `jku`, `x5u`, `x5c`)
//! is ever looked at.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_simple::prelude::{
    Duration, ECDSAP256PublicKeyLike as _, NoCustomClaims, RSAPublicKeyLike as _, UnixTimeStamp, VerificationOptions,
};
use serde_json::{Map, Value};

use super::binding::Binding;
use super::keys::{Key, KeySet, NoKey, Verifier};
use super::verdict::{Verdict, Verdicts};
use crate::policy::{AlgorithmName, Issuer, is_scope};
use crate::secret::Secret;
use crate::strict_json;
use crate::time::UnixTime;

/// The longest token that is read, in bytes; it has to fit a header that servers accept.
pub const MAX_TOKEN_BYTES: usize = 8192;
/// The longest JOSE header that is read, in base64url characters.
pub const MAX_HEADER_CHARACTERS: usize = 4096;
/// The longest `sub` (OpenID Connect Core §2) and `client_id` that is accepted, in bytes.
const MAX_NAME_BYTES: usize = 255;

/// Why a token is not good. All of them look the same to the client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Longer than [`MAX_TOKEN_BYTES`], or its header longer than [`MAX_HEADER_CHARACTERS`].
    #[error("the token or its header is too long")]
    TooLong,
    /// Not three segments of unpadded, canonical base64url that hold two JSON objects with unique members (RFC 7515 §7.1).
    #[error("the token is not a compact JWS of two JSON objects")]
    Malformed,
    /// `crit`, `b64`, `zip` or `cty`: extensions that would change what the token means (RFC 7515 §4.1.11, RFC 7797).
    #[error("the token's header asks for an extension: {member}")]
    Extension {
        /// The member.
        member: &'static str,
    },
    /// `alg` is missing, unknown, or not accepted for this issuer (RFC 8725 §3.1).
    #[error("the token's algorithm is not accepted")]
    Algorithm,
    /// `typ` is missing or not accepted for this issuer (RFC 8725 §3.11).
    #[error("the token's type is not accepted")]
    Type,
    /// A claim that is needed is missing.
    #[error("the token has no claim {claim}")]
    Missing {
        /// The claim.
        claim: &'static str,
    },
    /// A claim has the wrong type or cannot be a value of its kind.
    #[error("the token's claim {claim} is malformed")]
    ClaimMalformed {
        /// The claim.
        claim: &'static str,
    },
    /// `iss` is none of the policy's issuers, byte for byte (RFC 8725 §3.8).
    #[error("the token's issuer is not one of the policy's")]
    UnknownIssuer,
    /// `aud` names none of the issuer's audiences (RFC 8725 §3.9).
    #[error("the token is for another audience")]
    Audience,
    /// `exp` has passed (RFC 7519 §4.1.4).
    #[error("the token expired {by} seconds ago")]
    Expired {
        /// Seconds, without leeway.
        by: u64,
    },
    /// `nbf` or `iat` lies in the future (RFC 7519 §4.1.5, §4.1.6).
    #[error("the token is not valid yet by {claim}")]
    NotYetValid {
        /// The claim.
        claim: &'static str,
    },
    /// The token is bound to a key or certificate (`cnf`, RFC 7800 §3.1) that was not shown to be held.
    #[error("the token is bound to a key that was not shown to be held")]
    Bound,
    /// No key of the issuer has this `kid`.
    #[error("the issuer has no key for this token")]
    UnknownKey,
    /// The token names no key and several would do.
    #[error("the token names no key and the issuer has several")]
    AmbiguousKey,
    /// The signature is not the key's.
    #[error("the signature is not valid")]
    Signature,
}

/// A token that has been read and not been checked.
#[derive(Debug)]
pub struct UnverifiedToken<'request> {
    compact: Secret<&'request str>,
    header: Map<String, Value>,
    claims: Map<String, Value>,
    issuer: String,
}

/// What a token says, after everything about it has been checked. Only [`UnverifiedToken::verify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedClaims {
    subject: String,
    client_id: Option<String>,
    scopes: Vec<String>,
    all: Map<String, Value>,
}

impl VerifiedClaims {
    /// Subject, client, scopes; all claims as they stand in the token.
    pub(super) fn into_parts(self) -> (String, Option<String>, Vec<String>, Map<String, Value>) {
        (self.subject, self.client_id, self.scopes, self.all)
    }
}

impl<'request> UnverifiedToken<'request> {
    /// Reads a token, without believing it.
    ///
    /// # Errors
    /// A [`TokenError`] where the token is too long or is not a compact JWS with an issuer.
    pub fn parse(compact: Secret<&'request str>) -> Result<Self, TokenError> {
        let token = *compact.expose();
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLong);
        }
        let mut segments = token.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (segments.next(), segments.next(), segments.next(), segments.next())
        else {
            return Err(TokenError::Malformed);
        };
        if header.len() > MAX_HEADER_CHARACTERS {
            return Err(TokenError::TooLong);
        }
        if decode(signature)?.is_empty() {
            return Err(TokenError::Malformed);
        }
        let header = object(header)?;
        let claims = object(payload)?;
        let issuer = match claims.get("iss") {
            None => return Err(TokenError::Missing { claim: "iss" }),
            Some(Value::String(issuer)) => issuer.clone(),
            Some(_) => return Err(TokenError::ClaimMalformed { claim: "iss" }),
        };
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

    /// What it is bound to, unverified.
    ///
    /// # Errors
    /// [`TokenError::Bound`] where that cannot be checked here.
    pub fn binding(&self) -> Result<Option<Binding>, TokenError> {
        Binding::of(&self.claims)
    }

    /// Judges everything that needs no key: header, times, audience, subject.
    ///
    /// # Errors
    /// The first [`TokenError`] found.
    pub fn check(&self, issuer: &Issuer, now: UnixTime) -> Result<(), TokenError> {
        self.check_header(issuer)?;
        self.check_times(issuer.leeway, now)?;
        if !self.audiences()?.iter().any(|audience| issuer.audiences.iter().any(|accepted| accepted == audience)) {
            return Err(TokenError::Audience);
        }
        self.subject().map(drop)
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
        let key = keys.find(self.key_id(), self.algorithm(issuer)?).map_err(|error| match error {
            NoKey::Unknown => TokenError::UnknownKey,
            NoKey::Ambiguous => TokenError::AmbiguousKey,
        })?;
        let verdict = Verdict::new(key, self.compact.expose());
        if !verdicts.holds(&verdict) {
            self.check_signature(key, issuer, now)?;
            verdicts.remember(&verdict, issuer.verdict_window);
        }
        Ok(VerifiedClaims {
            subject: self.subject()?,
            client_id: self.client_id()?,
            scopes: self.scopes(),
            all: self.claims.clone(),
        })
    }

    fn check_signature(&self, key: &Key, issuer: &Issuer, now: UnixTime) -> Result<(), TokenError> {
        let options = Some(options(issuer, now));
        let token = self.compact.expose();
        let verified = match key.verifier() {
            Verifier::Rs256(key) => key.verify_token::<NoCustomClaims>(token, options),
            Verifier::Es256(key) => key.verify_token::<NoCustomClaims>(token, options),
        };
        verified.map(drop).map_err(|_| TokenError::Signature)
    }

    fn check_header(&self, issuer: &Issuer) -> Result<(), TokenError> {
        for member in ["crit", "b64", "zip", "cty"] {
            if self.header.contains_key(member) {
                return Err(TokenError::Extension { member });
            }
        }
        if self.header.get("kid").is_some_and(|kid| !kid.is_string()) {
            return Err(TokenError::Malformed);
        }
        self.algorithm(issuer)?;
        let given = self.header.get("typ").and_then(Value::as_str).ok_or(TokenError::Type)?.to_ascii_lowercase();
        // RFC 7515 §4.1.9: "application/" may be left out where no other slash follows.
        let short = given.strip_prefix("application/").filter(|rest| !rest.contains('/')).unwrap_or(&given);
        if issuer.types.iter().any(|accepted| accepted == short) { Ok(()) } else { Err(TokenError::Type) }
    }

    fn algorithm(&self, issuer: &Issuer) -> Result<AlgorithmName, TokenError> {
        let name = self.header.get("alg").and_then(Value::as_str).ok_or(TokenError::Algorithm)?;
        issuer.algorithms.iter().copied().find(|accepted| accepted.as_str() == name).ok_or(TokenError::Algorithm)
    }

    fn check_times(&self, leeway: u64, now: UnixTime) -> Result<(), TokenError> {
        let expires = self.time("exp")?.ok_or(TokenError::Missing { claim: "exp" })?;
        if expires.plus(leeway) <= now {
            return Err(TokenError::Expired { by: now.since(expires) });
        }
        for claim in ["nbf", "iat"] {
            if self.time(claim)?.is_some_and(|starts| starts > now.plus(leeway)) {
                return Err(TokenError::NotYetValid { claim });
            }
        }
        Ok(())
    }

    /// A `NumericDate` (RFC 7519 §2); a fraction of a second is cut off.
    fn time(&self, claim: &'static str) -> Result<Option<UnixTime>, TokenError> {
        /// 9999-12-31T23:59:59Z: beyond it a number is not a date.
        const LAST: f64 = 253_402_300_799.0;
        match self.claims.get(claim) {
            None => Ok(None),
            Some(value) => match value.as_f64() {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
                Some(seconds) if (0.0..=LAST).contains(&seconds) => Ok(Some(UnixTime::from_seconds(seconds as u64))),
                _ => Err(TokenError::ClaimMalformed { claim }),
            },
        }
    }

    fn audiences(&self) -> Result<Vec<&str>, TokenError> {
        const MALFORMED: TokenError = TokenError::ClaimMalformed { claim: "aud" };
        match self.claims.get("aud") {
            None => Err(TokenError::Missing { claim: "aud" }),
            Some(Value::String(audience)) => Ok(vec![audience.as_str()]),
            Some(Value::Array(audiences)) => {
                audiences.iter().map(|audience| audience.as_str().ok_or(MALFORMED)).collect()
            }
            Some(_) => Err(MALFORMED),
        }
    }

    fn subject(&self) -> Result<String, TokenError> {
        self.name("sub")?.ok_or(TokenError::Missing { claim: "sub" })
    }

    /// `client_id` (RFC 9068 §2.2) or `azp` (OpenID Connect Core §2).
    fn client_id(&self) -> Result<Option<String>, TokenError> {
        Ok(self.name("client_id")?.or(self.name("azp")?))
    }

    /// A claim that names somebody: short text without control characters.
    fn name(&self, claim: &'static str) -> Result<Option<String>, TokenError> {
        let sound =
            |name: &str| !name.is_empty() && name.len() <= MAX_NAME_BYTES && !name.chars().any(char::is_control);
        match self.claims.get(claim) {
            None => Ok(None),
            Some(Value::String(name)) if sound(name) => Ok(Some(name.clone())),
            Some(_) => Err(TokenError::ClaimMalformed { claim }),
        }
    }

    /// The scopes in `scope` and `scp`, each text with single spaces (RFC 6749 §3.3) or a list; what is neither counts as
    /// absent, and so does an element that is no scope.
    fn scopes(&self) -> Vec<String> {
        let mut scopes: Vec<String> = Vec::new();
        for claim in ["scope", "scp"] {
            let found: Vec<&str> = match self.claims.get(claim) {
                Some(Value::String(text)) => text.split(' ').collect(),
                Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
                _ => Vec::new(),
            };
            for scope in found {
                if is_scope(scope) && !scopes.iter().any(|known| known == scope) {
                    scopes.push(scope.to_owned());
                }
            }
        }
        scopes
    }
}

/// Every option that jwt-simple has for what is required here. Its defaults are not a gateway's: 15 minutes of leeway, no
/// issuer, no audience, any type.
fn options(issuer: &Issuer, now: UnixTime) -> VerificationOptions {
    VerificationOptions {
        reject_before: None,
        accept_future: false,
        required_subject: None,
        required_key_id: None,
        required_signature_type: None, // several may be accepted; judged by `check_header`
        required_content_type: None,
        required_nonce: None,
        allowed_issuers: Some(HashSet::from([issuer.issuer.clone()])),
        allowed_audiences: Some(issuer.audiences.iter().cloned().collect()),
        time_tolerance: Some(Duration::from_secs(issuer.leeway)),
        max_validity: None,
        max_token_length: Some(MAX_TOKEN_BYTES),
        max_header_length: Some(MAX_HEADER_CHARACTERS),
        artificial_time: Some(UnixTimeStamp::from_secs(now.seconds())),
    }
}

fn object(segment: &str) -> Result<Map<String, Value>, TokenError> {
    strict_json::parse_object(&decode(segment)?).map_err(|_| TokenError::Malformed)
}

/// base64url without padding, and without bits that say nothing (RFC 7515 §2, RFC 4648 §3.5).
fn decode(segment: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD.decode(segment).map_err(|_| TokenError::Malformed)
}
