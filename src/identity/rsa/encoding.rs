//! The encodings of messages for RSA signatures: EMSA-PKCS1-v1_5 and EMSA-PSS (RFC 8017 §9).

use sha2::{Digest, Sha256, Sha384, Sha512};

/// A hash function of RFC 7518 §3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::identity) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    /// The hash of the concatenated parts.
    fn of(self, parts: &[&[u8]]) -> Vec<u8> {
        fn digest<D: Digest>(parts: &[&[u8]]) -> Vec<u8> {
            parts.iter().fold(D::new(), D::chain_update).finalize().to_vec()
        }
        match self {
            Self::Sha256 => digest::<Sha256>(parts),
            Self::Sha384 => digest::<Sha384>(parts),
            Self::Sha512 => digest::<Sha512>(parts),
        }
    }

    /// The length of a hash, in octets.
    const fn length(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// The DER of a `DigestInfo` up to the hash itself (§9.2, note 1).
    const fn digest_prefix(self) -> [u8; 19] {
        let (total, arc, length) = match self {
            Self::Sha256 => (0x31, 0x01, 0x20),
            Self::Sha384 => (0x41, 0x02, 0x30),
            Self::Sha512 => (0x51, 0x03, 0x40),
        };
        [
            0x30, total, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, arc, 0x05, 0x00, 0x04,
            length,
        ]
    }
}

/// The encoding of `message`, `length` octets long (§9.2); `None` if it does not fit.
pub(super) fn emsa_pkcs1_v1_5(hash: Hash, message: &[u8], length: usize) -> Option<Vec<u8>> {
    let digest_prefix = hash.digest_prefix();
    let padding = length.checked_sub(digest_prefix.len() + hash.length() + 3).filter(|octets| *octets >= 8)?;
    Some([&[0x00, 0x01], vec![0xff; padding].as_slice(), &[0x00], &digest_prefix, &hash.of(&[message])].concat())
}

/// Whether `encoded` is an encoding of `message`, `bits` bits long, with a salt as long as the hash (§9.1.2; the
/// numbers are its steps). `encoded` has the length of the modulus: if `bits` is a multiple of eight, it has one octet
/// more than an encoding, which is zero (§8.1.2, step 2c).
pub(super) fn is_emsa_pss(hash: Hash, message: &[u8], encoded: &[u8], bits: u32) -> bool {
    decode_pss(hash, message, encoded, bits).is_some()
}

fn decode_pss(hash: Hash, message: &[u8], encoded: &[u8], bits: u32) -> Option<()> {
    let length = usize::try_from(bits.div_ceil(8)).ok()?;
    let (excess, encoded) = encoded.split_at_checked(encoded.len().checked_sub(length)?)?;
    let (trailer, rest) = encoded.split_last()?; // 4
    let (masked, expected) = rest.split_at_checked(rest.len().checked_sub(hash.length())?)?; // 5
    let unused = u8::try_from(length.checked_mul(8)?.checked_sub(usize::try_from(bits).ok()?)?).ok()?;
    let used = 0xff_u8.checked_shr(unused.into())?;
    if excess.iter().any(|octet| *octet != 0) || *trailer != 0xbc || masked.first()? & !used != 0 {
        return None; // 4, 6
    }
    let mut block: Vec<u8> = masked.iter().zip(mask(hash, expected)).map(|(octet, mask)| octet ^ mask).collect(); // 8
    *block.first_mut()? &= used; // 9
    let (padding, salt) = block.split_at_checked(block.len().checked_sub(hash.length())?)?;
    let (one, zeros) = padding.split_last()?;
    if *one != 0x01 || zeros.iter().any(|octet| *octet != 0) {
        return None; // 10
    }
    let found = hash.of(&[&[0; 8], &hash.of(&[message]), salt]); // 12, 13
    (found == expected).then_some(()) // 14
}

/// The octets of MGF1 (§B.2.1), without an end.
fn mask(hash: Hash, seed: &[u8]) -> impl Iterator<Item = u8> {
    (0_u32..).flat_map(move |counter| hash.of(&[seed, &counter.to_be_bytes()]))
}
