//! The names in the stores, and the limit of records: the store itself, the keys of the KV store and the secrets that the edge reads or writes. Only
//! the names of clients' secrets for introspection are elsewhere: in the policy.
//! `docs/reference/storage.md` describes the values. Cache spaces are in `ports/cache_space.rs`.

/// The KV store and the Secret Store both have this name.
pub const STORE: &str = "fastgate";
/// KV: the live policy.
pub const POLICY_KEY: &str = "policy";
/// KV: the shadow policy.
pub const SHADOW_KEY: &str = "policy.shadow";
/// KV: the kill switch.
pub const SWITCH_KEY: &str = "switch";
/// KV: the purge generations.
pub const PURGE_KEY: &str = "purge";
/// KV: the record of the edge's keys, which says which are published and which are used.
pub const KEY_RECORD: &str = "edge-keys";
/// KV: the longest kill switch, record of the edge's keys, and record of purge generations that are read, in bytes.
pub const MAX_RECORD_BYTES: usize = 64 * 1024;
/// Secret: the edge's keys as one JWK Set. It is read if there is no record.
pub const SIGNING_KEYS: &str = "signing-keys";

/// Secret: one of the edge's keys, by its `kid`.
#[must_use]
pub fn signing_key_secret(kid: &str) -> String {
    format!("signing-key.{kid}")
}

/// KV: the key set of an issuer, by its id in the policy.
#[must_use]
pub fn key_set_key(issuer_id: &str) -> String {
    format!("jwks/{issuer_id}")
}

/// KV: a file that the edge responds with, by its name.
#[must_use]
pub fn file_key(name: &str) -> String {
    format!("files/{name}")
}

/// KV: an entry of the deny-list, by a digest in base64url of what it denies.
#[must_use]
pub fn deny_list_key(digest: &str) -> String {
    format!("denied/{digest}")
}
