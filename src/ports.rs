//! Ports: the effects in the middle of the pipeline (keys, earlier signature checks, deny-list, introspection, used
//! proofs, counters), as logic over the small storage traits of [`storage`]. They are created for one policy in one
//! [`Role`]: [`Ports`] belongs to a policy, and every key under which it keeps something is derived from its role and
//! from a digest of what the entry depends on. The platform implements only the storage traits.
//!
//! A shadow policy changes nothing that the live one sees: its ports write under keys of their own, never write to the
//! KV store, never read a body, and never wait: requests to its issuers are sent after the response.

mod cache_space;
mod counter;
mod deny_list;
mod health;
mod introspection;
mod keys;
pub mod polled;
mod role_platform;
mod signatures;
pub mod storage;
pub mod unread_body;
mod used_proofs;

use crate::availability::KillSwitch;
use crate::backend::Health;
use crate::identity::Sources;
use crate::identity::deny_list::DenyListMemory;
use crate::identity::dpop::Nonces;
use crate::identity::key_life::KeysNote;
use crate::identity::signature_cache::SignatureMemory;
use crate::throttle::Counter;
use crate::time::UnixTime;
use counter::Counters;
use deny_list::KvDenyList;
use health::{HealthMemory, PopHealth};
use introspection::HttpIntrospector;
pub use keys::KeysDigest;
use keys::{CachedKeys, KeySets};
pub use role_platform::Role;
use role_platform::RolePlatform;
use signatures::CachedSignatures;
use storage::Platform;
use used_proofs::CachedProofs;

/// The state that a sandbox keeps between requests for one policy in one role.
pub struct Ports {
    role: Role,
    keys: KeySets,
    signatures: SignatureMemory,
    denied: DenyListMemory,
    introspected: introspection::Introspected,
    health: HealthMemory,
}

impl Ports {
    /// Empty ports.
    #[must_use]
    pub fn new(role: Role) -> Self {
        Self {
            role,
            keys: KeySets::default(),
            signatures: SignatureMemory::default(),
            denied: DenyListMemory::default(),
            introspected: introspection::Introspected::default(),
            health: HealthMemory::new(),
        }
    }

    /// The ports of one request, which arrived at `now`. `kill_switch` names the withdrawn keys.
    pub fn open<'request>(
        &'request mut self,
        platform: &'request Platform<'request>,
        kill_switch: &'request KillSwitch,
        now: UnixTime,
    ) -> OpenPorts<'request> {
        let platform = RolePlatform::in_request(*platform, self.role, now);
        self.health.clear();
        OpenPorts {
            keys: CachedKeys::new(&mut self.keys, kill_switch, platform),
            signatures: CachedSignatures { memory: &mut self.signatures, platform },
            deny_list: KvDenyList { memory: &mut self.denied, platform },
            introspector: HttpIntrospector { known: &mut self.introspected, platform },
            used_proofs: CachedProofs { platform },
            counter: Counters { platform },
            health: PopHealth::selecting(&mut self.health, platform),
        }
    }

    /// The health of backends and the counter, for the request that was opened last.
    pub fn delivery<'request>(
        &'request mut self,
        platform: &'request Platform<'request>,
        now: UnixTime,
    ) -> (impl Health + 'request, impl Counter + 'request) {
        let platform = RolePlatform::in_request(*platform, self.role, now);
        (PopHealth::delivered(&mut self.health, platform), Counters { platform })
    }

    /// The counter, for a request whose response was sent.
    #[must_use]
    pub fn counter<'request>(
        &'request self,
        platform: &'request Platform<'request>,
        now: UnixTime,
    ) -> impl Counter + 'request {
        Counters { platform: RolePlatform::in_request(*platform, self.role, now) }
    }

    /// Does the work that no request has to wait for: renews stale key sets, and sends the requests that a shadow
    /// policy postponed. Call it after a response was sent.
    pub fn renew(&mut self, platform: &Platform<'_>) {
        if !self.keys.has_due() && !self.introspected.has_due() {
            return;
        }
        let platform = RolePlatform::after_response(*platform, self.role);
        self.keys.renew(platform);
        self.introspected.renew(platform);
    }
}

/// The ports of one request.
pub struct OpenPorts<'request> {
    keys: CachedKeys<'request>,
    signatures: CachedSignatures<'request>,
    deny_list: KvDenyList<'request>,
    introspector: HttpIntrospector<'request>,
    used_proofs: CachedProofs<'request>,
    counter: Counters<'request>,
    health: PopHealth<'request>,
}

impl OpenPorts<'_> {
    /// The ports that identification needs, the counter, and the health of backends.
    pub fn parts<'ports>(
        &'ports mut self,
        nonces: &'ports Nonces,
    ) -> (Sources<'ports>, &'ports mut dyn Counter, &'ports mut dyn Health) {
        let sources = Sources {
            keys: &mut self.keys,
            signatures: &mut self.signatures,
            deny_list: &mut self.deny_list,
            introspector: &mut self.introspector,
            used_proofs: &mut self.used_proofs,
            nonces,
        };
        (sources, &mut self.counter, &mut self.health)
    }

    /// The keys that this request used, for the log; `None` if it needed none.
    #[must_use]
    pub const fn keys_note(&self) -> Option<KeysNote> {
        self.keys.note()
    }
}
