//! The keys of an issuer: where they are, whose they may be, and how long they are used.

use super::KeyLife;
use super::document::IssuerDocument;
use super::fault::PresetFault;
use super::preset::Preset;
use super::rules::tenant_of;
use super::template::{OWNING_TENANT, Templates};
use crate::policy::fault::{Fault, Faults};
use crate::policy::url::{is_https_url, same_host};

pub(super) fn key_life(document: KeyLife, at: &str, faults: &mut Faults) -> KeyLife {
    const WEEK: u64 = 7 * 24 * 3600;
    let KeyLife { min_fresh, max_fresh, max_stale, cool_down } = document;
    faults.range(min_fresh, 1, WEEK, format_args!("{at}.key_life.min_fresh"));
    faults.range(max_fresh, min_fresh.as_u64(), WEEK, format_args!("{at}.key_life.max_fresh"));
    faults.range(max_stale, max_fresh.as_u64(), WEEK, format_args!("{at}.key_life.max_stale"));
    faults.range(cool_down, 1, 3600, format_args!("{at}.key_life.cool_down"));
    document
}

pub(super) fn jwks_uri(
    document: &IssuerDocument,
    preset: &Preset,
    has_tenants: bool,
    at: &str,
    faults: &mut Faults,
) -> Option<String> {
    let Some(uri) = &document.jwks_uri else {
        // No discovery document belongs to all tenants.
        let is_known = |form: &&str| same_host(form, &document.issuer);
        let of_all = preset.keys_of_tenants.filter(|_| preset.key_issuers.iter().any(is_known));
        faults.add_if(has_tenants && of_all.is_none(), format_args!("{at}.jwks_uri"), Fault::NoKeysOfTenants);
        if let Some(remedy) = preset.needs_jwks_uri {
            faults.add(format!("{at}.jwks_uri"), PresetFault::NoKeysOfClient { remedy }.into());
        }
        let issuer = document.issuer.trim_end_matches('/');
        let own = if issuer.contains("://") { preset.jwks_uri } else { preset.jwks_uri_of_text };
        return if has_tenants { of_all } else { own }.map(|uri| uri.replace("{issuer}", issuer));
    };
    let is_url = is_https_url(uri) && !uri.contains(['{', '}']);
    faults.add_if(!is_url, format_args!("{at}.jwks_uri"), Fault::NotHttps);
    // An issuer that is not a URL has no host.
    let is_known_host = !document.issuer.contains("://")
        || same_host(uri, &document.issuer)
        || preset.keys_host.is_some_and(|host| same_host(uri, host));
    faults.add_if(!is_known_host, format_args!("{at}.jwks_uri"), Fault::ForeignHost);
    Some(uri.clone())
}

/// The accepted values of `issuer` in a JWK: every spelling of the issuer and, for its tenant, each form that the
/// provider gives an issuer, with the tenant or with `{tenantid}`, which means all tenants. With `templates` only the
/// latter: the tenant of the token is then known only with the token.
pub(super) fn key_issuers(
    issuer: &str,
    aliases: &[String],
    templates: Option<&Templates>,
    preset: &Preset,
) -> Vec<String> {
    let mut accepted = Vec::new();
    if preset.key_issuers.is_empty() {
        return accepted;
    }
    if let Some(templates) = templates {
        accepted.extend(preset.key_issuers.iter().map(|form| (*form).to_owned()));
        accepted.extend(templates.all_filled(OWNING_TENANT));
        return accepted;
    }
    for spelling in std::iter::once(issuer).chain(aliases.iter().map(String::as_str)) {
        accepted.push(spelling.to_owned());
        let Some(tenant) = tenant_of(spelling) else { continue };
        let segments = spelling.split('/').map(|segment| if segment == tenant { OWNING_TENANT } else { segment });
        accepted.push(segments.collect::<Vec<_>>().join("/"));
        for form in preset.key_issuers {
            accepted.extend([(*form).to_owned(), form.replace(OWNING_TENANT, tenant)]);
        }
    }
    accepted.sort_unstable();
    accepted.dedup();
    accepted
}
