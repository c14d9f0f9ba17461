//! The spaces of the POP's cache: the kinds of entries. The key of an entry begins with its role and space.

/// A kind of entry in the POP's cache. Each kind has keys of its own in each role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    /// A JWK Set, by issuer, key URL and backend.
    KeySet,
    /// That the keys of an issuer were fetched, by the same parts.
    KeyFetch,
    /// That a signature is valid, by key and token.
    Signature,
    /// An entry of the deny-list, or its absence, by issuer, claim and value.
    DenyList,
    /// An introspection response, by issuer, endpoint, client and token.
    Introspection,
    /// That a proof of possession was used, by its key and `jti`.
    UsedProof,
    /// An exact count, by limit or budget and what it counts by.
    Count,
    /// The right to change that count.
    CountLease,
    /// The health of a backend, by origin and name.
    Health,
}

impl Space {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::KeySet => "key-set",
            Self::KeyFetch => "key-fetch",
            Self::Signature => "signature",
            Self::DenyList => "deny-list",
            Self::Introspection => "introspection",
            Self::UsedProof => "used-proof",
            Self::Count => "count",
            Self::CountLease => "count-lease",
            Self::Health => "health",
        }
    }
}
