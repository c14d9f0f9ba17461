//! Reads `issuers`: applies presets and the members that override them, and collects faults.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::document::{ClaimsDocument, IssuerDocument, RequiredValue};
use super::preset::{KindShape, PLAIN, Path, Preset, PresetName};
use super::{Issuer, KeyLife, TokenKind, TokenRules, TokenShape};
use crate::policy::claim_path::{ClaimName, ClaimPath, Scalar};
use crate::policy::fault::{Fault, Faults};
use crate::policy::forward::Forward;
use crate::policy::names::is_id;
use crate::policy::url::{is_https_url, same_host};

/// The greatest `max_age` and `max_lifetime`: a leap year, in seconds.
const MAX_SECONDS: u64 = 366 * 24 * 60 * 60;

/// The claims that every token must have, whatever a policy requires.
const ALWAYS_PRESENT: [&str; 3] = ["exp", "iss", "sub"];

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

fn key_life(document: KeyLife, at: &str, faults: &mut Faults) -> KeyLife {
    const WEEK: u64 = 7 * 24 * 3600;
    let KeyLife { min_fresh, max_fresh, max_stale, cool_down } = document;
    faults.range(min_fresh, 1, WEEK, format_args!("{at}.key_life.min_fresh"));
    faults.range(max_fresh, min_fresh.as_u64(), WEEK, format_args!("{at}.key_life.max_fresh"));
    faults.range(max_stale, max_fresh.as_u64(), WEEK, format_args!("{at}.key_life.max_stale"));
    faults.range(cool_down, 1, 3600, format_args!("{at}.key_life.cool_down"));
    document
}

fn jwks_uri(document: &IssuerDocument, preset: &Preset, at: &str, faults: &mut Faults) -> Option<String> {
    let Some(uri) = &document.jwks_uri else {
        return preset.jwks_uri.map(str::to_owned);
    };
    faults.add_if(!is_https_url(uri), format_args!("{at}.jwks_uri"), Fault::NotHttps);
    let is_known_host = same_host(uri, &document.issuer) || preset.keys_host.is_some_and(|host| same_host(uri, host));
    faults.add_if(!is_known_host, format_args!("{at}.jwks_uri"), Fault::ForeignHost);
    Some(uri.clone())
}

fn aliases(document: &IssuerDocument, preset: &Preset, at: &str, faults: &mut Faults) -> Vec<String> {
    if let Some(aliases) = &document.issuer_aliases {
        faults.add_if(aliases.iter().any(String::is_empty), format_args!("{at}.issuer_aliases"), Fault::Empty);
        return aliases.clone();
    }
    let bare = document.issuer.strip_prefix("https://").filter(|_| preset.bare_issuer);
    bare.map(str::to_owned).into_iter().collect()
}

/// The accepted values of `issuer` in a JWK: every spelling of the issuer and, for its tenant, each form that the
/// provider gives an issuer, with the tenant or with `{tenantid}`, which means all tenants.
fn key_issuers(issuer: &str, aliases: &[String], preset: &Preset) -> Vec<String> {
    const TENANT: &str = "{tenantid}";
    let mut accepted = Vec::new();
    if preset.key_issuers.is_empty() {
        return accepted;
    }
    for spelling in std::iter::once(issuer).chain(aliases.iter().map(String::as_str)) {
        accepted.push(spelling.to_owned());
        let Some(tenant) = tenant_of(spelling) else { continue };
        let segments = spelling.split('/').map(|segment| if segment == tenant { TENANT } else { segment });
        accepted.push(segments.collect::<Vec<_>>().join("/"));
        for form in preset.key_issuers {
            accepted.extend([(*form).to_owned(), form.replace(TENANT, tenant)]);
        }
    }
    accepted.sort_unstable();
    accepted.dedup();
    accepted
}

fn shape(document: &IssuerDocument, preset: &Preset, kind: &KindShape, at: &str, faults: &mut Faults) -> TokenShape {
    let ClaimsDocument { scopes, roles, groups, client, audience, tenant } = &document.claims;
    let types: Vec<String> = match &document.types {
        Some(types) => types.iter().map(|name| short_type(name)).collect(),
        None => kind.types.iter().map(|name| (*name).to_owned()).collect(),
    };
    let untyped = document.untyped.unwrap_or(document.types.is_none() && kind.untyped);
    let none = types.is_empty() && !untyped;
    faults.add_if(none || types.iter().any(String::is_empty), format_args!("{at}.types"), Fault::Empty);
    let no_audience = audience.as_ref().is_some_and(Vec::is_empty);
    faults.add_if(no_audience, format_args!("{at}.claims.audience"), Fault::Empty);

    let mut paths = |given: &Option<Vec<ClaimName>>, preset: &[Path], name: &str| match given {
        Some(names) => names
            .iter()
            .enumerate()
            .map(|(index, claim)| ClaimPath::read(claim.clone(), &format!("{at}.claims.{name}[{index}]"), faults))
            .collect(),
        None => preset.iter().flat_map(|path| paths_along(path, &document.audiences)).collect(),
    };
    TokenShape {
        tokens: document.tokens,
        types,
        untyped,
        scopes: paths(scopes, preset.scopes, "scopes"),
        roles: paths(roles, preset.roles, "roles"),
        groups: paths(groups, preset.groups, "groups"),
        client: paths(client, kind.client, "client"),
        audience: paths(audience, preset.audience, "audience"),
        tenant: match tenant {
            Some(claim) => Some(ClaimPath::read(claim.clone(), &format!("{at}.claims.tenant"), faults)),
            None => preset.tenant.and_then(|path| paths_along(path, &document.audiences).into_iter().next()),
        },
    }
}

