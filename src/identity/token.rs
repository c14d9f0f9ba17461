//! Verifies a signed token. Input: the token, and the keys and rules of its issuer. Output: [`VerifiedClaims`]. There
//! are three parts, cheapest first: [`UnverifiedToken::parse`] reads the token, [`check`](UnverifiedToken::check)
//! applies the rules that need no key, [`CheckedToken::verify`] verifies the signature. Each part has a type of its own,
//! so that none can be left out. Header members that contain or locate keys (`jwk`, `jku`, `x5u`, `x5c`) are never read.

use serde_json::{Map, Value};

use super::claims::{Claims, Holder};
use super::jws::{self, Segments};
use super::keys::{KeySet, NoKey};
use super::signature_cache::{SignatureCache, VerifiedSignature};
pub use super::token_error::TokenError;
use super::token_rules;
use crate::policy::{AlgorithmName, Issuer, MAX_TOKEN_BYTES};
use crate::secret::Secret;
use crate::time::UnixTime;

/// The longest JOSE header that is read, in base64url characters: enough for a chain of certificates (`x5c`), which
/// some issuers send and Fastgate ignores.
pub const MAX_HEADER_CHARACTERS: u64 = 8192;

/// A token that was read, but not checked.
#[derive(Debug)]
pub struct UnverifiedToken<'request> {
    compact: Secret<&'request str>,
    header: Map<String, Value>,
    claims: Claims,
    issuer: String,
}

/// A token that keeps the rules of its issuer. Its signature was not verified. Only [`UnverifiedToken::check`] creates
/// one.
#[derive(Debug)]
pub struct CheckedToken<'policy, 'request> {
    token: UnverifiedToken<'request>,
    issuer: &'policy Issuer,
    algorithm: AlgorithmName,
}

/// The keys that were tried do not verify the signature of a token. Other keys of the issuer may.
#[derive(Debug)]
pub struct NotVerified<'policy, 'request> {
    /// The token.
    pub token: Box<CheckedToken<'policy, 'request>>,
    /// The cause.
    pub error: TokenError,
}

/// The claims of a token after every check. Only [`CheckedToken::verify`] and the check of introspected claims create
/// them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedClaims {
    holder: Holder,
    claims: Claims,
}

impl VerifiedClaims {
    /// The holder, and all claims of the token.
    pub(super) fn into_parts(self) -> (Holder, Claims) {
        (self.holder, self.claims)
    }

    /// All claims.
    pub(super) const fn claims(&self) -> &Claims {
        &self.claims
    }

    /// The tenant of the token.
    pub(super) fn tenant(&self) -> Option<&str> {
        self.holder.tenant.as_deref()
    }

    /// A claim at the top level.
    pub(super) fn claim(&self, name: &str) -> Option<&Value> {
        self.claims.top(name)
    }

    /// `iat`.
    pub(super) fn issued(&self) -> Option<UnixTime> {
        self.claims.time("iat").ok().flatten()
    }
}

/// Refuses a token of more than `most` bytes, signed or opaque, before it is read.
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

/// Checks claims that an introspection endpoint returned (RFC 7662 §2.2), like those of a signed token.
///
/// # Errors
/// The first [`TokenError`] found.
pub(super) fn check_introspected(claims: Claims, issuer: &Issuer, now: UnixTime) -> Result<VerifiedClaims, TokenError> {
    token_rules::check(&claims, issuer, now)?;
    Ok(VerifiedClaims { holder: claims.holder(&issuer.shape)?, claims })
}

impl<'request> UnverifiedToken<'request> {
    /// Reads a token without checking it.
    ///
    /// # Errors
    /// A [`TokenError`] if the token is too long or is not a compact JWS with an issuer.
    pub fn parse(compact: Secret<&'request str>) -> Result<Self, TokenError> {
        check_length(&compact, MAX_TOKEN_BYTES)?;
        let segments = Segments::split(compact.expose())?;
        at_most(MAX_HEADER_CHARACTERS, segments.header)?;
        if jws::decode(segments.signature)?.is_empty() {
            return Err(TokenError::Malformed);
        }
        let header = jws::object(segments.header)?;
        let claims = Claims::new(jws::object(segments.payload)?);
        let issuer = claims.issuer()?.to_owned();
        Ok(Self { compact, header, claims, issuer })
    }

