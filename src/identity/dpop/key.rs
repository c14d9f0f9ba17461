//! The key in the header of a proof. It says nothing about who holds it; the token's `cnf.jkt` does.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use serde_json::{Map, Value};

use super::ProofError;

/// A public key that signs proofs, on P-256, and its RFC 7638 thumbprint.
#[derive(Clone, Debug)]
pub(super) struct ProofKey {
    key: VerifyingKey,
    thumbprint: [u8; 32],
}

impl ProofKey {
    /// Reads `jwk`. A key that says of itself that it is for something else is none.
    pub(super) fn read(jwk: &Map<String, Value>) -> Result<Self, ProofError> {
        let is_or_absent = |name: &str, accepted: &str| jwk.get(name).is_none_or(|value| value == accepted);
        let verifies = |value: &Value| value.as_array().is_some_and(|list| list.iter().any(|name| name == "verify"));
        let of_the_kind =
            jwk.get("kty").is_some_and(|kty| kty == "EC") && jwk.get("crv").is_some_and(|crv| crv == "P-256");
        let holds_secret =
            ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"].iter().any(|name| jwk.contains_key(*name));
        if !of_the_kind
            || holds_secret
            || !is_or_absent("use", "sig")
            || !is_or_absent("alg", "ES256")
            || !jwk.get("key_ops").is_none_or(verifies)
        {
            return Err(ProofError::Key);
        }
        let (x, y) = (coordinate(jwk, "x")?, coordinate(jwk, "y")?);
        let point = [&[0x04], x.1.as_slice(), y.1.as_slice()].concat(); // uncompressed, SEC 1 §2.3.3
        let key = VerifyingKey::from_sec1_bytes(&point).map_err(|_| ProofError::Key)?;
        // RFC 7638 §3.2. The coordinates are base64url, which needs no escaping in JSON.
        let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, x.0, y.0);
        Ok(Self { key, thumbprint: hmac_sha256::Hash::hash(canonical.as_bytes()) })
    }

    /// Its thumbprint.
    pub(super) const fn thumbprint(&self) -> &[u8; 32] {
        &self.thumbprint
    }

    /// Whether `signature` is this key's over `message`, as `r ‖ s` (RFC 7518 §3.4).
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), ProofError> {
        let signature = Signature::from_slice(signature).map_err(|_| ProofError::Signature)?;
        self.key.verify(message, &signature).map_err(|_| ProofError::Signature)
    }
}

/// A coordinate, as text and as its 32 bytes (RFC 7518 §6.2.1.2).
fn coordinate<'jwk>(jwk: &'jwk Map<String, Value>, name: &str) -> Result<(&'jwk str, [u8; 32]), ProofError> {
    let text = jwk.get(name).and_then(Value::as_str).ok_or(ProofError::Key)?;
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| ProofError::Key)?;
    Ok((text, bytes.try_into().map_err(|_| ProofError::Key)?))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::json;

    use super::ProofKey;

    /// The key and the thumbprint of the examples in RFC 9449 §4.2 and §6.1.
    #[test]
    fn the_thumbprint_is_that_of_the_rfc() {
        let jwk = json!({
            "kty": "EC", "crv": "P-256",
            "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
            "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"
        });
        let key = ProofKey::read(jwk.as_object().unwrap()).unwrap();
        let expected = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
        assert_eq!(URL_SAFE_NO_PAD.encode(key.thumbprint()), expected);
    }
}
