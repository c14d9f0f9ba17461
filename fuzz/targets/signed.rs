//! Keys, and compact JWSs with any header and payload.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::{Signer as _, Verifier as _};
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};

pub(super) const NOW: u64 = 1_800_000_000;
pub(super) const ISSUERS: u8 = 1;
pub(super) const CLIENTS: u8 = 2;
pub(super) const STRANGERS: u8 = 3;

/// The key pair with this number.
pub(super) fn key(number: u8) -> SigningKey {
    SigningKey::from_slice(&[number; 32]).unwrap()
}

/// Its public half.
pub(super) fn jwk(number: u8) -> Value {
    let point = key(number).verifying_key().to_sec1_point(false);
    json!({ "kty": "EC", "crv": "P-256", "x": encoded(point.x().unwrap()), "y": encoded(point.y().unwrap()) })
}

pub(super) fn encoded(octets: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(octets)
}

/// A compact JWS that key `number` has signed.
pub(super) fn compact(number: u8, header: &[u8], payload: &[u8]) -> String {
    let content = format!("{}.{}", encoded(header), encoded(payload));
    let signature: Signature = key(number).sign(content.as_bytes());
    format!("{content}.{}", encoded(signature.to_bytes()))
}

/// Whether key `number` has signed exactly this.
pub(super) fn has_signed(number: u8, compact: &str) -> bool {
    let Some((content, signature)) = compact.rsplit_once('.') else { return false };
    let Ok(octets) = URL_SAFE_NO_PAD.decode(signature) else { return false };
    let Ok(signature) = Signature::from_slice(&octets) else { return false };
    key(number).verifying_key().verify(content.as_bytes(), &signature).is_ok()
}

/// The compact JWS that `data` describes: after `r` the JWS itself; after `s` and `x` a header, a new line and a
/// payload, to be signed by `signer` or by another key.
pub(super) fn given(data: &[u8], signer: u8) -> Option<String> {
    let (kind, rest) = data.split_first()?;
    let mut parts = rest.splitn(2, |byte| *byte == b'\n');
    let (header, payload) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    match kind {
        b'r' => std::str::from_utf8(rest).ok().map(str::to_owned),
        b's' => Some(compact(signer, header, payload)),
        b'x' => Some(compact(STRANGERS, header, payload)),
        _ => None,
    }
}

/// The payload of a compact JWS.
pub(super) fn payload(compact: &str) -> Value {
    let payload = compact.split('.').nth(1).and_then(|payload| URL_SAFE_NO_PAD.decode(payload).ok());
    serde_json::from_slice(&payload.unwrap_or_default()).unwrap_or_default()
}
