//! The storage traits of the library's ports, each implemented with one product of the platform. These implementations
//! decide nothing.

pub(super) mod acls;
mod backend;
pub(super) mod bounded;
mod erl;
pub(super) mod files;
mod kv;
mod pop_cache;
pub(super) mod responses;
mod secrets;

use fastgate::ports::storage::{Clock, Platform};
use fastgate::time::UnixTime;

use super::http::receive;

/// Fastly Compute.
pub(super) const FASTLY: Platform<'static> = Platform {
    kv: &kv::LinkedKv,
    cache: &pop_cache::CoreCache,
    backends: &backend::DeclaredBackends,
    secrets: &secrets::LinkedSecrets,
    rates: &erl::EdgeRateLimiting,
    clock: &SystemClock,
};

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixTime {
        receive::now()
    }
}
