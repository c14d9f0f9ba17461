//! ROCA (CVE-2017-15361; Nemec and others, "The Return of Coppersmith's Attack", CCS 2017, §2.4). One vendor's chips
//! generated primes of the form k·M + (65537^a mod M), where M is the product of the first primes. An attacker can
//! factor such a modulus, so its signatures prove nothing. Input: a modulus. Output: whether it has that form.

use std::iter::successors;

/// The generator: modulo M, the primes are powers of it.
const GENERATOR: u32 = 65537;

/// The odd primes up to 167: those of the shortest keys, and all that the published test uses. Longer keys were
/// generated with more. Fewer than one in a hundred million other moduli pass this test by chance.
const PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109,
    113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/// Whether the modulus, in big-endian octets, is a power of the generator modulo each of the primes. The product of two
/// such powers always is. For most other moduli, the test fails within a few primes.
pub(in crate::identity) fn is_fingerprint(modulus: &[u8]) -> bool {
    PRIMES.iter().all(|prime| is_power(residue(modulus, *prime), *prime))
}

fn residue(octets: &[u8], prime: u32) -> u32 {
    octets.iter().fold(0, |residue, octet| ((residue << 8) | u32::from(*octet)) % prime)
}

/// Whether `residue` is in the subgroup of the generator modulo `prime`.
fn is_power(residue: u32, prime: u32) -> bool {
    let next = |power: &u32| Some(power * (GENERATOR % prime) % prime).filter(|next| *next != 1);
    successors(Some(1), next).any(|power| power == residue)
}
