//! One JWK (RFC 7517 §4). Input: the JSON object. Output: a [`Key`] that can verify signatures, or an [`UnusableKey`].
//! Unknown members are ignored, in particular `x5c`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::key::Key;
use super::thumbprint;
use crate::identity::rsa::{MAX_MODULUS_BITS, RsaPublicKey, roca};
use crate::identity::signature::VerifyingKey;
use crate::policy::AlgorithmName;

/// Why a JWK cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnusableKey {
    /// Not a JSON object, or a member that is needed is missing or has the wrong type.
    #[error("it is not a JWK")]
    Malformed,
    /// It is symmetric or has private members (RFC 7518 §6.2.2, §6.3.2, §6.4; RFC 8037 §2; `priv` of the type AKP).
    #[error("it is a private or symmetric key")]
    HoldsSecret,
    /// `use` or `key_ops` exclude verifying signatures (RFC 7517 §4.2, §4.3).
    #[error("it is not for verifying signatures")]
    OtherPurpose,
    /// No supported algorithm uses this `kty` and `crv`.
    #[error("it is of an unknown type")]
    UnknownType,
    /// `alg` is unknown, or is not of the key's type (RFC 7517 §4.4).
    #[error("it is for another algorithm")]
    OtherAlgorithm,
    /// The numbers are not a valid key: a point off the curve, a modulus that is even, too short or too long, an
    /// exponent other than 65537.
    #[error("it is not a valid key")]
    Invalid,
    /// The modulus comes from a generator whose moduli can be factored: the public key reveals the private one.
    #[error("its modulus can be factored (ROCA, CVE-2017-15361)")]
    Factorable,
    /// Another key of the set has the same `kid` and accepts the same algorithms; choosing one would be a guess.
    #[error("another key for the same algorithm has its key id")]
    SharedId,
}

impl Key {
    /// Reads a public key.
    ///
    /// # Errors
    /// An [`UnusableKey`] if it cannot verify a signature of a supported algorithm.
    pub fn read(jwk: &Map<String, Value>) -> Result<Self, UnusableKey> {
        if holds_secret(jwk) {
            return Err(UnusableKey::HoldsSecret);
        }
        if !is_for_verifying(jwk) {
            return Err(UnusableKey::OtherPurpose);
        }
        let id = optional_text(jwk, "kid")?.map(str::to_owned);
        let material = match (text(jwk, "kty")?, optional_text(jwk, "crv")?) {
            ("RSA", None) => rsa(jwk)?,
            ("EC", Some("P-256")) => p256(jwk)?,
            ("EC", Some("P-384")) => p384(jwk)?,
            ("OKP", Some("Ed25519")) => ed25519(jwk)?,
            _ => return Err(UnusableKey::UnknownType),
        };
        let algorithms = match optional_text(jwk, "alg")? {
            None => material.algorithms().to_vec(),
            Some(alg) => {
                let of_this_type = |algorithm: &AlgorithmName| material.algorithms().contains(algorithm);
                vec![AlgorithmName::from_jose(alg).filter(of_this_type).ok_or(UnusableKey::OtherAlgorithm)?]
            }
        };
        let thumbprint = thumbprint::of(&material);
        Ok(Self { id, issuer: jwk.get("issuer").cloned(), material, algorithms, thumbprint })
    }
}

fn holds_secret(jwk: &Map<String, Value>) -> bool {
    jwk.get("kty").is_some_and(|kty| kty == "oct")
        || ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"].iter().any(|name| jwk.contains_key(*name))
}

fn is_for_verifying(jwk: &Map<String, Value>) -> bool {
    let operations = |value: &Value| value.as_array().is_some_and(|list| list.iter().any(|name| name == "verify"));
    jwk.get("use").is_none_or(|purpose| purpose == "sig") && jwk.get("key_ops").is_none_or(operations)
}

/// `n` and `e` are `Base64urlUInt` (RFC 7518 §2). One leading zero octet before a set top bit is ignored: DER requires
/// it, and some implementations keep it (§6.3.1.1).
fn rsa(jwk: &Map<String, Value>) -> Result<VerifyingKey, UnusableKey> {
    const MAX_CHARACTERS: usize = (MAX_MODULUS_BITS as usize / 8 + 1).div_ceil(3) * 4;
    let (modulus, exponent) = (text(jwk, "n")?, text(jwk, "e")?);
    if exponent != "AQAB" || modulus.len() > MAX_CHARACTERS {
        return Err(UnusableKey::Invalid);
    }
    let octets = URL_SAFE_NO_PAD.decode(modulus).map_err(|_| UnusableKey::Malformed)?;
    let octets = match octets.as_slice() {
        [0, rest @ ..] if rest.first().is_some_and(|top| *top >= 0x80) => rest,
        all => all,
    };
    let key = RsaPublicKey::new(octets).ok_or(UnusableKey::Invalid)?;
    if roca::is_fingerprint(octets) {
        return Err(UnusableKey::Factorable);
    }
    Ok(VerifyingKey::Rsa(Box::new(key)))
}

fn p256(jwk: &Map<String, Value>) -> Result<VerifyingKey, UnusableKey> {
    let (x, y) = (text(jwk, "x")?, text(jwk, "y")?);
    let point = p256::Sec1Point::from_affine_coordinates(&octets::<32>(x)?.into(), &octets::<32>(y)?.into(), false);
    p256::ecdsa::VerifyingKey::from_sec1_point(&point).map(VerifyingKey::P256).map_err(|_| UnusableKey::Invalid)
}

fn p384(jwk: &Map<String, Value>) -> Result<VerifyingKey, UnusableKey> {
    let (x, y) = (text(jwk, "x")?, text(jwk, "y")?);
    let point = p384::Sec1Point::from_affine_coordinates(&octets::<48>(x)?.into(), &octets::<48>(y)?.into(), false);
    p384::ecdsa::VerifyingKey::from_sec1_point(&point).map(VerifyingKey::P384).map_err(|_| UnusableKey::Invalid)
}

/// Refuses a point that is not canonical, or has a small order, before any signature is verified with it.
fn ed25519(jwk: &Map<String, Value>) -> Result<VerifyingKey, UnusableKey> {
    let octets = octets(text(jwk, "x")?)?;
    let key = ed25519_dalek::VerifyingKey::from_bytes(&octets).map_err(|_| UnusableKey::Invalid)?;
    let is_canonical = key.to_edwards().compress().to_bytes() == octets;
    if is_canonical && !key.is_weak() { Ok(VerifyingKey::Ed25519(key)) } else { Err(UnusableKey::Invalid) }
}

/// Decodes a coordinate. It has exactly the length of its field, leading zeros included (RFC 7518 §6.2.1.2, RFC 8037
/// §2), and one encoding: base64url without padding and with zero bits after the last octet.
fn octets<const LENGTH: usize>(text: &str) -> Result<[u8; LENGTH], UnusableKey> {
    let octets = URL_SAFE_NO_PAD.decode(text).map_err(|_| UnusableKey::Invalid)?;
    octets.try_into().map_err(|_| UnusableKey::Invalid)
}

fn text<'jwk>(jwk: &'jwk Map<String, Value>, name: &str) -> Result<&'jwk str, UnusableKey> {
    optional_text(jwk, name)?.ok_or(UnusableKey::Malformed)
}

fn optional_text<'jwk>(jwk: &'jwk Map<String, Value>, name: &str) -> Result<Option<&'jwk str>, UnusableKey> {
    match jwk.get(name) {
        None => Ok(None),
        Some(value) => value.as_str().map(Some).ok_or(UnusableKey::Malformed),
    }
}
