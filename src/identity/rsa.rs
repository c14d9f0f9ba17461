//! Verification of RSA signatures (RFC 8017 §8.1.2, §8.2.2). Input: a public key, a message and a signature. Output:
//! whether the signature is valid. crypto-bigint does the arithmetic; this module orders the products for the only
//! accepted exponent, and implements the two encodings. The crate `rsa`, on the same arithmetic, takes twice as long in
//! the guest, the RSA of jwt-simple six times (`make guest-cost`). Constant time is not needed: all inputs are public.

mod encoding;
pub(super) mod roca;

use std::sync::OnceLock;

use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd};

pub(super) use encoding::Hash;

/// The shortest modulus that is accepted, in bits (RFC 7518 §3.3, §3.5).
pub(super) const MIN_MODULUS_BITS: u32 = 2048;
/// The longest modulus that is accepted, in bits. The cost of a verification grows with its square.
pub(super) const MAX_MODULUS_BITS: u32 = 4096;
/// The number of squarings for the exponent 65537 = 2¹⁶ + 1. One product follows them.
const SQUARINGS: u32 = 16;

/// An RSA public key with the exponent 65537.
#[derive(Clone, Debug)]
pub struct RsaPublicKey {
    modulus: Odd<BoxedUint>,
    /// The length of the modulus. The precision is longer, unless this is a multiple of the limb size.
    bits: u32,
    /// Constants of the modulus for Montgomery multiplication. They are computed for the first signature, because most
    /// keys of a set never verify one.
    reduction: OnceLock<BoxedMontyParams>,
}

impl RsaPublicKey {
    /// The key with this modulus, in big-endian octets without leading zeros. `None` if the modulus is even, or if its
    /// length is not [`MIN_MODULUS_BITS`] to [`MAX_MODULUS_BITS`].
    pub(super) fn new(modulus: &[u8]) -> Option<Self> {
        let top = modulus.first().filter(|top| **top != 0)?;
        let bits = u32::try_from(modulus.len()).ok()?.checked_mul(8)?.checked_sub(top.leading_zeros())?;
        if !(MIN_MODULUS_BITS..=MAX_MODULUS_BITS).contains(&bits) {
            return None;
        }
        let modulus = BoxedUint::from_be_slice(modulus, bits.next_multiple_of(u64::BITS)).ok()?;
        Some(Self { modulus: Odd::new(modulus).into_option()?, bits, reduction: OnceLock::new() })
    }

    /// The modulus in big-endian octets, without leading zeros.
    pub(super) fn modulus(&self) -> Vec<u8> {
        let octets = self.modulus.to_be_bytes();
        octets.iter().skip_while(|octet| **octet == 0).copied().collect()
    }

    /// RSASSA-PKCS1-v1_5 (RFC 8017 §8.2.2). The only valid encoding is computed and compared as a whole, never parsed.
    pub(super) fn verifies_pkcs1_v1_5(&self, hash: Hash, message: &[u8], signature: &[u8]) -> bool {
        self.encoded(signature)
            .is_some_and(|encoded| encoding::emsa_pkcs1_v1_5(hash, message, encoded.len()).as_ref() == Some(&encoded))
    }

    /// RSASSA-PSS (RFC 8017 §8.1.2) with MGF1 over the same hash and a salt as long as the hash (RFC 7518 §3.5).
    pub(super) fn verifies_pss(&self, hash: Hash, message: &[u8], signature: &[u8]) -> bool {
        self.encoded(signature)
            .is_some_and(|encoded| encoding::is_emsa_pss(hash, message, &encoded, self.bits.saturating_sub(1)))
    }

    /// The encoded message, as long as the modulus: `signature` to the power of 65537 (RSAVP1, RFC 8017 §5.2.2). `None`
    /// if the signature is not exactly as long as the modulus, or is not less than it.
    fn encoded(&self, signature: &[u8]) -> Option<Vec<u8>> {
        let octets = usize::try_from(self.bits.div_ceil(8)).ok()?;
        if signature.len() != octets {
            return None;
        }
        let signature = BoxedUint::from_be_slice(signature, self.modulus.bits_precision()).ok()?;
        if signature >= *self.modulus {
            return None;
        }
        let reduction = self.reduction.get_or_init(|| BoxedMontyParams::new_vartime(self.modulus.clone()));
        let base = BoxedMontyForm::new(signature, reduction);
        let power = (0..SQUARINGS).fold(base.clone(), |power, _| power.square());
        let message = power.mul(&base).retrieve().to_be_bytes();
        message.get(message.len().checked_sub(octets)?..).map(<[u8]>::to_vec)
    }
}
