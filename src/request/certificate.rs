//! The client's certificate, as the platform hands it over, by its thumbprint.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// SHA-256 of the DER in the first certificate of `pem` (RFC 7468 §5.1), which in TLS is the client's own (RFC 8446 §4.4.2);
/// nothing where there is none. Of its content nothing is read: `x5t#S256` (RFC 8705 §3.1) is about these bytes.
#[must_use]
pub fn certificate_thumbprint(pem: &[u8]) -> Option<[u8; 32]> {
    let (_, rest) = std::str::from_utf8(pem).ok()?.split_once(BEGIN)?;
    let (body, _) = rest.split_once(END)?;
    let base64: String = body.split_ascii_whitespace().collect();
    let der = STANDARD.decode(base64).ok()?;
    (!der.is_empty()).then(|| hmac_sha256::Hash::hash(&der))
}

#[cfg(test)]
mod tests {
    use super::certificate_thumbprint;

    fn pem(body: &str) -> String {
        format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
    }

    #[test]
    fn the_thumbprint_is_that_of_the_first_certificates_der() {
        let expected = Some(hmac_sha256::Hash::hash(b"certificate one, in DER"));
        let one = pem("Y2VydGlmaWNhdGUgb25l\nLCBpbiBERVI=");
        assert_eq!(certificate_thumbprint(one.as_bytes()), expected);
        assert_eq!(certificate_thumbprint(one.replace('\n', "\r\n").as_bytes()), expected);
        assert_eq!(certificate_thumbprint(format!("{one}{}", pem("AAAA")).as_bytes()), expected);
    }

    #[test]
    fn what_is_no_certificate_has_no_thumbprint() {
        for text in ["", "Y2VydA==", "-----BEGIN CERTIFICATE-----\nY2VydA==", &pem(""), &pem("Y2VydA"), &pem("%%%%")] {
            assert_eq!(certificate_thumbprint(text.as_bytes()), None, "{text}");
        }
        assert_eq!(certificate_thumbprint(b"\xff"), None);
    }
}
