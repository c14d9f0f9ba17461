//! Names made of several parts, as a digest in which no two different lists of parts look alike.

use hmac_sha256::Hash;

/// Adds each part behind its length in bytes, eight octets in network order: nothing can move from one part to another.
pub(crate) fn add_parts<'part>(hash: &mut Hash, parts: impl IntoIterator<Item = &'part str>) {
    for part in parts {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part.as_bytes());
    }
}
