//! Where opaque tokens are asked about: a provider's introspection endpoint (RFC 7662), and who asks.

use serde::Deserialize;

use crate::policy::fault::{Fault, Faults};
use crate::policy::json_form::objects;
use crate::policy::url::is_https_url;

objects!(Introspection);

/// How an issuer's opaque tokens are asked about (RFC 7662). At most one issuer of a policy has this: nothing in an opaque
/// token says whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct Introspection {
    /// The introspection endpoint.
    pub url: String,
    /// The backend that leads there.
    pub backend: String,
    /// The client by which the edge identifies itself there, by HTTP Basic authentication.
    pub client_id: String,
    /// The name of the secret, in the Secret Store `fastgate`, that holds this client's secret.
    pub client_secret: String,
    /// Whether this endpoint is asked about the tokens of live callers while the policy is a shadow policy. It then learns
    /// tokens that are good elsewhere.
    #[serde(default)]
    pub ask_in_shadow: bool,
}

impl Introspection {
    pub(super) fn check(&self, at: &str, faults: &mut Faults) {
        faults.add_if(!is_https_url(&self.url), format_args!("{at}.url"), Fault::NotHttps);
        faults.add_if(self.backend.is_empty(), format_args!("{at}.backend"), Fault::Empty);
        faults.add_if(self.client_id.is_empty(), format_args!("{at}.client_id"), Fault::Empty);
        faults.add_if(!is_secret_name(&self.client_secret), format_args!("{at}.client_secret"), Fault::NotASecretName);
    }
}

/// A name that the Secret Store takes.
fn is_secret_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !name.is_empty() && name.len() <= 255 && name.bytes().all(allowed)
}
