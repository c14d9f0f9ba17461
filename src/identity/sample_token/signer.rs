//! A key pair for any algorithm that a policy can accept. Input: the accepted algorithms. Output: a key set and signed
//! tokens. The JWS is built here and not by a library, so that a token can lack `typ`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_simple::prelude::{
    ECDSAP256KeyPairLike as _, ECDSAP384KeyPairLike as _, ES256KeyPair, ES384KeyPair, Ed25519KeyPair,
    EdDSAKeyPairLike as _, RS256KeyPair, RSAKeyPairLike as _,
};
use p256::ecdsa::signature::Signer as _;
use serde_json::{Map, Value, json};
use superboring::hash::MessageDigest;
use superboring::pkey::{PKey, Private};
use superboring::rsa::Padding;

use crate::identity::keys::KeySet;
use crate::policy::AlgorithmName;

/// A key pair and the algorithm that it is used with.
pub(super) struct Signer {
    algorithm: AlgorithmName,
    pair: Pair,
}

enum Pair {
    Rsa(Box<(RS256KeyPair, PKey<Private>)>),
    P256(Box<ES256KeyPair>),
    P384(Box<ES384KeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

/// Every algorithm with its name in a JOSE header, fastest key generation first.
const ALGORITHMS: [(AlgorithmName, &str); 9] = [
    (AlgorithmName::ES256, "ES256"),
    (AlgorithmName::EdDSA, "EdDSA"),
    (AlgorithmName::ES384, "ES384"),
    (AlgorithmName::RS256, "RS256"),
    (AlgorithmName::RS384, "RS384"),
    (AlgorithmName::RS512, "RS512"),
    (AlgorithmName::PS256, "PS256"),
    (AlgorithmName::PS384, "PS384"),
    (AlgorithmName::PS512, "PS512"),
];

impl Signer {
    /// A new key pair for one of `accepted`; `None` if it cannot be generated.
    pub(super) fn new(accepted: &[AlgorithmName]) -> Option<Self> {
        let (algorithm, _) = ALGORITHMS.into_iter().find(|(algorithm, _)| accepted.contains(algorithm))?;
        let pair = match algorithm {
            AlgorithmName::ES256 => Pair::P256(Box::new(ES256KeyPair::generate())),
            AlgorithmName::ES384 => Pair::P384(Box::new(ES384KeyPair::generate())),
            AlgorithmName::EdDSA => Pair::Ed25519(Box::new(Ed25519KeyPair::generate())),
            _ => {
                let pair = RS256KeyPair::generate(2048).ok()?;
                let key = PKey::from_rsa(pair.key_pair().as_ref().clone()).ok()?;
                Pair::Rsa(Box::new((pair, key)))
            }
        };
        Some(Self { algorithm, pair })
    }

    /// A key set with only its public key, which names `owner` as its issuer.
    pub(super) fn keys(&self, owner: Option<&str>) -> Option<KeySet> {
        let jwk = match &self.pair {
            Pair::Rsa(pair) => pair.0.public_key().to_jwk(),
            Pair::P256(pair) => pair.public_key().to_jwk(),
            Pair::P384(pair) => pair.public_key().to_jwk(),
            Pair::Ed25519(pair) => pair.public_key().to_jwk(),
        };
        let mut jwk: Map<String, Value> = serde_json::from_str(&jwk).ok()?;
        jwk.remove("alg"); // an RSA key is for all algorithms of its family
        if let Some(owner) = owner {
            jwk.insert("issuer".to_owned(), owner.into());
        }
        KeySet::parse(json!({ "keys": [jwk] }).to_string().as_bytes()).ok()
    }

    /// A compact JWS of `claims`, with `typ` in its header if it is given.
    pub(super) fn sign(&self, typ: Option<&str>, claims: Map<String, Value>) -> Option<String> {
        let (_, name) = ALGORITHMS.into_iter().find(|(algorithm, _)| *algorithm == self.algorithm)?;
        let header = match typ {
            Some(typ) => json!({ "alg": name, "typ": typ }),
            None => json!({ "alg": name }),
        };
        let encoded = |part: Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let content = format!("{}.{}", encoded(header), encoded(claims.into()));
        let signature = self.signature(content.as_bytes())?;
        Some(format!("{content}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    fn signature(&self, content: &[u8]) -> Option<Vec<u8>> {
        match &self.pair {
            Pair::Rsa(pair) => self.rsa(&pair.1, content),
            Pair::P256(pair) => {
                let signature: p256::ecdsa::Signature = pair.key_pair().as_ref().sign(content);
                Some(signature.to_vec())
            }
            Pair::P384(pair) => {
                let signature: p384::ecdsa::Signature = pair.key_pair().as_ref().sign(content);
                Some(signature.to_vec())
            }
            Pair::Ed25519(pair) => Some(pair.key_pair().as_ref().sk.sign(content, None).to_vec()),
        }
    }

    fn rsa(&self, key: &PKey<Private>, content: &[u8]) -> Option<Vec<u8>> {
        use AlgorithmName::{PS256, PS384, PS512, RS384, RS512};
        let hash = match self.algorithm {
            RS384 | PS384 => MessageDigest::sha384(),
            RS512 | PS512 => MessageDigest::sha512(),
            _ => MessageDigest::sha256(),
        };
        let is_pss = matches!(self.algorithm, PS256 | PS384 | PS512);
        let mut signer = superboring::sign::Signer::new(hash, key).ok()?;
        signer.set_rsa_padding(if is_pss { Padding::PKCS1_PSS } else { Padding::PKCS1 }).ok()?;
        signer.update(content).ok()?;
        signer.sign_to_vec().ok()
    }
}
