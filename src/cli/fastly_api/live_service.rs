//! What the active version of a service has beside its links: backends, domains and log endpoints. Everything is only read.

use std::time::Instant;

use serde_json::Value;

use super::active_version::ActiveVersion;
use super::client::{Api, ApiError};
use super::lists::{listed, listed_or_absent, pages_or_absent};
use super::path::encoded;

/// The kinds of log endpoints, the most common first. The API lists each kind separately: the details of a service have backends
/// and domains, and no log endpoints.
const LOG_KINDS: [&str; 28] = [
    "https",
    "s3",
    "gcs",
    "bigquery",
    "datadog",
    "splunk",
    "newrelic",
    "newrelicotlp",
    "grafanacloudlogs",
    "honeycomb",
    "elasticsearch",
    "sumologic",
    "syslog",
    "kafka",
    "kinesis",
    "pubsub",
    "azureblob",
    "papertrail",
    "loggly",
    "scalyr",
    "logshuttle",
    "logentries",
    "heroku",
    "cloudfiles",
    "digitalocean",
    "openstack",
    "sftp",
    "ftp",
];

/// A backend of the active version.
pub(in super::super) struct LiveBackend {
    pub(in super::super) name: String,
    pub(in super::super) uses_tls: bool,
    /// The `Host` that it sends, if it is not the client's.
    pub(in super::super) override_host: Option<String>,
}

/// The active version of a service.
pub(in super::super) struct LiveService<'api> {
    api: &'api Api,
    pub(in super::super) active: &'api ActiveVersion,
    /// The service and the version, for people.
    pub(in super::super) subject: String,
    pub(in super::super) backends: Vec<LiveBackend>,
}

impl<'api> LiveService<'api> {
    /// Reads what the active version must have beside its links: its backends.
    ///
    /// # Errors
    /// A message if the token may not read them.
    pub(in super::super) fn read(api: &'api Api, active: &'api ActiveVersion) -> Result<Self, ApiError> {
        let backends = listed(api, &active.path("backend"), &format!("service {}", active.service()))?;
        let backend = |backend: &Value| LiveBackend {
            name: text(backend, "name"),
            uses_tls: backend.get("use_ssl").and_then(Value::as_bool) == Some(true),
            override_host: Some(text(backend, "override_host")).filter(|host| !host.is_empty()),
        };
        Ok(Self { api, active, backends: backends.iter().map(backend).collect(), subject: active.subject() })
    }

    /// Whether there is a log endpoint of any kind with the name.
    #[expect(clippy::disallowed_methods, reason = "this tool uses the machine's clock")]
    pub(in super::super) fn has_log(&self, name: &str) -> Result<bool, ApiError> {
        let started = Instant::now();
        for kind in LOG_KINDS {
            let path = self.active.path(&format!("logging/{kind}"));
            let list = listed_or_absent(self.api, &path, &self.subject)?;
            if list.iter().any(|endpoint| text(endpoint, "name") == name) {
                return Ok(true);
            }
            if started.elapsed() > self.api.time_of_lists() {
                return Err(ApiError::Failed(format!("{}: Fastly's API answers too slowly: try again", self.subject)));
            }
        }
        Ok(false)
    }

    /// The domains of the version.
    pub(in super::super) fn domains(&self) -> Result<Vec<String>, ApiError> {
        let domains = listed(self.api, &self.active.path("domain"), &self.subject)?;
        Ok(domains.iter().map(|domain| text(domain, "name")).collect())
    }

    /// The domains that the account gives to the service without a version.
    pub(in super::super) fn domains_without_version(&self) -> Result<Vec<String>, ApiError> {
        let service = self.active.service();
        let path = format!("/domain-management/v1/domains?service_id={}", encoded(service));
        let listed = pages_or_absent(self.api, &path, &self.subject)?;
        let own = listed.iter().filter(|domain| text(domain, "service_id") == service);
        Ok(own.map(|domain| text(domain, "fqdn")).collect())
    }
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}
