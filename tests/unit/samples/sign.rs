//! Keys and tokens. A token is made of two texts and a key, so that a test can sign invalid ones.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_simple::prelude::{ECDSAP256KeyPairLike as _, ES256KeyPair, RS256KeyPair, RSAKeyPairLike as _};
use p256::ecdsa::Signature;
use p256::ecdsa::signature::Signer as _;
use serde_json::{Value, json};
use superboring::hash::MessageDigest;
use superboring::pkey::PKey;
use superboring::rsa::Padding;
use superboring::sign::Signer;

use crate::offline::NOW;

static ALPHA_RSA: LazyLock<RS256KeyPair> = LazyLock::new(|| RS256KeyPair::from_jwk(&bare("alpha-rsa")).unwrap());
static ALPHA_EC: LazyLock<ES256KeyPair> = LazyLock::new(|| ES256KeyPair::from_jwk(&bare("alpha-ec")).unwrap());
static BETA_RSA: LazyLock<RS256KeyPair> = LazyLock::new(|| RS256KeyPair::from_jwk(&bare("beta-rsa")).unwrap());
static BETA_EC: LazyLock<ES256KeyPair> = LazyLock::new(|| ES256KeyPair::from_jwk(&bare("beta-ec")).unwrap());

/// The committed private JWK of this `kid`.
pub(crate) fn private(kid: &str) -> Value {
    let json = match kid {
        "alpha-rsa" => include_str!("../../data/keys/alpha-rsa.json"),
        "alpha-ec" => include_str!("../../data/keys/alpha-ec.json"),
        "beta-rsa" => include_str!("../../data/keys/beta-rsa.json"),
        "beta-ec" => include_str!("../../data/keys/beta-ec.json"),
        "short-rsa" => include_str!("../../data/keys/short-rsa.json"),
        "edge-one" => include_str!("../../data/keys/edge-one.json"),
        "edge-two" => include_str!("../../data/keys/edge-two.json"),
        "edge-exchange-one" => include_str!("../../data/keys/edge-exchange-one.json"),
        "edge-exchange-two" => include_str!("../../data/keys/edge-exchange-two.json"),
        "app-exchange" => include_str!("../../data/keys/app-exchange.json"),
        "files-exchange" => include_str!("../../data/keys/files-exchange.json"),
        _ => panic!("no key {kid}"),
    };
    serde_json::from_str(json).unwrap()
}

/// Its public half.
pub(crate) fn public(kid: &str) -> Value {
    let mut jwk = private(kid);
    jwk.as_object_mut().unwrap().retain(|name, _| !["d", "p", "q", "dp", "dq", "qi"].contains(&name.as_str()));
    jwk
}

/// The edge's own keys: two that sign and two that exchange.
pub(crate) const EDGE_KEYS: [&str; 4] = ["edge-one", "edge-two", "edge-exchange-one", "edge-exchange-two"];

/// The edge's own keys, as the Secret Store holds them.
pub(crate) fn edge_keys() -> Value {
    json!({ "keys": EDGE_KEYS.map(private) })
}

/// A private JWK without the members about its use.
fn bare(kid: &str) -> String {
    without(&without(&private(kid), "use"), "alg").to_string()
}

/// The JOSE header of alpha's tokens, signed with its EC key.
pub(crate) fn header() -> Value {
    json!({ "alg": "ES256", "typ": "at+jwt", "kid": "alpha-ec" })
}

/// The claims of alpha's tokens.
pub(crate) fn claims() -> Value {
    json!({
        "iss": "https://alpha.test", "aud": "https://api.test", "sub": "ada", "client_id": "shop",
        "iat": NOW - 60, "exp": NOW + 600, "scope": "orders:read orders:all admin"
    })
}

/// `object` with one member set.
pub(crate) fn with(object: &Value, name: &str, value: impl Into<Value>) -> Value {
    let mut object = object.clone();
    object[name] = value.into();
    object
}

/// `object` without one member.
pub(crate) fn without(object: &Value, name: &str) -> Value {
    let mut object = object.clone();
    object.as_object_mut().unwrap().remove(name);
    object
}

/// A good token of alpha.
pub(crate) fn good() -> String {
    token(&header(), &claims())
}

/// A token of alpha with these claims.
pub(crate) fn token(header: &Value, claims: &Value) -> String {
    compact(header.to_string(), claims.to_string(), Signing::Es256("alpha-ec"))
}

/// How a token is signed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Signing<'key> {
    Rs256(&'key str),
    Ps256(&'key str),
    Es256(&'key str),
    Hs256(&'key [u8]),
    /// Uses these bytes as the signature.
    Bytes(&'key [u8]),
}

/// A compact JWS (RFC 7515 §7.1) with any header and payload, and a valid signature.
pub(crate) fn compact(header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>, signing: Signing<'_>) -> String {
    sealed(&format!("{}.{}", encoded(header), encoded(payload)), signing)
}

/// Appends a valid signature to any text.
pub(crate) fn sealed(content: &str, signing: Signing<'_>) -> String {
    format!("{content}.{}", encoded(signature(content.as_bytes(), signing)))
}

pub(crate) fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn decoded(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// The payload of a token, unchecked.
pub(crate) fn payload_of(token: &str) -> Value {
    serde_json::from_slice(&decoded(token.split('.').nth(1).unwrap())).unwrap()
}

pub(crate) fn signature(content: &[u8], signing: Signing<'_>) -> Vec<u8> {
    match signing {
        Signing::Rs256(kid) => rsa_signature(content, kid, Padding::PKCS1),
        Signing::Ps256(kid) => rsa_signature(content, kid, Padding::PKCS1_PSS),
        Signing::Es256(kid) => {
            let pair = match kid {
                "alpha-ec" => &*ALPHA_EC,
                "beta-ec" => &*BETA_EC,
                _ => return es256(content, &ES256KeyPair::from_jwk(&bare(kid)).unwrap()),
            };
            es256(content, pair)
        }
        Signing::Hs256(secret) => hmac_sha256::HMAC::mac(content, secret).to_vec(),
        Signing::Bytes(bytes) => bytes.to_vec(),
    }
}

fn es256(content: &[u8], pair: &ES256KeyPair) -> Vec<u8> {
    let signature: Signature = pair.key_pair().as_ref().sign(content);
    signature.to_vec()
}

fn rsa_signature(content: &[u8], kid: &str, padding: Padding) -> Vec<u8> {
    let pair = match kid {
        "alpha-rsa" => &*ALPHA_RSA,
        "beta-rsa" => &*BETA_RSA,
        _ => panic!("no RSA key {kid}"),
    };
    let key = PKey::from_rsa(pair.key_pair().as_ref().clone()).unwrap();
    let mut signer = Signer::new(MessageDigest::sha256(), &key).unwrap();
    signer.set_rsa_padding(padding).unwrap();
    signer.update(content).unwrap();
    signer.sign_to_vec().unwrap()
}
