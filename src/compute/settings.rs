//! Policy and signing keys out of the stores, as a [`Gateway`] that is kept in the sandbox. Missing or broken, the gate
//! is closed; a store that cannot be asked leaves the last good gateway in place.

use std::rc::Rc;
use std::time::{Duration, Instant};

use fastgate::gateway::Gateway;
use fastgate::mint::{Minter, SigningKeys};
use fastgate::policy::Policy;
use fastgate::refusal::ClosedError;
use fastly::SecretStore;
use fastly::kv_store::{KVStore, KVStoreError};

/// The KV store and the Secret Store, both of this name.
pub(super) const STORE: &str = "fastgate";
/// The key of the policy in the KV store.
const POLICY_KEY: &str = "policy";
/// The name of the signing keys in the Secret Store.
const SIGNING_KEYS: &str = "signing-keys";
/// How long a gateway is used before the stores are asked again.
const FRESH: Duration = Duration::from_secs(10);

/// The gateway of this sandbox, and when and of what it was made.
#[derive(Default)]
pub(super) struct Settings(Option<Loaded>);

struct Loaded {
    gateway: Rc<Gateway>,
    at: Instant,
    policy: Vec<u8>,
    signing_keys: Vec<u8>,
}

/// Why a store gave nothing.
enum Fault {
    /// It says that there is nothing, or nothing usable: the gate closes.
    Missing(ClosedError),
    /// It could not be asked.
    Unreachable(ClosedError),
}

impl Settings {
    /// The gateway to judge with.
    pub(super) fn gateway(&mut self, now: Instant) -> Result<Rc<Gateway>, ClosedError> {
        if let Some(loaded) = self.0.as_ref().filter(|loaded| now.duration_since(loaded.at) < FRESH) {
            return Ok(Rc::clone(&loaded.gateway));
        }
        let texts = policy_text().and_then(|policy| Ok((policy, signing_keys_text()?)));
        let (policy, signing_keys) = match (texts, &mut self.0) {
            (Ok(texts), _) => texts,
            (Err(Fault::Unreachable(_)), Some(loaded)) => return Ok(Rc::clone(&loaded.gateway)),
            (Err(Fault::Unreachable(error) | Fault::Missing(error)), _) => return Err(self.close(error)),
        };
        if let Some(loaded) = &mut self.0
            && loaded.policy == policy
            && loaded.signing_keys == signing_keys
        {
            loaded.at = now;
            return Ok(Rc::clone(&loaded.gateway));
        }
        match gateway(&policy, &signing_keys) {
            Ok(gateway) => {
                let gateway = Rc::new(gateway);
                self.0 = Some(Loaded { gateway: Rc::clone(&gateway), at: now, policy, signing_keys });
                Ok(gateway)
            }
            Err(error) => Err(self.close(error)),
        }
    }

    fn close(&mut self, error: ClosedError) -> ClosedError {
        self.0 = None;
        error
    }
}

fn gateway(policy: &[u8], signing_keys: &[u8]) -> Result<Gateway, ClosedError> {
    let policy = Policy::parse(policy)
        .map_err(|faults| ClosedError::Policy(format!("KV store \"{STORE}\", key \"{POLICY_KEY}\": {faults}")))?;
    let keys = SigningKeys::parse(signing_keys).map_err(|error| {
        ClosedError::SigningKeys(format!("Secret Store \"{STORE}\", secret \"{SIGNING_KEYS}\": {error}"))
    })?;
    Ok(Gateway::new(policy, Minter::new(keys)))
}

fn policy_text() -> Result<Vec<u8>, Fault> {
    let missing = |what: &str| Fault::Missing(ClosedError::Policy(what.to_owned()));
    let unreachable =
        |error: KVStoreError| Fault::Unreachable(ClosedError::Policy(format!("KV store \"{STORE}\": {error}")));
    let store = match KVStore::open(STORE) {
        Ok(Some(store)) => store,
        Ok(None) | Err(KVStoreError::StoreNotFound(_)) => {
            return Err(missing(&format!("there is no KV store \"{STORE}\" linked to this service")));
        }
        Err(error) => return Err(unreachable(error)),
    };
    match store.lookup(POLICY_KEY) {
        Ok(mut found) => Ok(found.take_body_bytes()),
        Err(KVStoreError::ItemNotFound) => {
            Err(missing(&format!("KV store \"{STORE}\" holds no key \"{POLICY_KEY}\"; put policy.json there")))
        }
        Err(error) => Err(unreachable(error)),
    }
}

fn signing_keys_text() -> Result<Vec<u8>, Fault> {
    let missing = |what: &str| Fault::Missing(ClosedError::SigningKeys(what.to_owned()));
    let store = SecretStore::open(STORE)
        .map_err(|_| missing(&format!("there is no Secret Store \"{STORE}\" linked to this service")))?;
    let unreachable =
        || Fault::Unreachable(ClosedError::SigningKeys(format!("Secret Store \"{STORE}\" cannot be read")));
    let secret = store.try_get(SIGNING_KEYS).map_err(|_| unreachable())?.ok_or_else(|| {
        missing(&format!(
            "Secret Store \"{STORE}\" holds no secret \"{SIGNING_KEYS}\"; make one with `fastgate keys new`"
        ))
    })?;
    secret.try_plaintext().map(|text| text.to_vec()).map_err(|_| unreachable())
}
