//! `introspection` of an issuer: the endpoint for opaque tokens (RFC 7662).

use serde::Deserialize;

use crate::json_form::objects;
use crate::policy::fault::{Fault, Faults};
use crate::policy::url::is_https_url;

objects!(Introspection);

/// The introspection endpoint of an issuer (RFC 7662), for opaque tokens. At most one issuer of a policy may have one,
/// because an opaque token does not name its issuer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct Introspection {
    /// The URL of the endpoint, https.
    pub url: String,
    /// The name of the Fastly backend of the endpoint.
    pub backend: String,
    /// The client id with which the edge authenticates (HTTP Basic).
    pub client_id: String,
    /// The name of the secret in the Secret Store `fastgate` that holds the client secret: 1 to 255 of `A-Z`, `a-z`,
    /// `0-9`, `-`, `_` and `.`.
    pub client_secret: String,
    /// Whether a shadow policy introspects tokens of live callers at this endpoint. The endpoint then sees tokens that
    /// are valid elsewhere. Default: false.
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

/// Whether the Secret Store accepts this name.
fn is_secret_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !name.is_empty() && name.len() <= 255 && name.bytes().all(allowed)
}
