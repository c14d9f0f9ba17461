//! Members of a JOSE header that would make a signed token mean something else than its payload says.

use serde_json::{Map, Value};

/// The member of `header` by which a token is not what it seems, if there is one. All others that are not known here are
/// ignored (RFC 7515 §4), `zip` among them: it is defined for encryption alone (RFC 7516 §4.1.3), and nothing is ever
/// decompressed.
///
/// - `crit`: extensions that have to be understood (RFC 7515 §4.1.11); none is.
/// - `b64`: a payload that is not base64url (RFC 7797 §3).
/// - `cty`: a token within the token (RFC 7519 §5.2), or what is no media type.
pub(super) fn extension(header: &Map<String, Value>) -> Option<&'static str> {
    if let Some(member) = ["crit", "b64"].into_iter().find(|member| header.contains_key(*member)) {
        return Some(member);
    }
    header.get("cty").is_some_and(is_nested).then_some("cty")
}

/// `JWT`, in any case and with `application/` or without (RFC 7515 §4.1.10).
fn is_nested(content_type: &Value) -> bool {
    content_type.as_str().is_none_or(|text| {
        let text = text.trim().to_ascii_lowercase();
        let media_type = text.split(';').next().unwrap_or_default().trim_end();
        matches!(media_type.strip_prefix("application/").unwrap_or(media_type), "jwt" | "jose" | "jose+json")
    })
}
