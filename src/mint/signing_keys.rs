//! The edge's own keys: private EC keys on P-256 as a JWK Set, kept in the Secret Store. The first signs; all are
//! published, so that a new key can be known before it is used and an old one as long as its signatures live.

use jwt_simple::prelude::{
    Audiences, ECDSAP256KeyPairLike as _, ES256KeyPair, HeaderOptions, JWTClaims, UnixTimeStamp,
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::identity::dpop::Nonces;
use crate::strict_json;
use crate::time::UnixTime;

/// `typ` of the signed header (draft-ietf-oauth-transaction-tokens).
pub const TOKEN_TYPE: &str = "txntoken+jwt";

/// The edge's signing keys; never empty. Printing them shows none.
pub struct SigningKeys {
    signing: ES256KeyPair,
    /// Every public key, as JSON objects.
    published: Vec<Value>,
    /// Nonces by keys that every POP derives from these alike.
    nonces: Nonces,
}

impl std::fmt::Debug for SigningKeys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SigningKeys([redacted])")
    }
}

/// Why the signing keys cannot be used. Says where, never what stands there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigningKeysError {
    /// Not a JSON object with a list `keys`.
    #[error("is not a JWK Set: a JSON object with a list \"keys\"")]
    Malformed,
    /// The list is empty.
    #[error("holds no key")]
    Empty,
    /// A key is not a private EC key on P-256 whose halves belong together.
    #[error("keys[{index}] is not a private EC key on P-256 (make one with `fastgate keys new`)")]
    Unusable {
        /// Its place in the list.
        index: usize,
    },
}

impl SigningKeys {
    /// Reads the private JWK Set of the Secret Store.
    ///
    /// # Errors
    /// A [`SigningKeysError`] when any of the keys cannot be used: a key that was meant to sign must not be passed over.
    pub fn parse(json: &[u8]) -> Result<Self, SigningKeysError> {
        let document = strict_json::parse_object(json).map_err(|_| SigningKeysError::Malformed)?;
        let Some(Value::Array(entries)) = document.get("keys") else {
            return Err(SigningKeysError::Malformed);
        };
        let read = |(index, entry): (usize, &Value)| {
            let pair = ES256KeyPair::from_jwk(&entry.to_string()).map_err(|_| SigningKeysError::Unusable { index })?;
            let id = pair.jwk_thumbprint();
            Ok(pair.with_key_id(&id))
        };
        let pairs = entries.iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()?;
        let published = pairs.iter().map(public_half).collect();
        let nonces = Nonces::derived_from(pairs.iter().map(ES256KeyPair::to_bytes));
        let signing = pairs.into_iter().next().ok_or(SigningKeysError::Empty)?;
        Ok(Self { signing, published, nonces })
    }

    /// The public halves as a JWK Set (RFC 7517 §5).
    pub(super) fn published(&self) -> String {
        json!({ "keys": self.published }).to_string()
    }

    /// The nonces that these keys make.
    pub(super) const fn nonces(&self) -> &Nonces {
        &self.nonces
    }

    /// Signs the claims with the first key, ES256.
    pub(super) fn sign<Claims: Serialize>(
        &self,
        issuer: &str,
        audience: &str,
        subject: Option<&str>,
        now: UnixTime,
        lifetime: u64,
        custom: Claims,
    ) -> Result<String, jwt_simple::Error> {
        let claims = JWTClaims {
            issued_at: Some(UnixTimeStamp::from_secs(now.seconds())),
            expires_at: Some(UnixTimeStamp::from_secs(now.plus(lifetime).seconds())),
            invalid_before: None,
            issuer: Some(issuer.to_owned()),
            subject: subject.map(str::to_owned),
            audiences: Some(Audiences::AsString(audience.to_owned())),
            jwt_id: None,
            nonce: None,
            custom,
        };
        let header = HeaderOptions { content_type: None, signature_type: Some(TOKEN_TYPE.to_owned()) };
        self.signing.sign_with_options(claims, &header)
    }
}

/// A fresh private JWK Set of one key, for the Secret Store, and its public half.
#[must_use]
pub fn new_signing_keys() -> (String, String) {
    let pair = ES256KeyPair::generate();
    let id = pair.jwk_thumbprint();
    let pair = pair.with_key_id(&id);
    let private: Value = serde_json::from_str(&pair.to_jwk()).unwrap_or_default();
    (json!({ "keys": [private] }).to_string(), json!({ "keys": [public_half(&pair)] }).to_string())
}

fn public_half(pair: &ES256KeyPair) -> Value {
    let mut jwk: Value = serde_json::from_str(&pair.public_key().to_jwk()).unwrap_or_default();
    if let Some(members) = jwk.as_object_mut() {
        members.insert("alg".to_owned(), "ES256".into());
        members.insert("use".to_owned(), "sig".into());
    }
    jwk
}
