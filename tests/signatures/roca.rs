//! Row C14 of `docs/attacks.md`: keys of the broken generator (CVE-2017-15361) are refused, and no others.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crypto_bigint::{BoxedUint, ConcatenatingMul as _, Resize as _};
use fastgate::identity::keys::{KeySet, UnusableKey};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{read, rsa_jwk, with};

/// The odd primes of the test for such moduli.
const PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109,
    113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

fn of_the_generator() -> [Value; 2] {
    [include_str!("keys/rsa-2048-roca.json"), include_str!("keys/rsa-4096-roca.json")]
        .map(|jwk| serde_json::from_str(jwk).unwrap())
}

fn residue(octets: &[u8], prime: u32) -> u32 {
    octets.iter().fold(0, |residue, octet| (residue * 256 + u32::from(*octet)) % prime)
}

/// An odd number of 1024 bits without small factors, which this test cannot distinguish from a prime of an RSA key.
fn like_a_prime() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 128).prop_map(|mut octets| {
        octets[0] |= 0xc0;
        octets[127] |= 1;
        while PRIMES.iter().any(|prime| residue(&octets, *prime) == 0) {
            let (last, carry) = octets[127].overflowing_add(2);
            octets[127] = last;
            octets[126] = octets[126].wrapping_add(u8::from(carry));
        }
        octets
    })
}

fn product(one: &[u8], other: &[u8]) -> Vec<u8> {
    let number = |octets: &[u8]| BoxedUint::from_be_slice(octets, 1024).unwrap();
    number(one).concatenating_mul(&number(other)).to_be_bytes().to_vec()
}

#[test]
fn keys_of_the_broken_generator_are_skipped_and_counted() {
    let sound: Value = serde_json::from_str(include_str!("keys/rsa-2048.json")).unwrap();
    let sound = rsa_jwk(&URL_SAFE_NO_PAD.decode(sound["n"].as_str().unwrap()).unwrap(), &[1, 0, 1]);
    for factorable in of_the_generator() {
        assert_eq!(read(&factorable).err(), Some(UnusableKey::Factorable));
        let set = json!({ "keys": [with(&factorable, "kid", "a"), with(&sound, "kid", "b")] });
        let set = KeySet::parse(set.to_string().as_bytes()).unwrap();
        assert_eq!((set.skipped(), set.unusable()), (1, &[UnusableKey::Factorable][..]));
    }
}

#[test]
fn a_modulus_that_differs_by_one_small_prime_is_accepted() {
    let mut told = 0;
    for jwk in of_the_generator() {
        let modulus = URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap();
        for prime in PRIMES {
            // n + (the product of the other primes and 2): the same by every prime but this one.
            let step = PRIMES
                .iter()
                .filter(|other| **other != prime)
                .fold(BoxedUint::from(2_u32), |product, other| product.concatenating_mul(&BoxedUint::from(*other)));
            let mut changed = BoxedUint::from_be_slice(&modulus, u32::try_from(modulus.len() * 8).unwrap()).unwrap();
            let step = step.resize(changed.bits_precision());
            for _ in 1..prime {
                changed = changed.wrapping_add(&step);
                told += usize::from(read(&rsa_jwk(&changed.to_be_bytes(), &[1, 0, 1])).is_ok());
            }
        }
    }
    // For each of the two and each prime, one case for each residue that is not a power of 65537: 826 in all.
    assert_eq!(told, 2 * 826);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_modulus_of_other_primes_is_accepted(one in like_a_prime(), other in like_a_prime()) {
        prop_assert!(read(&rsa_jwk(&product(&one, &other), &[1, 0, 1])).is_ok());
    }
}
