//! One signing key of the edge. It signs in two ways: by its own signature, which is verified with its public half, or
//! by a MAC under a key that it derives for one origin.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use p256::elliptic_curve::Generate as _;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::digest::{expand, extract, hmac, sha256};
use crate::policy::{IdentityAlgorithm, Origin};
use crate::secret::Secret;

/// `typ` of the signed header (draft-ietf-oauth-transaction-tokens).
pub const TOKEN_TYPE: &str = "txntoken+jwt";

/// The purpose from which the key of an origin is derived; the audience follows it.
const ORIGIN_KEY_PURPOSE: &str = "Fastgate-Identity HS256 ";

/// A private key on P-256. Whether its halves belong together is checked when it first signs or is first published. The
/// check takes a multiple of the curve's generator, for which `p256` makes tables in every new sandbox (1.5 ms), and it
/// is not needed if every origin has a key of its own.
pub(super) struct EdgeKey {
    secret: Secret<[u8; 32]>,
    signing: OnceLock<Option<SigningKey>>,
    /// The pseudorandom key from which the keys of origins are derived: HKDF-Extract of the private key (RFC 5869
    /// §2.2).
    origins: Secret<[u8; 32]>,
    /// RFC 7638 thumbprint.
    id: String,
    public: Value,
    /// The JOSE header of each algorithm, in base64url: the same for every token.
    headers: [(IdentityAlgorithm, String); 2],
}

impl EdgeKey {
    /// Reads a private EC key (RFC 7518 §6.2.2); `None` if it does not have the form of a key on P-256.
    pub(super) fn read(jwk: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let fits = |name: &str, value: &str| jwk.get(name).is_none_or(|given| given == value);
        if text("kty") != Some("EC") || text("crv") != Some("P-256") || !fits("alg", "ES256") || !fits("use", "sig") {
            return None;
        }
        let octets = |name: &str| -> Option<[u8; 32]> { URL_SAFE_NO_PAD.decode(text(name)?).ok()?.try_into().ok() };
        octets("x").and(octets("y"))?;
        Some(Self::of(octets("d")?, text("x")?, text("y")?))
    }

    /// A new key from the platform's randomness; `None` if the platform gives none.
    pub(super) fn generate() -> Option<Self> {
        let signing = SigningKey::try_generate().ok()?;
        let point = signing.verifying_key().to_sec1_point(false);
        let (x, y) = point.as_bytes().get(1..)?.split_at_checked(32)?;
        Some(Self::of(signing.to_bytes().into(), &URL_SAFE_NO_PAD.encode(x), &URL_SAFE_NO_PAD.encode(y)))
    }

    fn of(secret: [u8; 32], x: &str, y: &str) -> Self {
        // RFC 7638 §3: the required members in alphabetical order.
        let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        let id = URL_SAFE_NO_PAD.encode(sha256(canonical));
        let public = json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "alg": "ES256", "use": "sig", "kid": id });
        let headers = [IdentityAlgorithm::ES256, IdentityAlgorithm::HS256].map(|algorithm| {
            let header = json!({ "alg": algorithm.as_str(), "typ": TOKEN_TYPE, "kid": id });
            (algorithm, URL_SAFE_NO_PAD.encode(header.to_string()))
        });
        let origins = Secret::new(extract(&secret));
        Self { secret: Secret::new(secret), signing: OnceLock::new(), origins, id, public, headers }
    }

    /// Whether it can sign such that the public half verifies the signature.
    pub(super) fn is_sound(&self) -> bool {
        self.signing().is_some()
    }

    fn signing(&self) -> Option<&SigningKey> {
        let sound = || {
            let signing = SigningKey::from_slice(self.secret.expose()).ok()?;
            let point = signing.verifying_key().to_sec1_point(false);
            let (x, y) = point.as_bytes().get(1..)?.split_at_checked(32)?;
            let is = |name: &str, half: &[u8]| {
                self.public.get(name).is_some_and(|known| *known == URL_SAFE_NO_PAD.encode(half))
            };
            (is("x", x) && is("y", y)).then_some(signing)
        };
        self.signing.get_or_init(sound).as_ref()
    }

    /// The private half, to derive other keys from.
    pub(super) const fn secret(&self) -> &[u8; 32] {
        self.secret.expose()
    }

    /// The public half as a JWK (RFC 7517 §4).
    pub(super) const fn public(&self) -> &Value {
        &self.public
    }

    /// The private key as a JWK, for the Secret Store.
    pub(super) fn private(&self) -> Value {
        let mut jwk = self.public.clone();
        if let Some(members) = jwk.as_object_mut() {
            members.insert("d".to_owned(), URL_SAFE_NO_PAD.encode(self.secret.expose()).into());
        }
        jwk
    }

    /// The key of the origin with this audience as a JWK (RFC 7518 §6.4), for that origin only.
    pub(super) fn origin_key(&self, audience: &str) -> Value {
        let key = URL_SAFE_NO_PAD.encode(self.derived_for(audience).expose());
        json!({ "kty": "oct", "alg": "HS256", "use": "sig", "kid": self.id, "k": key })
    }

    /// The claims as a JWS in compact form (RFC 7515 §7.1), signed by the algorithm that `origin` requires.
    pub(super) fn sign(&self, origin: &Origin, claims: &impl Serialize) -> Option<String> {
        let (_, header) = self.headers.iter().find(|(algorithm, _)| *algorithm == origin.algorithm)?;
        let payload = serde_json::to_vec(claims).ok()?;
        let mut token = String::with_capacity(header.len() + payload.len() * 4 / 3 + 96);
        token.push_str(header);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(payload, &mut token);
        let signature = match origin.algorithm {
            IdentityAlgorithm::ES256 => {
                let signature: Signature = self.signing()?.try_sign(token.as_bytes()).ok()?;
                URL_SAFE_NO_PAD.encode(signature.to_bytes())
            }
            IdentityAlgorithm::HS256 => {
                URL_SAFE_NO_PAD.encode(hmac(self.derived_for(origin.audience.as_str()).expose(), &[token.as_bytes()]))
            }
        };
        token.push('.');
        token.push_str(&signature);
        Some(token)
    }

    /// HKDF-Expand (RFC 5869 §2.3): every audience has a key of its own, and no key reveals another.
    fn derived_for(&self, audience: &str) -> Secret<[u8; 32]> {
        Secret::new(expand(self.origins.expose(), &[ORIGIN_KEY_PURPOSE.as_bytes(), audience.as_bytes()]))
    }
}
