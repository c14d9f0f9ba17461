//! Hints about one issuer.

use fastgate::policy::{Issuer, PresetName};

use super::hint::Lint;

/// The hints about an issuer: what only works on this machine, what refuses every token, and what lets tokens live long.
pub(super) fn odd_issuer(issuer: &Issuer) -> Vec<Lint> {
    let mut lints = Vec::new();
    let mut add = |at: String, what: String, remedy| lints.push(Lint { at, what, remedy });
    let at = format!("$.issuers.{}", issuer.id);
    let introspection = issuer.introspection.as_ref().map(|introspection| introspection.url.as_str());
    for (member, url) in [
        ("issuer", Some(issuer.issuer.as_str())),
        ("jwks_uri", issuer.jwks_uri.as_deref()),
        ("introspection.url", introspection),
    ] {
        if url.is_some_and(|url| url.starts_with("http:")) {
            let what = "is http, which only this machine can reach".to_owned();
            add(format!("{at}.{member}"), what, "use https elsewhere");
        }
    }
    let slash = |alias: &String| alias.strip_suffix('/') == Some(issuer.issuer.as_str());
    if is_auth0(issuer) && !issuer.issuer.ends_with('/') && !issuer.aliases.iter().any(slash) {
        let what = "has no slash at its end, but `iss` of Auth0's tokens has one: every token is refused".to_owned();
        add(format!("{at}.issuer"), what, "write \"https://<tenant>.auth0.com/\", or your own domain, with the slash");
    }
    if issuer.leeway.as_u64() > 60 {
        let what = format!("lets tokens live {} seconds longer than their issuer says", issuer.leeway);
        add(format!("{at}.leeway"), what, "keep the provider's clock right and write 60 or less");
    }
    lints
}

/// Recognized by its preset, or by its host if the policy names no preset.
fn is_auth0(issuer: &Issuer) -> bool {
    let host = issuer.issuer.split('/').nth(2).unwrap_or_default();
    issuer.preset == Some(PresetName::Auth0) || (issuer.preset.is_none() && host.ends_with(".auth0.com"))
}
