//! Compares `htu` with the request's URL (RFC 9449 §4.3, point 9, with the normalization that it recommends).

use crate::request::{CanonicalPath, Target};

/// Whether `htu` is the URL of `target`, without the query and fragment of both. Scheme and host are compared
/// case-insensitively, a default port may be omitted, and the paths are compared in canonical form. A path that has no
/// canonical form never matches.
pub(super) fn matches(htu: &str, target: &Target) -> bool {
    let Some((scheme, rest)) = htu.split_once("://") else { return false };
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    let (authority, path) = rest.find('/').and_then(|at| rest.split_at_checked(at)).unwrap_or((rest, "/"));
    scheme.eq_ignore_ascii_case(target.scheme())
        && without_default_port(authority, target.scheme())
            .eq_ignore_ascii_case(without_default_port(target.host(), target.scheme()))
        && CanonicalPath::parse(path.as_bytes()).is_ok_and(|path| path == *target.path())
}

fn without_default_port<'authority>(authority: &'authority str, scheme: &str) -> &'authority str {
    let port = if scheme == "https" { ":443" } else { ":80" };
    authority.strip_suffix(port).unwrap_or(authority)
}
