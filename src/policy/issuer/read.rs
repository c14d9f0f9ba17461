//! Reads `issuers`: applies presets and the members that override them, and collects faults.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::document::IssuerDocument;
use super::keys::{jwks_uri, key_issuers, key_life};
use super::preset::{PLAIN, Preset, PresetName};
use super::rules::rules;
use super::shape::shape;
use super::{Issuer, TokenKind};
use crate::policy::fault::{Fault, Faults};
use crate::policy::forward::Forward;
use crate::policy::names::is_id;
use crate::policy::url::is_https_url;

/// Reads the section. Each issuer is under every spelling of its `iss`.
pub(in crate::policy) fn read(
    documents: BTreeMap<String, IssuerDocument>,
    faults: &mut Faults,
) -> BTreeMap<String, Arc<Issuer>> {
    let mut issuers: BTreeMap<String, Arc<Issuer>> = BTreeMap::new();
    for (id, document) in documents {
        let at = format!("$.issuers.{id}");
        faults.add_if(!is_id(&id), &at, Fault::NotAnId);
        let issuer = Arc::new(issuer(id, document, &at, faults));
        let spellings = std::iter::once((&issuer.issuer, "issuer"));
        for (spelling, member) in spellings.chain(issuer.aliases.iter().map(|alias| (alias, "issuer_aliases"))) {
            match issuers.get(spelling) {
                Some(earlier) => {
                    faults.add(format!("{at}.{member}"), Fault::TakenIssuer { other: earlier.id.to_string() });
                }
                None => drop(issuers.insert(spelling.clone(), Arc::clone(&issuer))),
            }
        }
    }
    check_only_one(&issuers, faults);
    issuers
}

/// At most one issuer may have introspection.
fn check_only_one(issuers: &BTreeMap<String, Arc<Issuer>>, faults: &mut Faults) {
    let mut ids: Vec<_> =
        issuers.values().filter(|issuer| issuer.introspection.is_some()).map(|issuer| issuer.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    let Some((first, others)) = ids.split_first() else { return };
    for id in others {
        let fault = Fault::SeveralIntrospections { other: (*first).to_owned() };
        faults.add(format!("$.issuers.{id}.introspection"), fault);
    }
}

fn issuer(id: String, document: IssuerDocument, at: &str, faults: &mut Faults) -> Issuer {
    faults.add_if(!is_https_url(&document.issuer), format_args!("{at}.issuer"), Fault::NotHttps);
    faults.add_if(document.backend.is_empty(), format_args!("{at}.backend"), Fault::Empty);
    faults.add_if(document.algorithms.is_empty(), format_args!("{at}.algorithms"), Fault::Empty);
    faults.range(document.verdict_window, 0, 300, format_args!("{at}.verdict_window"));
    faults.range(document.leeway, 0, 300, format_args!("{at}.leeway"));
    let no_audience = document.audiences.is_empty() || document.audiences.iter().any(String::is_empty);
    faults.add_if(no_audience, format_args!("{at}.audiences"), Fault::Empty);

    if let Some(introspection) = &document.introspection {
        introspection.check(&format!("{at}.introspection"), faults);
    }
    let preset = document.preset.map_or(&PLAIN, PresetName::preset);
    let kind = match (document.tokens, &preset.access) {
        (TokenKind::Access, Some(access)) => access,
        (TokenKind::Access, None) => {
            faults.add(format!("{at}.tokens"), Fault::NoAccessTokens);
            &preset.id
        }
        (TokenKind::Id, _) => &preset.id,
    };
    let shape = shape(&document, preset, kind, at, faults);
    let rules = rules(&document, preset, kind, &shape, at, faults);
    let aliases = aliases(&document, preset, at, faults);
    Issuer {
        id: id.into(),
        preset: document.preset,
        jwks_uri: jwks_uri(&document, preset, at, faults),
        key_issuers: key_issuers(&document.issuer, &aliases, preset),
        aliases,
        issuer: document.issuer,
        backend: document.backend,
        audiences: document.audiences.into_iter().map(Into::into).collect(),
        algorithms: document.algorithms,
        shape,
        rules,
        forward: Forward::read(document.forward, format_args!("{at}.forward"), faults),
        leeway: document.leeway,
        key_life: key_life(document.key_life, at, faults),
        verdict_window: document.verdict_window,
        deny_list: document.deny_list,
        introspection: document.introspection,
    }
}

fn aliases(document: &IssuerDocument, preset: &Preset, at: &str, faults: &mut Faults) -> Vec<String> {
    if let Some(aliases) = &document.issuer_aliases {
        faults.add_if(aliases.iter().any(String::is_empty), format_args!("{at}.issuer_aliases"), Fault::Empty);
        return aliases.clone();
    }
    let bare = document.issuer.strip_prefix("https://").filter(|_| preset.bare_issuer);
    bare.map(str::to_owned).into_iter().collect()
}
