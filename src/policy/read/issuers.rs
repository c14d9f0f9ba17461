//! The providers of a policy, and their faults.

use std::collections::BTreeMap;

use super::{Faults, is_id};
use crate::policy::conditions::ClaimPath;
use crate::policy::document::{IssuerDocument, KeyLife};
use crate::policy::url::{is_https_url, same_host};
use crate::policy::{Fault, Issuer};

/// Reads the providers, by their `iss`.
pub(super) fn issuers(documents: BTreeMap<String, IssuerDocument>, faults: &mut Faults) -> BTreeMap<String, Issuer> {
    let mut issuers: BTreeMap<String, Issuer> = BTreeMap::new();
    for (id, document) in documents {
        let at = format!("$.issuers.{id}");
        faults.add_if(!is_id(&id), &at, Fault::NotAnId);
        faults.add_if(!is_https_url(&document.issuer), format!("{at}.issuer"), Fault::NotHttps);
        faults.add_if(document.backend.is_empty(), format!("{at}.backend"), Fault::Empty);
        faults.add_if(document.algorithms.is_empty(), format!("{at}.algorithms"), Fault::Empty);
        faults.add_if(document.types.is_empty(), format!("{at}.types"), Fault::Empty);
        faults.range(document.verdict_window, 0, 300, format!("{at}.verdict_window"));
        faults.range(document.leeway, 0, 300, format!("{at}.leeway"));
        let no_audience = document.audiences.is_empty() || document.audiences.iter().any(String::is_empty);
        faults.add_if(no_audience, format!("{at}.audiences"), Fault::Empty);
        if let Some(uri) = &document.jwks_uri {
            faults.add_if(!is_https_url(uri), format!("{at}.jwks_uri"), Fault::NotHttps);
            faults.add_if(!same_host(uri, &document.issuer), format!("{at}.jwks_uri"), Fault::ForeignHost);
        }
        let issuer = Issuer {
            id,
            issuer: document.issuer,
            backend: document.backend,
            audiences: document.audiences,
            algorithms: document.algorithms,
            types: document.types.iter().map(|name| name.to_ascii_lowercase()).collect(),
            leeway: document.leeway,
            key_life: key_life(document.key_life, &at, faults),
            verdict_window: document.verdict_window,
            jwks_uri: document.jwks_uri,
            roles_claim: ClaimPath::read(document.roles_claim, &format!("{at}.roles_claim"), faults),
            groups_claim: ClaimPath::read(document.groups_claim, &format!("{at}.groups_claim"), faults),
        };
        match issuers.get(&issuer.issuer) {
            Some(earlier) => faults.add(format!("{at}.issuer"), Fault::TakenIssuer { other: earlier.id.clone() }),
            None => drop(issuers.insert(issuer.issuer.clone(), issuer)),
        }
    }
    issuers
}

fn key_life(document: KeyLife, at: &str, faults: &mut Faults) -> KeyLife {
    const WEEK: u64 = 7 * 24 * 3600;
    let KeyLife { min_fresh, max_fresh, max_stale, cool_down } = document;
    faults.range(min_fresh, 1, WEEK, format!("{at}.key_life.min_fresh"));
    faults.range(max_fresh, min_fresh, WEEK, format!("{at}.key_life.max_fresh"));
    faults.range(max_stale, max_fresh, WEEK, format!("{at}.key_life.max_stale"));
    faults.range(cool_down, 1, 3600, format!("{at}.key_life.cool_down"));
    document
}
