//! The thumbprint of the client's certificate, which the platform gives as PEM.

use pem_rfc7468::Decoder;

use crate::digest::sha256;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// SHA-256 of the DER in the first certificate of `pem` (RFC 7468 §5.1), which in TLS is the client's own (RFC 8446
/// §4.4.2). `None` if there is none, or if it is not in the strict form of RFC 7468 §3 (lines may have any one length).
/// Its content is not read: `x5t#S256` (RFC 8705 §3.1) is about these bytes.
#[must_use]
pub fn certificate_thumbprint(pem: &[u8]) -> Option<[u8; 32]> {
    let text = std::str::from_utf8(pem).ok()?;
    let first = text.get(text.find(BEGIN)?..)?;
    let first = first.get(..first.find(END)?.checked_add(END.len())?)?; // the decoder reads a single block
    let mut decoder = Decoder::new_detect_wrap(first.as_bytes()).ok()?;
    let mut der = vec![0; decoder.remaining_len()];
    decoder.decode(&mut der).ok()?;
    Some(sha256(&der))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

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

    /// 57 octets of DER are a line of 76 characters, which some tools write, or two of at most 64 (RFC 7468 §2).
    #[test]
    fn lines_end_in_any_of_three_ways_and_have_any_one_length() {
        let der: Vec<u8> = (0..57).collect();
        let body = STANDARD.encode(&der);
        for width in [64, 76, 4, 10, 75] {
            let lines: Vec<_> = body.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).unwrap()).collect();
            for end in ["\n", "\r\n", "\r"] {
                let text = pem(&lines.join("\n")).replace('\n', end);
                assert_eq!(certificate_thumbprint(text.as_bytes()), Some(hmac_sha256::Hash::hash(&der)), "{text}");
                let within = format!("subject=CN = client{end}{text}{end}and so on: -----");
                assert_eq!(certificate_thumbprint(within.as_bytes()), Some(hmac_sha256::Hash::hash(&der)), "{within}");
                assert_eq!(certificate_thumbprint(text.trim_end().as_bytes()), Some(hmac_sha256::Hash::hash(&der)));
            }
        }
    }

    /// Every short body of these characters gives what base64 without its line ends gives, or `None`.
    #[test]
    fn nothing_is_read_that_strict_base64_does_not_say() {
        const CHARACTERS: &[u8] = b"AB=\n\r";
        let mut read = 0;
        for length in 0..=7_u32 {
            for number in 0..CHARACTERS.len().pow(length) {
                let character = |place| char::from(CHARACTERS[number / CHARACTERS.len().pow(place) % CHARACTERS.len()]);
                let body: String = (0..length).map(character).collect();
                let Some(thumbprint) = certificate_thumbprint(pem(&body).as_bytes()) else { continue };
                let plain: String = body.split_ascii_whitespace().collect();
                let der = STANDARD.decode(plain).expect(&body);
                assert_eq!(thumbprint, hmac_sha256::Hash::hash(&der), "{body:?}");
                assert!(!der.is_empty(), "{body:?}");
                read += 1;
            }
        }
        assert!(read > 100, "{read}");
    }

    #[test]
    fn what_is_around_the_base64_is_not_overlooked() {
        let good = "Y2VydGlmaWNhdGUgb25l";
        let others = [
            pem(&format!("Proc-Type: 4,ENCRYPTED\n\n{good}")),
            pem(&format!("\n{good}")),
            pem(&format!("{good}\n\n{good}")),
            pem(&format!("{good} ")),
            pem(&format!("{good}\n{good}{good}")),
            pem(&format!("{good}\n-----BEGIN X509 CRL-----\n{good}")),
            pem("Y2VydA==Y2VydA=="),
            pem("Y2VydB=="),
            pem("Y2VydA=\n"),
            pem("Y2Vyd_=="),
            pem(good).replace("-----\n", "----- \n"),
            pem(good).replace("CERTIFICATE", "TRUSTED CERTIFICATE"),
            pem(good).replace("CERTIFICATE", "certificate"),
            pem(good).replace("-----END", "----END"),
            pem(good).replace("-----END CERTIFICATE", "-----END X509 CRL"),
            pem(good).replace('\n', ""),
        ];
        for text in others {
            assert_eq!(certificate_thumbprint(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_certificate_has_no_thumbprint() {
        for text in ["", "Y2VydA==", "-----BEGIN CERTIFICATE-----\nY2VydA==", &pem(""), &pem("Y2VydA"), &pem("%%%%")] {
            assert_eq!(certificate_thumbprint(text.as_bytes()), None, "{text}");
        }
        assert_eq!(certificate_thumbprint(b"\xff"), None);
    }
}
