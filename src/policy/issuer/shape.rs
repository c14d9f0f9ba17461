//! The form of an issuer's tokens: types, and the paths of claims, from the document or from the preset.

use super::document::{ClaimsDocument, IssuerDocument};
use super::names_claim::{NamesClaim, NamesDocument};
use super::preset::{KindShape, Path, Preset};
use super::{TokenKind, TokenShape};
use crate::policy::claim_path::{ClaimName, ClaimPath};
use crate::policy::fault::{Fault, Faults};

pub(super) fn shape(
    document: &IssuerDocument,
    preset: &Preset,
    (tokens, kind): (TokenKind, &KindShape),
    at: &str,
    faults: &mut Faults,
) -> TokenShape {
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

    let audiences = document.audiences.listed();
    let along = |preset: &[Path]| preset.iter().flat_map(|path| paths_along(path, audiences)).collect::<Vec<_>>();
    let mut names = |given: &Option<Vec<NamesDocument>>, preset: &[Path], name: &str| match given {
        Some(claims) => {
            let at = |index| format!("{at}.claims.{name}[{index}]");
            claims.iter().enumerate().map(|(index, claim)| NamesClaim::read(claim, &at(index), faults)).collect()
        }
        None => along(preset).into_iter().map(Into::into).collect(),
    };
    let scopes: Vec<NamesClaim> = names(scopes, preset.scopes, "scopes");
    let mut roles = names(roles, preset.roles, "roles");
    let groups = names(groups, preset.groups, "groups");
    if document.claims.roles.is_none() {
        for (path, form) in preset.formed_roles {
            roles.extend(along(&[path]).into_iter().map(|path| NamesClaim { path, form: Some(*form) }));
        }
    }
    let mut paths = |given: &Option<Vec<ClaimName>>, preset: &[Path], name: &str| match given {
        Some(names) => {
            let at = |index| format!("{at}.claims.{name}[{index}]");
            let read = |(index, claim): (usize, &ClaimName)| ClaimPath::read(claim.clone(), &at(index), faults);
            names.iter().enumerate().map(read).collect()
        }
        None => along(preset),
    };
    TokenShape {
        tokens,
        types,
        untyped,
        scopes,
        roles,
        groups,
        client: paths(client, kind.client, "client"),
        audience: paths(audience, preset.audience, "audience"),
        tenant: match tenant {
            Some(claim) => Some(ClaimPath::read(claim.clone(), &format!("{at}.claims.tenant"), faults)),
            None => preset.tenant.and_then(|path| paths_along(path, document.audiences.listed()).into_iter().next()),
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
