//! Reads discovery documents (OpenID Connect Discovery §4). Input: the document of an issuer. Output: the URL of its
//! key set.

use serde_json::Value;

use crate::policy::Issuer;
use crate::policy::url::{is_https_url, same_host};
use crate::strict_json;

/// Why a discovery document is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryError {
    /// Not a JSON object.
    #[error("it is not a JSON object")]
    Malformed,
    /// `issuer` is not the issuer whose document it is (§4.3).
    #[error("its issuer is another one")]
    OtherIssuer,
    /// `jwks_uri` is missing, not https, or not on the issuer's host, which is the host of the declared backend.
    #[error("its jwks_uri is missing, not https or on another host")]
    ForeignKeys,
}

/// The URL of an issuer's discovery document.
#[must_use]
pub fn document_url(issuer: &Issuer) -> String {
    format!("{}/.well-known/openid-configuration", issuer.issuer.trim_end_matches('/'))
}

/// Reads `jwks_uri` from the discovery document `json` of `issuer`.
///
/// # Errors
/// A [`DiscoveryError`] if the document is another issuer's, or its keys are on another host.
pub fn jwks_uri(issuer: &Issuer, json: &[u8]) -> Result<String, DiscoveryError> {
    let document = strict_json::parse_object(json).map_err(|_| DiscoveryError::Malformed)?;
    let text = |name: &str| document.get(name).and_then(Value::as_str);
    if text("issuer") != Some(issuer.issuer.as_str()) {
        return Err(DiscoveryError::OtherIssuer);
    }
    match text("jwks_uri") {
        Some(uri) if is_https_url(uri) && same_host(uri, &issuer.issuer) => Ok(uri.to_owned()),
        _ => Err(DiscoveryError::ForeignKeys),
    }
}
