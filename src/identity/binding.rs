//! The key or certificate that a token is bound to (`cnf`, RFC 7800 §3.1). Input: the claim. Output: a [`Binding`]. The
//! presenter must prove that it holds the private key, see [`possession`](super::possession).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::Value;

use super::token_error::TokenError;

/// The binding of a token. Its JSON form is a `cnf` claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Binding {
    /// A public key, by its RFC 7638 thumbprint (RFC 9449 §6.1).
    #[serde(rename = "jkt")]
    Key(Thumbprint),
    /// A client certificate, by the SHA-256 of its DER (RFC 8705 §3.1).
    #[serde(rename = "x5t#S256")]
    Certificate(Thumbprint),
}

/// A SHA-256 in base64url without padding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Thumbprint(String);

impl Thumbprint {
    /// The thumbprint in the form that claims use.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn of(digest: &[u8; 32]) -> Self {
        Self(URL_SAFE_NO_PAD.encode(digest))
    }

    /// Reads a thumbprint from a claim. Decoding is strict, so that each digest has one spelling.
    fn read(claim: &Value) -> Option<Self> {
        let text = claim.as_str()?;
        let digest = URL_SAFE_NO_PAD.decode(text).ok()?;
        (digest.len() == 32).then(|| Self(text.to_owned()))
    }
}

impl Binding {
    /// The binding that a token's `cnf` declares; `None` without `cnf`.
    ///
    /// # Errors
    /// [`TokenError::Bound`] if `cnf` is not exactly one of the two bindings that are supported. A token that is bound
    /// in an unknown way never counts as unbound.
    pub(super) fn of(confirmation: Option<&Value>) -> Result<Option<Self>, TokenError> {
        let Some(confirmation) = confirmation else { return Ok(None) };
        let mut members = confirmation.as_object().ok_or(TokenError::Bound)?.iter();
        let (Some((name, value)), None) = (members.next(), members.next()) else {
            return Err(TokenError::Bound);
        };
        let thumbprint = Thumbprint::read(value).ok_or(TokenError::Bound)?;
        match name.as_str() {
            "jkt" => Ok(Some(Self::Key(thumbprint))),
            "x5t#S256" => Ok(Some(Self::Certificate(thumbprint))),
            _ => Err(TokenError::Bound),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Binding, Thumbprint};
    use crate::identity::token_error::TokenError;

    fn of(claims: &Value) -> Result<Option<Binding>, TokenError> {
        Binding::of(claims.get("cnf"))
    }

    #[test]
    fn one_thumbprint_of_a_known_kind_is_a_binding_and_prints_as_it_was_read() {
        let digest = Thumbprint::of(&[7; 32]);
        for (cnf, binding) in [
            (json!({ "jkt": digest.as_str() }), Binding::Key(digest.clone())),
            (json!({ "x5t#S256": digest.as_str() }), Binding::Certificate(digest.clone())),
        ] {
            assert_eq!(serde_json::to_value(&binding).unwrap(), cnf);
            assert_eq!(of(&json!({ "cnf": cnf })), Ok(Some(binding)));
        }
        assert_eq!(of(&json!({})), Ok(None));
    }

    #[test]
    fn any_other_binding_is_an_error() {
        let digest = Thumbprint::of(&[7; 32]).as_str().to_owned();
        for cnf in [
            json!({}),
            json!(null),
            json!([]),
            json!("jkt"),
            json!({ "jkt": "" }),
            json!({ "jkt": 1 }),
            json!({ "jkt": "AAAA" }),
            json!({ "jkt": format!("{digest}=") }),
            json!({ "jkt": digest, "x5t#S256": digest }),
            json!({ "jkt": digest, "other": 1 }),
            json!({ "jwk": { "kty": "EC" } }),
            json!({ "kid": digest }),
            json!({ "JKT": digest }),
        ] {
            assert_eq!(of(&json!({ "cnf": cnf })), Err(TokenError::Bound), "{cnf}");
        }
    }
}
