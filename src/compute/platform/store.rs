//! The name of the service's stores.

/// The name of the KV store and of the Secret Store.
pub(super) const STORE: &str = "fastgate";
