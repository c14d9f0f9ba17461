//! EMSA-PKCS1-v1_5 and EMSA-PSS (RFC 8017 §9) as a signer makes them, valid or not.

use fastgate::policy::AlgorithmName;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// Reproducible random numbers: xorshift64.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: &str) -> Self {
        let digest = Sha256::digest(seed.as_bytes());
        Self(u64::from_be_bytes(digest[..8].try_into().unwrap()) | 1)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit.max(1) as u64).unwrap()
    }

    pub(crate) fn octet(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap()
    }
}

fn hash(algorithm: AlgorithmName, octets: &[u8]) -> Vec<u8> {
    match algorithm {
        AlgorithmName::RS256 | AlgorithmName::PS256 => Sha256::digest(octets).to_vec(),
        AlgorithmName::RS384 | AlgorithmName::PS384 => Sha384::digest(octets).to_vec(),
        _ => Sha512::digest(octets).to_vec(),
    }
}

/// Whether the algorithm is RSASSA-PSS.
pub(crate) fn is_pss(algorithm: AlgorithmName) -> bool {
    matches!(algorithm, AlgorithmName::PS256 | AlgorithmName::PS384 | AlgorithmName::PS512)
}

/// The encoding of `message` for a modulus of `bits` bits, as long as the modulus. In PSS, an unusual salt has any
/// length.
pub(crate) fn encode(
    algorithm: AlgorithmName,
    message: &[u8],
    bits: usize,
    odd_salt: bool,
    dice: &mut Dice,
) -> Vec<u8> {
    let digest = hash(algorithm, message);
    if is_pss(algorithm) {
        let salt = if odd_salt { dice.below(digest.len() * 2) } else { digest.len() };
        return encode_pss(algorithm, &digest, bits, salt, dice);
    }
    let arc = match digest.len() {
        32 => 1,
        48 => 2,
        _ => 3,
    };
    let length = u8::try_from(digest.len()).unwrap();
    let oid = [0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, arc];
    let info = [&[0x30, 17 + length, 0x30, 0x0d][..], &oid, &[0x05, 0x00, 0x04, length], &digest].concat();
    let padding = vec![0xff; bits.div_ceil(8) - info.len() - 3];
    [&[0, 1], padding.as_slice(), &[0], &info].concat()
}

fn encode_pss(algorithm: AlgorithmName, digest: &[u8], bits: usize, salt: usize, dice: &mut Dice) -> Vec<u8> {
    let length = (bits - 1).div_ceil(8);
    let salt: Vec<u8> = (0..salt).map(|_| dice.octet()).collect();
    let seed = hash(algorithm, &[&[0; 8], digest, &salt].concat());
    let zeros = vec![0; length - digest.len() - salt.len() - 2];
    let block = [&zeros[..], &[1], &salt].concat();
    let mut encoded = vec![0; bits.div_ceil(8) - length];
    let start = encoded.len();
    let mask = (0_u32..).flat_map(|counter| hash(algorithm, &[&seed[..], &counter.to_be_bytes()].concat()));
    encoded.extend(block.iter().zip(mask).map(|(octet, mask)| octet ^ mask));
    encoded[start] &= 0xff >> (length * 8 - (bits - 1));
    encoded.extend(seed);
    encoded.push(0xbc);
    encoded
}

/// Changes an encoding and returns a description of the change.
pub(crate) fn tamper_with_encoding(algorithm: AlgorithmName, encoded: &mut [u8], dice: &mut Dice) -> &'static str {
    let length = encoded.len();
    let (at, octet) = match dice.below(6) {
        0 => (0, encoded[0] ^ 1 << dice.below(8)),
        1 => (1, encoded[1] ^ 1 << dice.below(8)),
        2 => (length - 1, encoded[length - 1] ^ 1 << dice.below(8)),
        3 if is_pss(algorithm) => (length - 1, 0xcc),
        // The area of the end of a PKCS #1 v1.5 padding and of its DigestInfo.
        3 | 4 => {
            let near = length - 90 + dice.below(58);
            (near, [0x00, 0x05, encoded[near] ^ 1][dice.below(3)])
        }
        _ => {
            let anywhere = dice.below(length);
            (anywhere, encoded[anywhere] ^ 1 << dice.below(8))
        }
    };
    let same = encoded[at] == octet;
    encoded[at] = octet;
    if same { "encoding unchanged" } else { "an octet of the encoding changed" }
}
