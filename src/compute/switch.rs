//! What an operator has switched off, out of the KV store, asked again every few seconds.

use std::rc::Rc;
use std::time::{Duration, Instant};

use fastgate::opening::Switch;
use fastly::kv_store::{KVStore, KVStoreError};

use super::settings::STORE;

/// The key in the KV store.
const KEY: &str = "switch";
/// How long an answer is used.
const FRESH: Duration = Duration::from_secs(10);

/// The switch as it was last seen.
#[derive(Default)]
pub(super) struct Switchboard(Option<(Rc<Switch>, Instant)>);

impl Switchboard {
    /// The switch to judge by. A store that cannot be asked leaves it as it was.
    pub(super) fn switch(&mut self, now: Instant) -> Rc<Switch> {
        if let Some((switch, at)) = &self.0
            && now.duration_since(*at) < FRESH
        {
            return Rc::clone(switch);
        }
        let switch = match (stored(), &self.0) {
            (Ok(switch), _) => Rc::new(switch),
            (Err(_), Some((switch, _))) => Rc::clone(switch),
            (Err(_), None) => Rc::default(),
        };
        self.0 = Some((Rc::clone(&switch), now));
        switch
    }
}

fn stored() -> Result<Switch, KVStoreError> {
    let Some(store) = KVStore::open(STORE)? else { return Ok(Switch::default()) };
    match store.lookup(KEY) {
        Ok(mut found) => Ok(Switch::parse(&found.take_body_bytes())),
        Err(KVStoreError::ItemNotFound) => Ok(Switch::default()),
        Err(error) => Err(error),
    }
}
