//! Reads `issuers`: applies presets and the members that override them, and collects faults.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::document::{AudiencesDocument, IssuerDocument};
use super::fault::PresetFault;
use super::index::Issuers;
use super::keys::{jwks_uri, key_issuers, key_life};
use super::preset::{KindShape, OTHER, PLAIN, Preset, PresetName};
use super::rules::rules;
use super::shape::shape;
use super::template::{Template, Templates};
use super::{Issuer, TokenKind};
use crate::policy::fault::{Fault, Faults};
use crate::policy::forward::Forward;
use crate::policy::names::is_id;
use crate::policy::url::is_https_url;

/// Reads the section.
pub(in crate::policy) fn read(documents: BTreeMap<String, IssuerDocument>, faults: &mut Faults) -> Issuers {
    let mut issuers = Issuers::default();
    for (id, document) in documents {
        let at = format!("$.issuers.{id}");
        faults.add_if(!is_id(&id), &at, Fault::NotAnId);
        let issuer = Arc::new(issuer(id, document, &at, faults));
        issuers.add(issuer, &at, faults);
    }
    issuers.check_templates(faults);
    check_only_one(&issuers, faults);
    issuers
}

/// At most one issuer may have introspection.
fn check_only_one(issuers: &Issuers, faults: &mut Faults) {
    let asked = issuers.all().iter().filter(|issuer| issuer.introspection.is_some());
    let mut ids: Vec<_> = asked.map(|issuer| issuer.id.as_str()).collect();
    ids.sort_unstable();
    let Some((first, others)) = ids.split_first() else { return };
    for id in others {
        let fault = Fault::SeveralIntrospections { other: (*first).to_owned() };
        faults.add(format!("$.issuers.{id}.introspection"), fault);
    }
}

fn issuer(id: String, document: IssuerDocument, at: &str, faults: &mut Faults) -> Issuer {
    let preset = document.preset.map_or(&PLAIN, PresetName::preset);
    let (tokens, kind) = kind(&document, preset, at, faults);
    check_iss(&document, preset, at, faults);
    faults.add_if(document.backend.is_empty(), format_args!("{at}.backend"), Fault::Empty);
    let no_algorithm = document.algorithms.as_ref().is_some_and(Vec::is_empty);
    faults.add_if(no_algorithm, format_args!("{at}.algorithms"), Fault::Empty);
    faults.range(document.verdict_window, 0, 300, format_args!("{at}.verdict_window"));
    faults.range(document.leeway, 0, 300, format_args!("{at}.leeway"));
    check_audiences(&document, preset, tokens, at, faults);

    if let Some(introspection) = &document.introspection {
        introspection.check(&format!("{at}.introspection"), faults);
    }
    let shape = shape(&document, preset, (tokens, kind), at, faults);
    let aliases = aliases(&document, preset, at, faults);
    let templates = templates(&document, &aliases, preset, at, faults);
    let rules = rules(&document, preset, kind, (&shape, templates.as_ref()), at, faults);
    let opaque = document.introspection.is_some() && templates.is_some();
    faults.add_if(opaque, format_args!("{at}.introspection"), Fault::OpaqueOfTenants);
    Issuer {
        id: id.into(),
        preset: document.preset,
        jwks_uri: jwks_uri(&document, preset, templates.is_some(), at, faults),
        key_issuers: key_issuers(&document.issuer, &aliases, templates.as_ref(), preset),
        aliases,
        templates,
        issuer: document.issuer,
        backend: document.backend,
        audiences: document.audiences.listed().iter().map(|audience| audience.as_str().into()).collect(),
        algorithms: document.algorithms.unwrap_or_else(|| preset.algorithms.to_vec()),
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

/// The kind of tokens: that of the policy, or else of the preset; and its shape.
fn kind<'preset>(
    document: &IssuerDocument,
    preset: &'preset Preset,
    at: &str,
    faults: &mut Faults,
) -> (TokenKind, &'preset KindShape) {
    let Preset { access, id, other, .. } = preset;
    let kinds = [(TokenKind::Access, access), (TokenKind::Other, other), (TokenKind::Id, id)];
    let mut known = kinds.into_iter().filter_map(|(kind, shape)| Some((kind, shape.as_ref()?)));
    let usual = known.clone().next().unwrap_or((TokenKind::Access, &OTHER));
    let Some(tokens) = document.tokens else { return usual };
    known.find(|(kind, _)| *kind == tokens).unwrap_or_else(|| {
        faults.add(format!("{at}.tokens"), PresetFault::NoSuchTokens { kind: tokens.as_str() }.into());
        (tokens, usual.1)
    })
}

/// `issuer` is an https URL; or, if `jwks_uri` says where the keys are, any other text that is no URL.
fn check_iss(document: &IssuerDocument, preset: &Preset, at: &str, faults: &mut Faults) {
    let (iss, at) = (&document.issuer, format_args!("{at}.issuer"));
    if is_https_url(iss) {
        return;
    }
    let is_text = !iss.is_empty() && !iss.contains("://") && iss.bytes().all(|byte| byte.is_ascii_graphic());
    match document.jwks_uri.as_deref().or(preset.jwks_uri_of_text) {
        _ if !is_text => faults.add(at.to_string(), Fault::NotHttps),
        None => faults.add(at.to_string(), Fault::NoKeysOfText),
        Some(_) => {}
    }
}

/// Tokens without an audience are accepted only if something else says that they are not for another application.
fn check_audiences(document: &IssuerDocument, preset: &Preset, tokens: TokenKind, at: &str, faults: &mut Faults) {
    let at = format_args!("{at}.audiences");
    match &document.audiences {
        AudiencesDocument::Listed(audiences) => {
            let is_empty = audiences.is_empty() || audiences.iter().any(String::is_empty);
            faults.add_if(is_empty, at, Fault::Empty);
        }
        AudiencesDocument::None(_) => {
            let always = tokens == TokenKind::Id || preset.always_for_audience;
            faults.add_if(always, at, PresetFault::AlwaysForAudience.into());
            let is_safe = document.clients.is_some() || document.keys_of_one_client;
            faults.add_if(
                !is_safe && !always,
                at,
                PresetFault::ForAnyAudience { remedy: preset.without_audience }.into(),
            );
        }
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

/// The templates of an issuer with `{tenant}`. Either all spellings of `iss` contain it, or none does.
fn templates(
    document: &IssuerDocument,
    aliases: &[String],
    preset: &Preset,
    at: &str,
    faults: &mut Faults,
) -> Option<Templates> {
    let mut read = |text: &str, member: &str| {
        Template::parse(text).unwrap_or_else(|fault| {
            faults.add(format!("{at}.{member}"), fault);
            None
        })
    };
    let issuer = read(&document.issuer, "issuer");
    let of_aliases: Vec<_> = aliases.iter().map(|alias| read(alias, "issuer_aliases")).collect();
    let has_braces = |text: &String| text.contains('{');
    let is_mixed = aliases.iter().any(|alias| has_braces(alias) != has_braces(&document.issuer));
    faults.add_if(is_mixed, format_args!("{at}.issuer_aliases"), Fault::MixedTemplates);
    let spellings = std::iter::once(issuer?).chain(of_aliases.into_iter().flatten()).collect();
    Some(Templates::new(spellings, preset.tenant_in_issuer))
}