    /// `iss`; not verified.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// `kid`, not verified; `None` also if it is not a string.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.header.get("kid").and_then(Value::as_str)
    }

    /// `iat`, not verified; `None` also if it is not a `NumericDate`.
    #[must_use]
    pub fn issued(&self) -> Option<UnixTime> {
        self.claims.time("iat").ok().flatten()
    }

    /// Checks everything that needs no key: the header, and the claims against the rules of the issuer.
    ///
    /// # Errors
    /// The first [`TokenError`] found.
    pub fn check<'policy>(
        self,
        issuer: &'policy Issuer,
        now: UnixTime,
    ) -> Result<CheckedToken<'policy, 'request>, TokenError> {
        let algorithm = self.check_header(issuer)?;
        token_rules::check(&self.claims, issuer, now)?;
        Ok(CheckedToken { token: self, issuer, algorithm })
    }

    fn check_header(&self, issuer: &Issuer) -> Result<AlgorithmName, TokenError> {
        if let Some(member) = jws::extension(&self.header) {
            return Err(TokenError::Extension { member });
        }
        if self.header.get("kid").is_some_and(|kid| !kid.is_string()) {
            return Err(TokenError::Malformed);
        }
        let algorithm = self.algorithm(issuer)?;
        let accepted = match self.header.get("typ") {
            None => issuer.shape.untyped,
            Some(Value::String(given)) => {
                let given = given.to_ascii_lowercase();
                // RFC 7515 §4.1.9: "application/" may be left out if no other slash follows.
                let short = given.strip_prefix("application/").filter(|rest| !rest.contains('/')).unwrap_or(&given);
                issuer.shape.types.iter().any(|accepted| accepted == short)
            }
            Some(_) => false,
        };
        if accepted { Ok(algorithm) } else { Err(TokenError::Type) }
    }

    fn algorithm(&self, issuer: &Issuer) -> Result<AlgorithmName, TokenError> {
        let name = self.header.get("alg").and_then(Value::as_str).ok_or(TokenError::Algorithm)?;
        let accepted = |algorithm: &AlgorithmName| issuer.algorithms.contains(algorithm);
        AlgorithmName::from_jose(name).filter(accepted).ok_or(TokenError::Algorithm)
    }
}

impl<'policy, 'request> CheckedToken<'policy, 'request> {
    /// `kid`; not verified.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.token.key_id()
    }

    /// `iat`; not verified.
    #[must_use]
    pub fn issued(&self) -> Option<UnixTime> {
        self.token.issued()
    }

    /// All claims; not verified.
    pub(super) const fn claims(&self) -> &Claims {
        &self.token.claims
    }

    /// Verifies the signature with the key that the token names among `keys`, which must be those of its issuer.
    ///
    /// # Errors
    /// [`NotVerified`], with the token, if no key fits or the signature is not valid.
    pub fn verify(
        self,
        keys: &KeySet,
        signatures: &mut dyn SignatureCache,
    ) -> Result<VerifiedClaims, NotVerified<'policy, 'request>> {
        match self.check_signature(keys, signatures).and_then(|()| self.token.claims.holder(&self.issuer.shape)) {
            Ok(holder) => Ok(VerifiedClaims { holder, claims: self.token.claims }),
            Err(error) => Err(NotVerified { token: Box::new(self), error }),
        }
    }

    /// Whether `keys` has keys with the `kid` of the token, and all of them belong to other tenants of its issuer.
    pub(super) fn names_key_of_another_tenant(&self, keys: &KeySet) -> bool {
        self.key_id().is_some_and(|kid| keys.has_only_for_others(kid, self.key_owners()))
    }

    /// Whether a key with this owner may sign for the tenant of the token.
    fn key_owners(&self) -> impl Fn(Option<&Value>) -> bool {
        let tenant = self.token.claims.tenant(&self.issuer.shape);
        move |owner| self.issuer.accepts_key(owner, tenant)
    }

    fn check_signature(&self, keys: &KeySet, signatures: &mut dyn SignatureCache) -> Result<(), TokenError> {
        let Self { token, issuer, algorithm } = self;
        // The key is chosen before the memory is asked, on every request: it is never that of another tenant.
        let key = keys.find(token.key_id(), *algorithm, self.key_owners()).map_err(|error| match error {
            NoKey::Unknown => TokenError::UnknownKey,
            NoKey::Ambiguous => TokenError::AmbiguousKey,
        })?;
        let compact = token.compact.expose();
        let signature = VerifiedSignature::new(key, compact);
        if signatures.holds(&signature) {
            return Ok(());
        }
        let Segments { signed, signature: bytes, .. } = Segments::split(compact)?;
        key.verify(*algorithm, signed.as_bytes(), &jws::decode(bytes)?).map_err(|_| TokenError::Signature)?;
        signatures.remember(&signature, issuer.verdict_window);
        Ok(())
    }
}
