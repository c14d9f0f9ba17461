//! MAC keys: one for each origin that has a key of its own. Both sides derive it, so no secret is handed over. The keys
//! are in memory only.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use zeroize::Zeroizing;

use super::exchange_key::ExchangeKey;
use super::jws;
use crate::digest::{expand, extract, hmac};
use crate::policy::{Audience, Origin, OriginKey};
use crate::secret::Secret;

/// The purpose for which the key is derived. A zero octet, the thumbprints of both public keys and the audience follow.
const PURPOSE: &[u8] = b"Fastgate-Identity 2 HS256\0";

/// The MAC keys of the origins of one policy. Each is derived when the first header for its origin is signed; there are
/// never more than the policy has origins.
pub(super) struct MacKeys(BTreeMap<Audience, OnceLock<Option<MacKey>>>);

/// The key that the edge shares with one origin.
struct MacKey {
    key: Secret<Zeroizing<[u8; 32]>>,
    /// The JOSE header in base64url: the same for every token.
    header: String,
}

impl MacKeys {
    /// Places for the keys of these origins.
    pub(super) fn of<'policy>(origins: impl IntoIterator<Item = &'policy Origin>) -> Self {
        let with_key = origins.into_iter().filter(|origin| origin.key.is_some());
        Self(with_key.map(|origin| (origin.audience.clone(), OnceLock::new())).collect())
    }

    /// The claims as a JWS in compact form (RFC 7515 §7.1) for the origin with this audience, whose key is `theirs`;
    /// `None` if the two keys have no secret in common.
    pub(super) fn sign(
        &self,
        ours: &ExchangeKey,
        theirs: &OriginKey,
        audience: &Audience,
        claims: &[u8],
    ) -> Option<String> {
        let derive = || MacKey::derived(ours, theirs, audience.as_str());
        let MacKey { key, header } = self.0.get(audience)?.get_or_init(derive).as_ref()?;
        Some(jws::compact(header, claims, |content| hmac(key.expose(), &[content])))
    }
}

impl MacKey {
    /// HKDF with SHA-256 (RFC 5869) without a salt. Both public keys and the audience are part of the purpose: another
    /// pair of keys or another audience has another key.
    fn derived(ours: &ExchangeKey, theirs: &OriginKey, audience: &str) -> Option<Self> {
        let extracted = Zeroizing::new(extract(ours.shared_with(theirs.octets())?.as_slice()));
        let purpose = [PURPOSE, ours.okp().thumbprint(), theirs.thumbprint(), audience.as_bytes()];
        let key = Secret::new(Zeroizing::new(expand(&extracted, &purpose)));
        let header = jws::header("HS256", &format!("{}.{}", ours.okp().id(), theirs.id()));
        Some(Self { key, header })
    }
}
