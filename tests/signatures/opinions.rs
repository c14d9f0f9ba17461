//! The verdicts of two versions of the `rsa` crate: 0.10 shares the arithmetic with Fastgate (crypto-bigint), 0.9 has
//! its own (num-bigint-dig).

use fastgate::policy::AlgorithmName;

/// Both versions' key for one modulus.
pub(crate) struct OtherKeys {
    current: rsa::PublicKey,
    older: rsa_0_9::RsaPublicKey,
}

/// Whether this version's key accepts the signature.
macro_rules! accepts {
    ($rsa:ident, $sha2:path, $pss:ident, $key:expr, $algorithm:expr, $message:expr, $signature:expr) => {{
        use $rsa::traits::SignatureScheme as _;
        use $rsa::{Pkcs1v15Sign, Pss};
        use $sha2::{Digest as _, Sha256, Sha384, Sha512};
        macro_rules! scheme {
            (pkcs1, $hash:ty) => {
                Pkcs1v15Sign::new::<$hash>().verify($key, &<$hash>::digest($message), $signature)
            };
            (pss, $hash:ty) => {
                $pss!(Pss, $hash).verify($key, &<$hash>::digest($message), $signature)
            };
        }
        match $algorithm {
            AlgorithmName::RS256 => scheme!(pkcs1, Sha256),
            AlgorithmName::RS384 => scheme!(pkcs1, Sha384),
            AlgorithmName::RS512 => scheme!(pkcs1, Sha512),
            AlgorithmName::PS256 => scheme!(pss, Sha256),
            AlgorithmName::PS384 => scheme!(pss, Sha384),
            AlgorithmName::PS512 => scheme!(pss, Sha512),
            other => panic!("{other:?} is not RSA"),
        }
        .is_ok()
    }};
}

macro_rules! current_pss {
    ($pss:ident, $hash:ty) => {
        $pss::<$hash>::new()
    };
}

macro_rules! older_pss {
    ($pss:ident, $hash:ty) => {
        $pss::new::<$hash>()
    };
}

impl OtherKeys {
    /// The keys with this modulus and the exponent 65537.
    pub(crate) fn new(modulus: &[u8]) -> Self {
        let number = rsa::BoxedUint::from_be_slice_vartime(modulus);
        let older = rsa_0_9::BigUint::from_bytes_be(modulus);
        Self {
            current: rsa::PublicKey::new(number, 65537_u64.into()).unwrap(),
            older: rsa_0_9::RsaPublicKey::new(older, 65537_u64.into()).unwrap(),
        }
    }

    /// The verdicts of 0.10 and 0.9.
    pub(crate) fn accept(&self, algorithm: AlgorithmName, message: &[u8], signature: &[u8]) -> [bool; 2] {
        [
            accepts!(rsa, sha2, current_pss, &self.current, algorithm, message, signature),
            accepts!(rsa_0_9, rsa_0_9::sha2, older_pss, &self.older, algorithm, message, signature),
        ]
    }
}
