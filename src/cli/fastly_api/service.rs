//! Which stores a command writes to: those that the active version of the service is linked to.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use fastgate::store_keys::STORE;
use serde_json::Value;

use super::client::{Api, ApiError, variable};
use super::kv_store::KvStore;
use super::lists::listed;
use super::path::encoded;
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
        let id = self.id(&api, self.store_id.as_deref(), StoreKind::Kv, beside)?;
        Ok(KvStore::new(api, id, self.compared_service(beside)))
    }

    /// Of a command without these options.
    pub(in super::super) const fn of_manifest(manifest: Option<PathBuf>) -> Self {
        Self { service_id: None, store_id: None, manifest }
    }

    /// The service that a policy can be compared with: none if only a store was named.
    pub(in super::super) fn compared_service(&self, beside: &Path) -> Option<String> {
        let is_store_only = self.store_id.is_some() && self.service_id.is_none();
        if is_store_only { None } else { self.service(beside).ok() }
    }

    /// The id of the store that the service is linked to, or of one that was named without a service.
    fn id(&self, api: &Api, named: Option<&str>, kind: StoreKind, beside: &Path) -> Result<String, PlaceError> {
        if let (Some(id), None) = (named, &self.service_id) {
            return Ok(id.to_owned());
        }
        let service = self.service(beside).map_err(PlaceError::Call)?;
        let linked = linked(api, &service, kind)?;
        match named {
            Some(named) if named != linked => Err(PlaceError::Call(format!(
                "service {service} opens the {} {linked} as \"{STORE}\", not {named}: name one of both, the service or the store",
                kind.words()
            ))),
            _ => Ok(linked),
        }
    }

    /// The service that the options name, then the environment, then the manifest beside the policy.
    fn service(&self, beside: &Path) -> Result<String, String> {
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
        let id = self.place.id(&api, self.secret_store_id.as_deref(), StoreKind::Secret, beside)?;
        let secrets = SecretStore::new(api.clone(), id);
        Ok((self.place.store(api, beside)?, secrets))
    }
}

/// A kind of store.
#[derive(Clone, Copy)]
pub(in super::super) enum StoreKind {
    Kv,
    Secret,
}

impl StoreKind {
    /// Its name as the API and Fastly's command-line tool write it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Kv => "kv-store",
            Self::Secret => "secret-store",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Kv => "KV store",
            Self::Secret => "Secret Store",
        }
    }

    /// What is wrong with a version that is not linked to the store of this kind.
    pub(in super::super) fn missing(self) -> String {
        format!("is linked to no {} by the name \"{STORE}\"", self.words())
    }

    /// How to create and link one.
    pub(in super::super) fn remedy(self) -> String {
        let kind = self.name();
        format!(
            "create one and link it: fastly {kind} create --name {STORE}, then fastly service resource-link create --version \
             latest --autoclone --name {STORE} --resource-id ID, and activate that version"
        )
    }
}

/// The number of the active version of a service.
pub(super) fn active_version(api: &Api, service: &str) -> Result<u64, ApiError> {
    let subject = format!("service {service}");
    let versions = listed(api, &format!("/service/{}/version", encoded(service)), &subject)?;
    let is_active = |version: &&Value| version.get("active").and_then(Value::as_bool) == Some(true);
    let active = versions.iter().find(is_active).and_then(|one| one.get("number"));
    active.and_then(Value::as_u64).ok_or_else(|| {
        ApiError::Failed(format!("{subject}: has no active version; `fastly compute publish` makes one"))
    })
}

/// The id of the store that the active version of a service opens under the name of the edge's stores.
fn linked(api: &Api, service: &str, wanted: StoreKind) -> Result<String, ApiError> {
    let subject = format!("service {service}");
    let number = active_version(api, service)?;
    let links = listed(api, &format!("/service/{}/version/{number}/resource", encoded(service)), &subject)?;
    let text = |link: &Value, name: &str| link.get(name).and_then(Value::as_str).map(str::to_owned);
    let is_store = |link: &&Value| link_kind(link) == wanted.name() && text(link, "name").as_deref() == Some(STORE);
    let found = links.iter().find(is_store).and_then(|link| text(link, "resource_id"));
    found.ok_or_else(|| {
        let (missing, remedy) = (wanted.missing(), wanted.remedy());
        ApiError::Failed(format!("{subject}: version {number}, the active one, {missing}; {remedy}"))
    })
}

/// The kind of resource that a version is linked to: `kv-store`, which was `object-store` once, or another one.
pub(super) fn link_kind(link: &Value) -> String {
    let kind = link.get("resource_type").and_then(Value::as_str).unwrap_or_default().replace('_', "-");
    if kind == "object-store" { StoreKind::Kv.name().to_owned() } else { kind }
}
