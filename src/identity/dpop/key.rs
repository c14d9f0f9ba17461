//! The key in the header of a proof (`jwk`). It is trusted only if its thumbprint is the token's `cnf.jkt`.

use serde_json::{Map, Value};

use super::error::ProofError;
use crate::identity::keys::Key;
use crate::policy::AlgorithmName;

/// The algorithms that may sign a proof. All are asymmetric (RFC 9449 §4.3, point 5).
pub const ALGORITHMS: [&str; 2] = ["ES256", "EdDSA"];

/// A public key that verifies proofs, and its algorithm.
#[derive(Clone, Debug)]
pub(super) struct ProofKey {
    key: Key,
    algorithm: AlgorithmName,
}

impl ProofKey {
    /// Reads `jwk` as a key for `alg`, by the rules for the keys of issuers. A key that declares another use is
    /// refused.
    pub(super) fn read(alg: &str, jwk: &Map<String, Value>) -> Result<Self, ProofError> {
        let algorithm = AlgorithmName::from_jose(alg)
            .filter(|algorithm| ALGORITHMS.iter().any(|name| AlgorithmName::from_jose(name) == Some(*algorithm)))
            .ok_or(ProofError::Algorithm)?;
        let key = Key::read(jwk).ok().filter(|key| key.accepts(algorithm)).ok_or(ProofError::Key)?;
        Ok(Self { key, algorithm })
    }

    /// Its RFC 7638 thumbprint.
    pub(super) const fn thumbprint(&self) -> &[u8; 32] {
        self.key.thumbprint()
    }

    /// Verifies `signature` over `message`.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), ProofError> {
        self.key.verify(self.algorithm, message, signature).map_err(|_| ProofError::Signature)
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::json;

    use super::ProofKey;

    /// The keys and thumbprints of the examples in RFC 9449 §4.2 and §6.1, and in RFC 8037 appendix A.3.
    #[test]
    fn the_thumbprints_are_those_of_the_rfcs() {
        let ec = json!({
            "kty": "EC", "crv": "P-256",
            "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
            "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"
        });
        let okp =
            json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "a" });
        for (alg, jwk, expected) in [
            ("ES256", ec, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"),
            ("EdDSA", okp, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
        ] {
            let key = ProofKey::read(alg, jwk.as_object().unwrap()).unwrap();
            assert_eq!(URL_SAFE_NO_PAD.encode(key.thumbprint()), expected);
        }
    }
}