/// The form of a token type for comparison: lower case, without `application/`, which may be omitted if no other slash
/// follows (RFC 7515 §4.1.9).
fn short_type(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    match name.strip_prefix("application/") {
        Some(short) if !short.contains('/') => short.to_owned(),
        _ => name,
    }
}

/// The claim paths for a path of a preset: one for each audience if it contains `{audience}`, or else one.
fn paths_along(path: Path, audiences: &[String]) -> Vec<ClaimPath> {
    const AUDIENCE: &str = "{audience}";
    if !path.iter().any(|step| step.contains(AUDIENCE)) {
        return vec![ClaimPath::from_steps(path.iter().map(|step| (*step).to_owned()))];
    }
    let for_audience = |audience: &String| {
        // The rest of the name begins with a slash.
        let prefix = audience.trim_end_matches('/');
        let step = |step: &&str| if *step == AUDIENCE { audience.clone() } else { step.replace(AUDIENCE, prefix) };
        ClaimPath::from_steps(path.iter().map(step))
    };
    audiences.iter().map(for_audience).collect()
}

fn rules(
    document: &IssuerDocument,
    preset: &Preset,
    kind: &KindShape,
    shape: &TokenShape,
    at: &str,
    faults: &mut Faults,
) -> TokenRules {
    for (name, list) in [("clients", &document.clients), ("tenants", &document.tenants)] {
        let empty = list.as_ref().is_some_and(|list| list.is_empty() || list.iter().any(String::is_empty));
        faults.add_if(empty, format_args!("{at}.{name}"), Fault::Empty);
    }
    for (name, seconds) in [("max_age", document.max_age), ("max_lifetime", document.max_lifetime)] {
        if let Some(seconds) = seconds {
            faults.range(seconds, 1, MAX_SECONDS, format_args!("{at}.{name}"));
        }
    }
    let tenants = match &document.tenants {
        Some(tenants) => {
            faults.add_if(shape.tenant.is_none(), format_args!("{at}.tenants"), Fault::NoTenantClaim);
            tenants.clone()
        }
        None if preset.tenant_in_issuer => {
            let tenant = tenant_of(&document.issuer);
            faults.add_if(tenant.is_none(), format_args!("{at}.issuer"), Fault::NoTenant);
            tenant.map(str::to_owned).into_iter().collect()
        }
        None => Vec::new(),
    };
    let mut required: BTreeMap<String, Vec<_>> = kind
        .required
        .iter()
        .map(|(claim, values)| ((*claim).to_owned(), values.iter().copied().map(Into::into).collect()))
        .collect();
    for (claim, value) in &document.required_claims {
        let values = match value {
            RequiredValue::One(value) => vec![value.to_json()],
            RequiredValue::OneOf(values) => values.iter().map(Scalar::to_json).collect(),
        };
        faults.add_if(
            claim.is_empty() || values.is_empty(),
            format_args!("{at}.required_claims.{claim}"),
            Fault::Empty,
        );
        required.insert(claim.clone(), values);
    }
    let refused = match &document.refused_claims {
        Some(claims) => claims.clone(),
        None => kind.refused.iter().map(|claim| (*claim).to_owned()).collect(),
    };
    for claim in
        refused.iter().filter(|claim| ALWAYS_PRESENT.contains(&claim.as_str()) || required.contains_key(*claim))
    {
        let place = match &document.refused_claims {
            Some(_) => format!("{at}.refused_claims"),
            None => format!("{at}.required_claims.{claim}"),
        };
        faults.add(place, Fault::RequiredAndRefused { claim: claim.clone() });
    }
    TokenRules {
        clients: document.clients.clone().unwrap_or_default(),
        require_client: document.require_client.unwrap_or(kind.require_client),
        tenants,
        max_age: document.max_age,
        max_lifetime: document.max_lifetime,
        required,
        refused,
    }
}

/// The tenant in the URL of an issuer: the first segment that is a GUID (RFC 9562 §4).
fn tenant_of(issuer: &str) -> Option<&str> {
    let is_guid = |text: &&str| {
        let lengths = text.split('-').map(str::len);
        lengths.eq([8, 4, 4, 4, 12]) && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
    };
    issuer.split('/').find(is_guid)
}
