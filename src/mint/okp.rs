//! The form of the edge's own keys: a private OKP key (RFC 8037 §2) on Curve25519, as a JWK. What a key does with its
//! secret is in `signing_key.rs` and `exchange_key.rs`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::digest::okp_thumbprint;
use crate::secret::Secret;

/// The members of a JWK by which one kind of keys is told from others.
#[derive(Debug)]
pub(super) struct Kind {
    /// `crv`.
    pub(super) curve: &'static str,
    /// `alg`, if keys of this kind may have one.
    pub(super) algorithm: Option<&'static str>,
    /// `use`.
    pub(super) purpose: &'static str,
}

/// The octets of a private key, and its public half. Whether they belong together is not known here.
pub(super) struct OkpKey {
    secret: Secret<Zeroizing<[u8; 32]>>,
    x: [u8; 32],
    thumbprint: [u8; 32],
    /// The thumbprint in base64url, which is `kid`.
    id: String,
    public: Value,
}

impl OkpKey {
    /// Reads a private key of this kind; `None` for any other key, and if `alg`, `use` or `kid` do not fit.
    pub(super) fn read(jwk: &Map<String, Value>, kind: &Kind) -> Option<Self> {
        let is = |name: &str, value: &str| jwk.get(name).is_some_and(|given| given == value);
        let fits = |name: &str, value: &str| jwk.get(name).is_none_or(|given| given == value);
        if !is("kty", "OKP") || !is("crv", kind.curve) || !fits("use", kind.purpose) {
            return None;
        }
        if !kind.algorithm.map_or_else(|| !jwk.contains_key("alg"), |algorithm| fits("alg", algorithm)) {
            return None;
        }
        // One encoding is accepted: without padding, and with zero bits after the last octet.
        let octets = |name: &str| -> Option<Zeroizing<[u8; 32]>> {
            let octets = Zeroizing::new(URL_SAFE_NO_PAD.decode(jwk.get(name)?.as_str()?).ok()?);
            Some(Zeroizing::new(octets.as_slice().try_into().ok()?))
        };
        let key = Self::of(octets("d")?, *octets("x")?, kind);
        fits("kid", &key.id).then_some(key)
    }

    /// The key with these halves.
    pub(super) fn of(secret: Zeroizing<[u8; 32]>, x: [u8; 32], kind: &Kind) -> Self {
        let thumbprint = okp_thumbprint(kind.curve, &x);
        let id = URL_SAFE_NO_PAD.encode(thumbprint);
        let (encoded, curve, purpose) = (URL_SAFE_NO_PAD.encode(x), kind.curve, kind.purpose);
        let mut public = json!({ "kty": "OKP", "crv": curve, "x": encoded, "use": purpose, "kid": id });
        if let (Some(algorithm), Some(members)) = (kind.algorithm, public.as_object_mut()) {
            members.insert("alg".to_owned(), algorithm.into());
        }
        Self { secret: Secret::new(secret), x, thumbprint, id, public }
    }

    /// A secret from the platform's randomness; `None` if the platform gives none.
    pub(super) fn random_secret() -> Option<Zeroizing<[u8; 32]>> {
        let mut secret = Zeroizing::new([0; 32]);
        getrandom::fill(secret.as_mut_slice()).ok()?;
        Some(secret)
    }

    /// The private half.
    pub(super) fn secret(&self) -> &[u8; 32] {
        self.secret.expose()
    }

    /// The public half.
    pub(super) const fn x(&self) -> &[u8; 32] {
        &self.x
    }

    /// The RFC 7638 thumbprint.
    pub(super) const fn thumbprint(&self) -> &[u8; 32] {
        &self.thumbprint
    }

    /// The RFC 7638 thumbprint in base64url.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The public half as a JWK (RFC 7517 §4).
    pub(super) const fn public(&self) -> &Value {
        &self.public
    }

    /// The private key as a JWK, for the Secret Store.
    pub(super) fn private(&self) -> Value {
        let mut jwk = self.public.clone();
        if let Some(members) = jwk.as_object_mut() {
            members.insert("d".to_owned(), URL_SAFE_NO_PAD.encode(self.secret()).into());
        }
        jwk
    }
}
