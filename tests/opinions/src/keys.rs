//! The signers: four published keys, and one unpublished key.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_compact::{KeyPair, Seed};
use jwt_simple::prelude::{RS256KeyPair, RSAKeyPairLike as _};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};
use superboring::hash::MessageDigest;
use superboring::pkey::PKey;
use superboring::rsa::Padding;

/// A key, named by its `kid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signer {
    EcOne,
    EcTwo,
    Ed,
    Rsa,
    /// Its public half is not published; its `kid` is that of another key.
    Stranger,
}

const RSA_JWK: &str = include_str!("../../data/keys/alpha-rsa.json");

static RSA: LazyLock<RS256KeyPair> = LazyLock::new(|| {
    let mut jwk: Value = serde_json::from_str(RSA_JWK).unwrap();
    jwk.as_object_mut().unwrap().retain(|name, _| name != "use" && name != "alg");
    RS256KeyPair::from_jwk(&jwk.to_string()).unwrap()
});

impl Signer {
    pub(crate) const fn kid(self) -> &'static str {
        match self {
            Self::EcOne | Self::Stranger => "ec-1",
            Self::EcTwo => "ec-2",
            Self::Ed => "ed-1",
            Self::Rsa => "rsa-1",
        }
    }

    pub(crate) const fn algorithm(self) -> &'static str {
        match self {
            Self::EcOne | Self::EcTwo | Self::Stranger => "ES256",
            Self::Ed => "EdDSA",
            Self::Rsa => "RS256",
        }
    }

    /// The signature over `message`, the same one every time.
    pub(crate) fn sign(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::EcOne => es256(1, message),
            Self::EcTwo => es256(2, message),
            Self::Stranger => es256(3, message),
            Self::Ed => ed25519().sk.sign(message, None).to_vec(),
            Self::Rsa => {
                let key = PKey::from_rsa(RSA.key_pair().as_ref().clone()).unwrap();
                let mut signer = superboring::sign::Signer::new(MessageDigest::sha256(), &key).unwrap();
                signer.set_rsa_padding(Padding::PKCS1).unwrap();
                signer.update(message).unwrap();
                signer.sign_to_vec().unwrap()
            }
        }
    }
}

/// The published keys (RFC 7517 §5).
pub(crate) fn published() -> Vec<Value> {
    let mut rsa: Value = serde_json::from_str(RSA_JWK).unwrap();
    rsa.as_object_mut().unwrap().retain(|name, _| ["kty", "n", "e"].contains(&name.as_str()));
    let ed = json!({ "kty": "OKP", "crv": "Ed25519", "x": encoded(ed25519().pk.as_ref()) });
    let keys = [(Signer::EcOne, ec(1)), (Signer::EcTwo, ec(2)), (Signer::Ed, ed), (Signer::Rsa, rsa)];
    let named = |(signer, mut jwk): (Signer, Value)| {
        jwk["kid"] = signer.kid().into();
        jwk["alg"] = signer.algorithm().into();
        jwk
    };
    keys.into_iter().map(named).collect()
}

pub(crate) fn encoded(octets: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(octets)
}

fn ed25519() -> KeyPair {
    KeyPair::from_seed(Seed::new([4; 32]))
}

fn secret(number: u8) -> SigningKey {
    SigningKey::from_slice(&[number; 32]).unwrap()
}

fn es256(number: u8, message: &[u8]) -> Vec<u8> {
    let signature: Signature = secret(number).sign(message);
    signature.to_bytes().to_vec()
}

fn ec(number: u8) -> Value {
    let point = secret(number).verifying_key().to_sec1_point(false);
    json!({ "kty": "EC", "crv": "P-256", "x": encoded(point.x().unwrap()), "y": encoded(point.y().unwrap()) })
}
