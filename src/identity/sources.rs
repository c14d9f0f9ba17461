//! The ports that step *identify* needs.

use super::deny_list::DenyList;
use super::dpop::Nonces;
use super::dpop::used::UsedProofs;
use super::introspection::Introspector;
use super::key_source::KeySource;
use super::signature_cache::SignatureCache;

/// The ports of one request.
pub struct Sources<'request> {
    /// The key sets of issuers.
    pub keys: &'request mut dyn KeySource,
    /// Signatures that were verified before.
    pub signatures: &'request mut dyn SignatureCache,
    /// The revoked tokens, sessions and subjects.
    pub deny_list: &'request mut dyn DenyList,
    /// The introspection endpoints of issuers, for opaque tokens.
    pub introspector: &'request mut dyn Introspector,
    /// The proofs of possession that were used before.
    pub used_proofs: &'request mut dyn UsedProofs,
    /// The nonces for proofs of possession, if the policy requires them.
    pub nonces: &'request Nonces,
}
