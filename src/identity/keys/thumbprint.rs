//! The thumbprint of a key (RFC 7638). Input: the numbers of the key, as they were read. Output: a SHA-256 digest.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::digest::{okp_thumbprint, sha256};
use crate::identity::signature::VerifyingKey;

/// SHA-256 over the required members in alphabetical order (RFC 7638 §3.2, RFC 8037 §2), each in canonical form (RFC
/// 7518 §6.2.1, §6.3.1). A key has one thumbprint, whatever its `kid` is and however its JWK is written.
pub(super) fn of(key: &VerifyingKey) -> [u8; 32] {
    let text = |octets: &[u8]| URL_SAFE_NO_PAD.encode(octets);
    let ec = |curve: &str, point: &[u8]| {
        let halves = point.get(1..).unwrap_or_default(); // after the octet for "uncompressed"
        let (x, y) = halves.split_at_checked(halves.len() / 2).unwrap_or_default();
        format!(r#"{{"crv":"{curve}","kty":"EC","x":"{}","y":"{}"}}"#, text(x), text(y))
    };
    let members = match key {
        VerifyingKey::Rsa(key) => format!(r#"{{"e":"AQAB","kty":"RSA","n":"{}"}}"#, text(&key.modulus())),
        VerifyingKey::P256(key) => ec("P-256", key.to_sec1_point(false).as_bytes()),
        VerifyingKey::P384(key) => ec("P-384", key.to_sec1_point(false).as_bytes()),
        VerifyingKey::Ed25519(key) => return okp_thumbprint("Ed25519", key.as_bytes()),
    };
    sha256(members)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::{Value, json};

    use crate::identity::keys::Key;

    fn thumbprint(jwk: &Value) -> String {
        URL_SAFE_NO_PAD.encode(Key::read(jwk.as_object().unwrap()).unwrap().thumbprint())
    }

    /// The modulus of the example in RFC 7638 §3.1.
    const MODULUS: &str = concat!(
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknj",
        "hMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQ",
        "vRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzK",
        "nqDKgw"
    );

    /// RFC 7638 §3.1, RFC 9449 §6.1 with the key of its §4.2, RFC 8037 appendix A.3.
    #[test]
    fn the_thumbprints_are_those_of_the_rfcs() {
        let x = "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs";
        let y = "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA";
        for (jwk, expected) in [
            (
                json!({ "kty": "RSA", "alg": "RS256", "kid": "2011-04-29", "e": "AQAB", "n": MODULUS }),
                "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
            ),
            (json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y }), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"),
            (
                json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }),
                "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
            ),
        ] {
            assert_eq!(thumbprint(&jwk), expected);
        }
    }

    #[test]
    fn the_thumbprint_does_not_depend_on_the_spelling_of_a_key() {
        let octets = URL_SAFE_NO_PAD.decode(MODULUS).unwrap();
        let longer = URL_SAFE_NO_PAD.encode([&[0], octets.as_slice()].concat());
        let rsa = |modulus: &str| {
            thumbprint(&json!({ "kty": "RSA", "e": "AQAB", "n": modulus, "kid": modulus.len().to_string() }))
        };
        assert_eq!(rsa(&longer), rsa(MODULUS));
    }
}
