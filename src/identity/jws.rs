//! The common parts of tokens and proofs of possession: the segments of a compact JWS (RFC 7515 §7.1), strictly
//! decoded, header members that would change the meaning, and `NumericDate`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::strict_json;
use crate::time::UnixTime;

/// A text is not a compact JWS of two JSON objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// The three segments of a compact JWS, each still in base64url.
#[derive(Clone, Copy)]
pub(super) struct Segments<'text> {
    pub(super) header: &'text str,
    pub(super) payload: &'text str,
    pub(super) signature: &'text str,
    /// The JWS Signing Input: header, dot, payload (RFC 7515 §5.1).
    pub(super) signed: &'text str,
}

impl<'text> Segments<'text> {
    /// Splits `compact` at its two dots.
    pub(super) fn split(compact: &'text str) -> Result<Self, Malformed> {
        let (signed, signature) = compact.rsplit_once('.').ok_or(Malformed)?;
        let (header, payload) = signed.split_once('.').filter(|(_, rest)| !rest.contains('.')).ok_or(Malformed)?;
        Ok(Self { header, payload, signature, signed })
    }
}

/// Decodes base64url without padding and without trailing bits (RFC 7515 §2, RFC 4648 §3.5), so that each value has one
/// spelling.
pub(super) fn decode(segment: &str) -> Result<Vec<u8>, Malformed> {
    URL_SAFE_NO_PAD.decode(segment).map_err(|_| Malformed)
}

/// Reads a segment that holds one JSON object with unique members.
pub(super) fn object(segment: &str) -> Result<Map<String, Value>, Malformed> {
    strict_json::parse_object(&decode(segment)?).map_err(|_| Malformed)
}

/// Reads a `NumericDate` (RFC 7519 §2); a fraction of a second is cut off. `None` if it is not a number between 1970
/// and the end of the year 9999.
pub(super) fn numeric_date(value: &Value) -> Option<UnixTime> {
    /// 9999-12-31T23:59:59Z.
    const LAST: f64 = 253_402_300_799.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
    let whole = |seconds: f64| UnixTime::from_seconds(seconds as u64);
    value.as_f64().filter(|seconds| (0.0..=LAST).contains(seconds)).map(whole)
}

/// The first member of `header` that would change the meaning of the JWS, if there is one. All other unknown members
/// are ignored (RFC 7515 §4). This includes `zip`: it is defined for encryption only (RFC 7516 §4.1.3), and no payload
/// is ever decompressed.
///
/// - `crit`: extensions that must be understood (RFC 7515 §4.1.11); none is supported.
/// - `b64`: a payload that is not base64url (RFC 7797 §3).
/// - `cty`: a nested token (RFC 7519 §5.2), or a value that is not a media type.
pub(super) fn extension(header: &Map<String, Value>) -> Option<&'static str> {
    if let Some(member) = ["crit", "b64"].into_iter().find(|member| header.contains_key(*member)) {
        return Some(member);
    }
    header.get("cty").is_some_and(is_nested).then_some("cty")
}

/// Whether a content type is that of a JWT, case-insensitively and with or without `application/` (RFC 7515 §4.1.10).
fn is_nested(content_type: &Value) -> bool {
    content_type.as_str().is_none_or(|text| {
        let text = text.trim().to_ascii_lowercase();
        let media_type = text.split(';').next().unwrap_or_default().trim_end();
        matches!(media_type.strip_prefix("application/").unwrap_or(media_type), "jwt" | "jose" | "jose+json")
    })
}
