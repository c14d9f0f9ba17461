//! SHA-256 and its uses: digests of lists of parts, in which different lists never look alike, and derived keys. The
//! guest has one implementation, which RSA and ECDSA need anyway.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac};
use sha2::{Digest as _, Sha256};

/// SHA-256 (FIPS 180-4) of `bytes`.
pub(crate) fn sha256(bytes: impl AsRef<[u8]>) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The thumbprint (RFC 7638 §3, RFC 8037 §2) of the public OKP key on this curve with these octets.
pub(crate) fn okp_thumbprint(curve: &str, x: &[u8; 32]) -> [u8; 32] {
    sha256(format!(r#"{{"crv":"{curve}","kty":"OKP","x":"{}"}}"#, URL_SAFE_NO_PAD.encode(x)))
}

/// Adds each part after its length in bytes (eight octets in network order), so that no byte can move from one part to
/// another.
pub(crate) fn add_parts<P: AsRef<[u8]>>(hash: &mut Sha256, parts: impl IntoIterator<Item = P>) {
    for part in parts {
        let part = part.as_ref();
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
}

/// The digest of these parts.
pub(crate) fn sha256_of_parts<P: AsRef<[u8]>>(parts: &[P]) -> [u8; 32] {
    let mut hash = Sha256::new();
    add_parts(&mut hash, parts);
    hash.finalize().into()
}

/// The digest of these parts, in base64url.
pub(crate) fn of_parts(parts: &[&str]) -> String {
    URL_SAFE_NO_PAD.encode(sha256_of_parts(parts))
}

/// HMAC with SHA-256 (RFC 2104) over the concatenation of `parts`.
pub(crate) fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    mac(key, parts).finalize().into_bytes().into()
}

/// Whether `start` are the first octets of the HMAC with SHA-256 over the concatenation of `parts`, in a time that does not
/// depend on which octets differ. No octets are never enough.
pub(crate) fn hmac_matches(key: &[u8; 32], parts: &[&[u8]], start: &[u8]) -> bool {
    mac(key, parts).verify_truncated_left(start).is_ok()
}

fn mac(key: &[u8; 32], parts: &[&[u8]]) -> Hmac<Sha256> {
    let mut block = [0; 64]; // a key that is shorter than a block is followed by zeros (§2)
    block.iter_mut().zip(key).for_each(|(octet, given)| *octet = *given);
    let mac = Hmac::<Sha256>::new(&block.into());
    parts.iter().fold(mac, Mac::chain_update)
}

/// HKDF-Extract (RFC 5869 §2.2) without a salt.
pub(crate) fn extract(secret: &[u8]) -> [u8; 32] {
    hmac(&[0; 32], &[secret])
}

/// HKDF-Expand (RFC 5869 §2.3) to one key of 32 octets, which is the first block.
pub(crate) fn expand(extracted: &[u8; 32], purpose: &[&[u8]]) -> [u8; 32] {
    hmac(extracted, &[purpose, &[&[1]]].concat())
}

#[cfg(test)]
mod tests {
    use super::{expand, extract, hmac, hmac_matches, sha256};

    fn octets(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    /// FIPS 180-4 by the examples of NIST, RFC 4231 §4.5 with the key in full.
    #[test]
    fn digests_and_macs_are_those_of_the_standards() {
        assert_eq!(sha256("abc")[..], octets("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
        assert_eq!(sha256("")[..], octets("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
        for length in [0, 31, 32, 63, 64, 65, 1000] {
            let (key, message) = ([0xa5; 32], vec![7; length]);
            let (front, back) = message.split_at(length / 3);
            let expected = hmac_sha256::HMAC::mac(&message, key);
            assert_eq!(hmac(&key, &[front, back]), expected, "{length}");
            for start in [1, 16, 32] {
                let mut start = expected[..start].to_vec();
                assert!(hmac_matches(&key, &[front, back], &start), "{length}");
                *start.last_mut().unwrap() ^= 1;
                assert!(!hmac_matches(&key, &[front, back], &start), "{length}");
            }
            assert!(!hmac_matches(&key, &[front, back], &[]));
        }
    }

    /// The first 32 octets of RFC 5869 §A.3 (which has neither salt nor purpose), and another implementation.
    #[test]
    fn derived_keys_are_those_of_the_rfc() {
        let extracted = extract(&[0x0b; 22]);
        assert_eq!(extracted[..], octets("19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04"));
        let expected = octets("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d");
        assert_eq!(expand(&extracted, &[])[..], expected);
        for purpose in ["", "a", "fastgate dpop nonce"] {
            let mut expected = [0; 32];
            hmac_sha256::HKDF::expand(&mut expected, extracted, purpose);
            let (front, back) = purpose.split_at(purpose.len() / 2);
            assert_eq!(expand(&extracted, &[front.as_bytes(), back.as_bytes()]), expected, "{purpose}");
        }
    }
}
