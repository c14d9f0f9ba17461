//! A whole policy on trial: the one under the key `policy.shadow` of the KV store is asked of every request, after the
//! active one, and its verdict is written down. It signs with keys of its own, which nobody knows.

use std::rc::Rc;
use std::time::{Duration, Instant};

use fastgate::gateway::{Circumstances, Decision, Gateway};
use fastgate::mint::{Minter, SigningKeys, new_signing_keys};
use fastgate::policy::Policy;
use fastgate::request::RequestHead;
use fastgate::trail::Trail;
use fastly::kv_store::KVStore;

use super::settings::STORE;

/// The key in the KV store.
const KEY: &str = "policy.shadow";
/// How long an answer of the store is used.
const FRESH: Duration = Duration::from_secs(10);

/// The policy on trial.
#[derive(Default)]
pub(super) struct Shadow {
    text: Vec<u8>,
    gateway: Option<Result<Rc<Gateway>, String>>,
    at: Option<Instant>,
}

impl Shadow {
    /// The gateway on trial, if there is one; or why there is none although there should be.
    pub(super) fn gateway(&mut self, now: Instant) -> Option<Result<Rc<Gateway>, String>> {
        if self.at.is_none_or(|at| now.duration_since(at) >= FRESH) {
            self.at = Some(now);
            let text = stored().unwrap_or_default();
            if text != self.text {
                self.gateway = (!text.is_empty()).then(|| gateway(&text));
                self.text = text;
            }
        }
        self.gateway.clone()
    }
}

/// What the policy on trial would do.
pub(super) fn verdict(
    gateway: &Result<Rc<Gateway>, String>,
    head: RequestHead,
    circumstances: &mut Circumstances<'_>,
    request_id: &str,
) -> String {
    let gateway = match gateway {
        Ok(gateway) => gateway,
        Err(fault) => return format!("unusable: {fault}"),
    };
    let mut trail = Trail::new(circumstances.now, request_id, &head.method);
    match gateway.decide(head, circumstances, &mut trail) {
        Decision::Refuse(_) => format!("would-refuse {}", trail.verdict),
        Decision::Forward(_) => "would-forward".to_owned(),
        Decision::Publish(_) | Decision::Preflight(_) => "would-answer".to_owned(),
    }
}

fn stored() -> Option<Vec<u8>> {
    Some(KVStore::open(STORE).ok()??.lookup(KEY).ok()?.take_body_bytes())
}

fn gateway(text: &[u8]) -> Result<Rc<Gateway>, String> {
    let policy = Policy::parse(text).map_err(|faults| faults.to_string())?;
    let keys = SigningKeys::parse(new_signing_keys().0.as_bytes()).map_err(|error| error.to_string())?;
    Ok(Rc::new(Gateway::new(policy, Minter::new(keys))))
}
