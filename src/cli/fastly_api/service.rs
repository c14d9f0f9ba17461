//! Which stores a command writes to: those that the active version of the service is linked to.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use fastgate::store_keys::STORE;

use super::active_version::{ActiveVersion, StoreKind};
use super::client::{Api, ApiError, variable};
use super::kv_store::KvStore;
use super::secret_store::SecretStore;

/// Why a store was not found.
pub(in super::super) enum PlaceError {
    /// The call does not say which, or contradicts itself.
    Call(String),
    /// The API failed, or the service has none.
    Api(ApiError),
}

impl fmt::Display for PlaceError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(message) => formatter.write_str(message),
            Self::Api(error) => error.fmt(formatter),
        }
    }
}

impl From<ApiError> for PlaceError {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

/// The service and its KV store.
#[derive(Args)]
pub(in super::super) struct Place {
    /// The id of the service; default: `service_id` of a manifest that `--manifest` names, then `FASTLY_SERVICE_ID`, then
    /// `service_id` of `fastly.toml` in the folder of the policy, or in the current folder if no policy is named.
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    service_id: Option<String>,
    /// The id of the KV store; default: the one that the active version of the service opens as "fastgate".
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    store_id: Option<String>,
    /// The manifest of the service; default: `fastly.toml` in the folder of the policy, or in the current folder if no policy is
    /// named.
    #[arg(long)]
    pub(in super::super) manifest: Option<PathBuf>,
}

impl Place {
    /// The KV store of the service. Without `--manifest`, the manifest is `beside`.
    ///
    /// # Errors
    /// A message that says what is missing.
    pub(in super::super) fn store(&self, api: Api, beside: &Path) -> Result<KvStore, PlaceError> {
        let mut active = None;
        let id = self.id(&api, &mut active, self.store_id.as_deref(), StoreKind::Kv, beside)?;
        Ok(KvStore::new(api, id, active))
    }

    /// Of a command without these options.
    pub(in super::super) const fn of_manifest(manifest: Option<PathBuf>) -> Self {
        Self { service_id: None, store_id: None, manifest }
    }

    /// The id of the store that the service is linked to, or of one that was named without a service. `active` is the active
    /// version of the service; it is read if it is needed and nobody has read it yet.
    fn id(
        &self,
        api: &Api,
        active: &mut Option<ActiveVersion>,
        named: Option<&str>,
        kind: StoreKind,
        beside: &Path,
    ) -> Result<String, PlaceError> {
        if let (Some(id), None) = (named, &self.service_id) {
            return Ok(id.to_owned());
        }
        let active = match active {
            Some(active) => active,
            None => active.insert(ActiveVersion::read(api, self.service(beside).map_err(PlaceError::Call)?)?),
        };
        let linked = active.store(kind)?;
        match named {
            Some(named) if named != linked => Err(PlaceError::Call(format!(
                "service {} opens the {} {linked} as \"{STORE}\", not {named}: name one of both, the service or the store",
                active.service(),
                kind.words()
            ))),
            _ => Ok(linked.to_owned()),
        }
    }

    /// The service that the options name, then the environment, then the manifest `beside`.
    ///
    /// # Errors
    /// A message if none is named.
    pub(in super::super) fn service(&self, beside: &Path) -> Result<String, String> {
        if let Some(id) = &self.service_id {
            return Ok(id.clone());
        }
        let named = self.manifest.as_deref().map(of_manifest).transpose()?.flatten();
        if let Some(id) = named.or_else(|| variable("FASTLY_SERVICE_ID")) {
            return Ok(id);
        }
        if self.manifest.is_none()
            && let Some(id) = of_manifest(beside)?
        {
            return Ok(id);
        }
        let path = self.manifest.as_deref().unwrap_or(beside);
        Err(fault(path, &"has no service_id; `fastly compute publish` creates the service and writes it"))
    }
}

/// The service of a manifest, if it has one.
fn of_manifest(path: &Path) -> Result<Option<String>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| fault(path, &error))?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| fault(path, &error.message()))?;
    match table.get("service_id") {
        None => Ok(None),
        Some(toml::Value::String(id)) => Ok(Some(id.clone()).filter(|id| !id.is_empty())),
        Some(_) => Err(fault(path, &"service_id is not a text")),
    }
}

fn fault(manifest: &Path, error: &dyn fmt::Display) -> String {
    format!("{}: {error}; name the service by --service-id, or its KV store by --store-id", manifest.display())
}

/// The service and both of its stores.
#[derive(Args)]
pub(in super::super) struct Places {
    #[command(flatten)]
    place: Place,
    /// The id of the Secret Store; default: the one that the active version of the service opens as "fastgate".
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    secret_store_id: Option<String>,
}

impl Places {
    /// Both stores of the service. Without `--manifest`, the manifest is `beside`.
    ///
    /// # Errors
    /// What is missing.
    pub(in super::super) fn stores(&self, api: Api, beside: &Path) -> Result<(KvStore, SecretStore), PlaceError> {
        if self.place.service_id.is_none() && self.place.store_id.is_some() != self.secret_store_id.is_some() {
            return Err(PlaceError::Call(
                "only one of the stores is named, so the other could be that of another service: name the service, --service-id, \
                 or both stores, --store-id and --secret-store-id"
                    .to_owned(),
            ));
        }
        let (place, mut active) = (&self.place, None);
        let secrets = place.id(&api, &mut active, self.secret_store_id.as_deref(), StoreKind::Secret, beside)?;
        let kv = place.id(&api, &mut active, place.store_id.as_deref(), StoreKind::Kv, beside)?;
        Ok((KvStore::new(api.clone(), kv, active), SecretStore::new(api, secrets)))
    }
}
