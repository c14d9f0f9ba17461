//! The Secret Store.

use fastgate::ports::storage::{Secrets, StoreError};
use fastgate::secret::Secret;
use fastgate::store_keys::STORE;
use fastly::SecretStore;

/// The Secret Store that is linked to this service.
pub(super) struct LinkedSecrets;

impl Secrets for LinkedSecrets {
    fn secret(&self, name: &str) -> Result<Option<Secret<Vec<u8>>>, StoreError> {
        let store = SecretStore::open(STORE)
            .map_err(|_| StoreError(format!("there is no Secret Store \"{STORE}\" linked to this service")))?;
        let unreadable = || StoreError(format!("Secret Store \"{STORE}\": secret \"{name}\" cannot be read"));
        let Some(secret) = store.try_get(name).map_err(|_| unreadable())? else { return Ok(None) };
        let text = secret.try_plaintext().map_err(|_| unreadable())?;
        Ok(Some(Secret::new(text.to_vec())))
    }
}
