//! Weighted rendezvous hashing: every backend has a cost for a key, and the one with the smallest is chosen. If a backend leaves, only its
//! own keys move, and they are spread over the others by weight (Thaler and Ravishankar, "Using name-based mappings to
//! increase hit rates", 1998; Schindelhauer and Schomaker, "Weighted distributed hash tables", 2005). Costs are whole
//! numbers, so the guest and the command-line tool never round differently.

use crate::digest::sha256_of_parts;

/// The cost of a backend for `key`; the one with the smallest is the first choice. A backend is first for a share of keys
/// that corresponds to its weight, which is more than 0.
///
/// It is −log2 of a number in (0, 1) that key and name determine, divided by the weight. Numbers of that form are
/// exponentially distributed, and the smallest of several belongs to one of them with a probability that is its weight's
/// share.
#[must_use]
pub fn cost(key: &[u8; 32], name: &str, weight: u32) -> u64 {
    let digest = sha256_of_parts(&[key.as_slice(), name.as_bytes()]);
    let number = digest.iter().take(8).fold(0_u64, |number, octet| (number << 8) | u64::from(*octet));
    // At most 64 · 2^32 before the shift, so at most 2^58.
    (negative_log2(number.max(1)) << 20) / u64::from(weight.max(1))
}

/// −log2(number / 2^64) for a number that is not 0, with 32 binary places.
fn negative_log2(number: u64) -> u64 {
    let leading = number.leading_zeros();
    // 1 ≤ mantissa < 2, with 63 binary places.
    let mut mantissa = u128::from(number << leading);
    let mut log: u64 = 0;
    for _ in 0..32 {
        // log2(m²) = 2 · log2(m): each squaring gives the next binary place.
        mantissa = (mantissa * mantissa) >> 63;
        log <<= 1;
        if mantissa >> 64 != 0 {
            log |= 1;
            mantissa >>= 1;
        }
    }
    ((u64::from(leading) + 1) << 32).saturating_sub(log)
}

#[cfg(test)]
mod tests {
    use super::negative_log2;

    #[test]
    fn logarithms_are_those_of_the_standard_library() {
        for number in [1, 2, 3, 5, 1 << 20, 0xdead_beef, 1 << 63, u64::MAX / 3, u64::MAX - 1, u64::MAX] {
            #[expect(clippy::cast_precision_loss, reason = "the expected value is an approximation")]
            let (expected, found) = (64.0 - (number as f64).log2(), negative_log2(number) as f64 / 4_294_967_296.0);
            assert!((expected - found).abs() < 1e-8, "{number}: {found} instead of {expected}");
        }
    }
}
