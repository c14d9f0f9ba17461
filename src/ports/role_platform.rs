//! The platform, restricted to what one role may do. The ports have no other access to the platform.

use std::time::Duration;

use super::cache_space::Space;
use super::storage::{Incoming, Leased, Outgoing, Platform, StoreError, Stored};
use crate::policy::limits::{ErlDocument, Limit};
use crate::secret::Secret;
use crate::throttle::{CounterUnreachable, Taken};
use crate::time::{Seconds, UnixTime};

/// The lease timeout of a request that must not wait: the shortest that a platform can express.
pub(super) const NO_WAIT: Duration = Duration::from_millis(1);

/// The purpose of a policy's decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// They are carried out.
    Live,
    /// They are written to the log.
    Shadow,
}

/// The platform, for one role.
#[derive(Clone, Copy)]
pub(super) struct RolePlatform<'platform> {
    platform: Platform<'platform>,
    role: Role,
    may_send_to_issuers: bool,
    began: UnixTime,
}

impl<'platform> RolePlatform<'platform> {
    /// The platform before the response. A shadow policy then sends no request to an issuer, because no client may wait
    /// for it. The request arrived at `began`.
    pub(super) fn in_request(platform: Platform<'platform>, role: Role, began: UnixTime) -> Self {
        Self { platform, role, may_send_to_issuers: role == Role::Live, began }
    }

    /// The platform after the response.
    pub(super) fn after_response(platform: Platform<'platform>, role: Role) -> Self {
        Self { platform, role, may_send_to_issuers: true, began: platform.clock.now() }
    }

    pub(super) const fn role(&self) -> Role {
        self.role
    }

    pub(super) const fn may_send_to_issuers(&self) -> bool {
        self.may_send_to_issuers
    }

    /// When the request arrived, or the work after the response began. It costs no hostcall.
    pub(super) const fn began(&self) -> UnixTime {
        self.began
    }

    /// The time now. It differs from [`began`](Self::began) if something was waited for.
    pub(super) fn now(&self) -> UnixTime {
        self.platform.clock.now()
    }

    pub(super) fn cached_note(&self, space: Space, of: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.platform.cache.note(&self.cache_key(space, of))
    }

    pub(super) fn cached(&self, space: Space, of: &[u8], max_bytes: usize) -> Result<Option<Stored>, StoreError> {
        self.platform.cache.lookup(&self.cache_key(space, of), max_bytes)
    }

    pub(super) fn cache(&self, space: Space, of: &[u8], stored: &Stored, lifetime: Seconds) -> Result<(), StoreError> {
        self.platform.cache.put(&self.cache_key(space, of), stored, lifetime)
    }

    pub(super) fn lease(
        &self,
        space: Space,
        of: &[u8],
        timeout: Duration,
        max_bytes: usize,
    ) -> Result<Leased<'platform>, StoreError> {
        // Before the response, a shadow policy waits for no other request.
        let timeout = if self.may_send_to_issuers { timeout } else { NO_WAIT };
        self.platform.cache.lease(&self.cache_key(space, of), timeout, max_bytes)
    }

    pub(super) fn kv(&self, key: &str, max_bytes: usize) -> Result<Option<Stored>, StoreError> {
        self.platform.kv.lookup(key, max_bytes)
    }

    pub(super) fn kv_all(&self, keys: &[String], max_bytes: usize) -> Result<Vec<Option<Stored>>, StoreError> {
        self.platform.kv.lookup_all(keys, max_bytes)
    }

    /// Writes to the KV store for the live policy; does nothing for a shadow policy, because all policies read the
    /// store.
    pub(super) fn kv_put(&self, key: &str, stored: &Stored) -> Result<(), StoreError> {
        match self.role {
            Role::Live => self.platform.kv.put(key, stored),
            Role::Shadow => Ok(()),
        }
    }

    /// Requests a document from an issuer. The error names the URL and the fault of the response.
    pub(super) fn ask(&self, request: &Outgoing<'_>) -> Result<Incoming, String> {
        /// The only status that carries a document.
        const OK: u16 = 200;
        let about = |cause: &str| format!("{}: {cause}", request.url);
        if !self.may_send_to_issuers {
            return Err(about(SENT_AFTER_RESPONSE));
        }
        match self.platform.backends.send(request) {
            Ok(response) if response.status == OK => Ok(response),
            Ok(response) => Err(about(&format!("responded with status {}", response.status))),
            Err(cause) => Err(about(&cause)),
        }
    }

    pub(super) fn is_unhealthy(&self, backend: &str) -> bool {
        self.platform.backends.is_unhealthy(backend)
    }

    pub(super) fn secret(&self, name: &str) -> Result<Option<Secret<Vec<u8>>>, StoreError> {
        self.platform.secrets.secret(name)
    }

    pub(super) fn estimate(
        &self,
        limit: &Limit,
        erl: &ErlDocument,
        key: &str,
        cost: u64,
    ) -> Result<Taken, CounterUnreachable> {
        match self.role {
            Role::Live => self.platform.rates.estimate(limit, erl, key, cost),
            Role::Shadow => self.platform.rates.estimate(limit, erl, &format!("shadow/{key}"), cost),
        }
    }

    /// A fixed prefix, the role, the space, and what the entry depends on. What a client sends is in it only as a
    /// digest.
    fn cache_key(&self, space: Space, of: &[u8]) -> Vec<u8> {
        let role = match self.role {
            Role::Live => "live",
            Role::Shadow => "shadow",
        };
        let mut key = format!("fastgate/{role}/{}/", space.name()).into_bytes();
        key.extend_from_slice(of);
        key
    }
}

/// Why a shadow policy does not have an issuer's response yet.
pub(super) const SENT_AFTER_RESPONSE: &str = "a shadow policy sends requests to issuers only after the response";
