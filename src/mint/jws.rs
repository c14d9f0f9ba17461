//! The form of the identity header: a JWS in compact form (RFC 7515 §7.1).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

/// `typ` of the signed header (draft-ietf-oauth-transaction-tokens).
pub const TOKEN_TYPE: &str = "txntoken+jwt";

/// `ver` of the signed header: the version of its claims and of its keys.
pub const HEADER_VERSION: u32 = 2;

/// The JOSE header in base64url.
pub(super) fn header(algorithm: &str, kid: &str) -> String {
    URL_SAFE_NO_PAD
        .encode(json!({ "alg": algorithm, "typ": TOKEN_TYPE, "kid": kid, "ver": HEADER_VERSION }).to_string())
}

/// The claims, which are JSON, after `header`, followed by the signature that `sign` makes of both.
pub(super) fn compact<const LENGTH: usize>(
    header: &str,
    claims: &[u8],
    sign: impl FnOnce(&[u8]) -> [u8; LENGTH],
) -> String {
    let mut token = String::with_capacity(header.len() + claims.len() * 4 / 3 + 96);
    token.push_str(header);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(claims, &mut token);
    let signature = sign(token.as_bytes());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    token
}
