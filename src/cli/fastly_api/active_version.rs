//! The active version of a service and its resource links: what says which stores the edge opens. A command reads it once.

use fastgate::store_keys::STORE;
use serde_json::Value;

use super::client::{Api, ApiError};
use super::lists::listed;
use super::path::encoded;

/// A kind of store.
#[derive(Clone, Copy)]
pub(in super::super) enum StoreKind {
    Kv,
    Secret,
}

impl StoreKind {
    /// Its name as the API and Fastly's command-line tool write it.
    const fn name(self) -> &'static str {
        match self {
            Self::Kv => "kv-store",
            Self::Secret => "secret-store",
        }
    }

    pub(super) const fn words(self) -> &'static str {
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

/// The active version of a service.
pub(in super::super) struct ActiveVersion {
    service: String,
    number: u64,
    links: Vec<Link>,
}

/// A resource that the version opens under a name.
struct Link {
    /// `kv-store`, which was `object-store` once, or another one.
    kind: String,
    name: String,
    resource: Option<String>,
}

impl ActiveVersion {
    /// Reads the number of the active version, and its links.
    ///
    /// # Errors
    /// A message if the service does not exist or has no active version, or if the token may not read it.
    pub(in super::super) fn read(api: &Api, service: String) -> Result<Self, ApiError> {
        let mut version = Self { service, number: 0, links: Vec::new() };
        let subject = format!("service {}", version.service);
        let versions = listed(api, &format!("/service/{}/version", encoded(&version.service)), &subject)?;
        let is_active = |version: &&Value| version.get("active").and_then(Value::as_bool) == Some(true);
        let active = versions.iter().find(is_active).and_then(|one| one.get("number"));
        version.number = active.and_then(Value::as_u64).ok_or_else(|| {
            ApiError::Failed(format!("{subject}: has no active version; `fastly compute publish` makes one"))
        })?;
        version.links = listed(api, &version.path("resource"), &subject)?.iter().map(Link::of).collect();
        Ok(version)
    }

    /// The id of the service.
    pub(in super::super) fn service(&self) -> &str {
        &self.service
    }

    /// The service and the version, for people.
    pub(super) fn subject(&self) -> String {
        format!("service {}, version {}", self.service, self.number)
    }

    /// The path of what the version has.
    pub(super) fn path(&self, what: &str) -> String {
        format!("/service/{}/version/{}/{what}", encoded(&self.service), self.number)
    }

    /// The id of the store that the version opens under the name of the edge's stores.
    ///
    /// # Errors
    /// How to create and link one if there is none.
    pub(super) fn store(&self, kind: StoreKind) -> Result<&str, ApiError> {
        let found = self.links.iter().find(|link| link.is_store(kind, STORE)).and_then(|link| link.resource.as_deref());
        found.ok_or_else(|| {
            let (Self { service, number, .. }, missing, remedy) = (self, kind.missing(), kind.remedy());
            ApiError::Failed(format!("service {service}: version {number}, the active one, {missing}; {remedy}"))
        })
    }

    /// Whether a store of this kind is linked under the name.
    pub(in super::super) fn has_store(&self, kind: StoreKind, name: &str) -> bool {
        self.links.iter().any(|link| link.is_store(kind, name))
    }

    /// Whether something that is no store is linked under the name.
    pub(in super::super) fn has_acl(&self, name: &str) -> bool {
        self.links.iter().any(|link| !link.kind.ends_with("-store") && link.kind != "config" && link.name == name)
    }
}

impl Link {
    fn of(link: &Value) -> Self {
        let text = |name: &str| link.get(name).and_then(Value::as_str);
        let kind = text("resource_type").unwrap_or_default().replace('_', "-");
        Self {
            kind: if kind == "object-store" { StoreKind::Kv.name().to_owned() } else { kind },
            name: text("name").unwrap_or_default().to_owned(),
            resource: text("resource_id").filter(|id| !id.is_empty()).map(str::to_owned),
        }
    }

    /// Whether it opens such a store. A link without a resource opens nothing.
    fn is_store(&self, kind: StoreKind, name: &str) -> bool {
        self.kind == kind.name() && self.name == name && self.resource.is_some()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{ActiveVersion, Link, StoreKind};

    #[test]
    fn a_link_opens_a_store_of_its_kind_under_its_name() {
        let links = json!([
            { "resource_type": "object_store", "name": "other", "resource_id": "1" },
            { "resource_type": "secret-store", "name": "fastgate", "resource_id": "" },
            { "resource_type": "kv-store", "name": "fastgate", "resource_id": null },
            { "resource_type": "kv-store", "name": "broken", "resource_id": 5 },
            { "resource_type": "secret-store", "name": "fastgate", "resource_id": "2" },
            { "resource_type": "object-store", "name": "fastgate", "resource_id": "3" },
            { "resource_type": "acl", "name": "partners", "resource_id": "4" },
            {},
        ]);
        let links = links.as_array().unwrap().iter().map(Link::of).collect();
        let mut version = ActiveVersion { service: "S".to_owned(), number: 7, links };
        assert_eq!(version.store(StoreKind::Kv), Ok("3"));
        assert_eq!(version.store(StoreKind::Secret), Ok("2"));
        assert!(version.has_store(StoreKind::Kv, "other") && !version.has_store(StoreKind::Secret, "other"));
        assert!(!version.has_store(StoreKind::Kv, "broken"));
        assert!(version.has_acl("partners") && !version.has_acl("fastgate"));
        version.links.clear();
        let fault = version.store(StoreKind::Secret).unwrap_err().to_string();
        assert!(fault.starts_with("service S: version 7, the active one, is linked to no Secret Store"), "{fault}");
    }
}
