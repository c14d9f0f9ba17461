//! The fields that pass the edge, and those that only the edge may set. All code that removes fields uses these rules.

/// Whether a field that a client or an origin sent is passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It passes: it is end-to-end and the edge does not use it.
    Pass,
    /// It belongs to one connection (RFC 9110 §7.6.1) or frames one message (RFC 9112 §6).
    HopByHop,
    /// Only the edge may set it: identity, client address, original URL, method overrides.
    Reserved,
}

/// Fields that belong to one hop. The caller adds those that `Connection` names.
const HOP_BY_HOP: [&str; 13] = [
    "connection",
    "content-length",
    "expect",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "host",
];

/// Fields that commonly tell applications who the caller is or what was requested, matched after [`fold`].
const RESERVED: [&str; 24] = [
    "authenticated-user",
    "cdn-cache-control",
    "cdn-loop",
    "cf-connecting-ip",
    "client-ip",
    "daphne-root-path",
    "forwarded",
    "remote-user",
    "script-name",
    "true-client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-host",
    "x-original-method",
    "x-original-uri",
    "x-original-url",
    "x-real-ip",
    "x-remote-user",
    "x-request-id",
    "x-rewrite-url",
    "x-script-name",
];

/// Families of such fields, and of fields by which an origin directs its CDN (`Surrogate-Key`, `Surrogate-Control` of
/// the Edge Architecture Specification; `CDN-Cache-Control` of RFC 9213): they are meant for the edge and not for the
/// client.
const RESERVED_PREFIXES: [&str; 9] = [
    "fastgate-",
    "fastly-",
    "surrogate-",
    "x-auth-request-",
    "x-authenticated-",
    "x-envoy-",
    "x-fastgate-",
    "x-forwarded-",
    "x-surrogate-",
];

/// Decides whether the field `name` (lower case) of a request passes.
///
/// A name with an underscore never passes: servers that follow CGI (RFC 3875 §4.1.18) cannot tell it from the same name
/// with a hyphen. Other punctuation is folded before the comparison, so that `fastgate.identity` is reserved as well.
#[must_use]
pub fn fate(name: &str) -> Fate {
    if name.contains('_') { Fate::Reserved } else { response_fate(name) }
}

/// Decides whether the field `name` (lower case) of an origin's response passes: as in requests, except that an
/// underscore is a character like any other, because clients do not read CGI variables. Reserved names are reserved in
/// either spelling.
#[must_use]
pub(super) fn response_fate(name: &str) -> Fate {
    if HOP_BY_HOP.contains(&name) {
        return Fate::HopByHop;
    }
    let folded = fold(name);
    let reserved =
        RESERVED.contains(&folded.as_str()) || RESERVED_PREFIXES.iter().any(|prefix| folded.starts_with(prefix));
    if reserved { Fate::Reserved } else { Fate::Pass }
}

/// Fields that the edge reads and does not forward. Rules of a policy never see them.
const CREDENTIALS: [&str; 2] = [AUTHORIZATION, PROOF];
/// The field with the token (RFC 9110 §11.6.2).
pub const AUTHORIZATION: &str = "authorization";
/// The field with a proof of possession (RFC 9449 §4.1).
pub const PROOF: &str = "dpop";

/// Whether rules of a policy can read the request field `name` (in any case). They cannot read credentials, hop-by-hop
/// fields and reserved fields.
#[must_use]
pub fn is_visible_to_rules(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    !CREDENTIALS.contains(&name.as_str()) && fate(&name) == Fate::Pass
}

/// Whether a policy can edit the field `name` (in any case) of an origin's response.
#[must_use]
pub fn is_editable_in_responses(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    !CREDENTIALS.contains(&name.as_str()) && response_fate(&name) == Fate::Pass
}

/// Lower case, and every character but letters and digits as a hyphen.
fn fold(name: &str) -> String {
    name.trim()
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Fate, fate};

    #[test]
    fn every_spelling_of_the_identity_header_is_reserved() {
        for name in
            ["fastgate-identity", "fastgate_identity", "fastgate.identity", "x-fastgate-identity", "fastgate-identity "]
        {
            assert_eq!(fate(name), Fate::Reserved, "{name}");
        }
    }

    #[test]
    fn ordinary_fields_pass() {
        for name in ["accept", "content-type", "cookie", "user-agent", "x-tenant", "if-none-match"] {
            assert_eq!(fate(name), Fate::Pass, "{name}");
        }
    }
}
