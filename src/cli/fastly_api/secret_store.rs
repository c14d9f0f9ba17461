//! Secrets. A value leaves this machine only in a sealed box (X25519 and XSalsa20-Poly1305, as libsodium makes them), for
//! a key of Fastly's that Fastly has signed. The API never returns a value.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto_box::PublicKey;
use crypto_box::aead::OsRng;
use ed25519_dalek::{Signature, VerifyingKey};
use fastgate::mint::KeyText;
use serde_json::{Value, json};

use ureq::http::Method;

use super::agent::Request;
use super::client::{Api, ApiError, variable};
use super::lists::pages;
use super::path::encoded;

/// The Ed25519 key with which Fastly signs the keys for sealed boxes; the Fastly CLI contains the same one. It does not
/// come from the API, so whoever can answer in place of the API cannot read secrets.
const SIGNING_KEY: &str = "CrO/A92vkxEZjtTW7D/Sr+1EMf/q9BahC0sfLkWa+0k=";
/// The environment variable by which the API's own key is used instead: `1` or `true`. The Fastly CLI knows it as well, and
/// takes every value for yes, so all others are an error here.
const USE_API_KEY: &str = "FASTLY_USE_API_SIGNING_KEY";

/// A secret without its value.
#[derive(Clone, Debug)]
pub(in super::super) struct ListedSecret {
    pub(in super::super) name: String,
    /// The time at which it was created (RFC 3339, UTC).
    pub(in super::super) created_at: String,
}

/// One Secret Store.
pub(in super::super) struct SecretStore {
    api: Api,
    id: String,
}

impl SecretStore {
    pub(super) fn new(api: Api, id: String) -> Self {
        Self { api, id }
    }

    /// The id, for commands that a person may copy.
    pub(in super::super) fn id(&self) -> &str {
        &self.id
    }

    fn path(&self) -> String {
        format!("/resources/stores/secret/{}/secrets", encoded(&self.id))
    }

    fn subject(&self, name: &str) -> String {
        format!("secret \"{name}\" of the Secret Store {}", self.id)
    }

    /// All secrets.
    pub(in super::super) fn list(&self) -> Result<Vec<ListedSecret>, ApiError> {
        let subject = format!("Secret Store {}", self.id);
        let listed = pages(&self.api, &format!("{}?limit=100", self.path()), &subject)?;
        let secret = |listed: &Value| {
            let text = |name: &str| listed.get(name).and_then(Value::as_str).map(str::to_owned);
            Some(ListedSecret { name: text("name")?, created_at: text("created_at").unwrap_or_default() })
        };
        let secrets: Option<Vec<_>> = listed.iter().map(secret).collect();
        secrets.ok_or_else(|| {
            ApiError::Failed(format!("{subject}: the answer of Fastly's API has a secret without a name"))
        })
    }

    /// Creates a secret, unless there is one of this name: `name` must say which value it has, as the `kid` of a key does.
    pub(in super::super) fn create(&self, name: &str, value: &KeyText) -> Result<(), ApiError> {
        let subject = self.subject(name);
        let key = self.client_key(&subject)?;
        let sealed = PublicKey::from(key)
            .seal(&mut OsRng, value.expose().as_bytes())
            .map_err(|_| ApiError::Failed(format!("{subject}: the value cannot be sealed")))?;
        let body =
            json!({ "name": name, "secret": STANDARD.encode(sealed), "client_key": STANDARD.encode(key) }).to_string();
        let path = self.path();
        let request = Request { body: body.as_bytes(), ..Request::new(Method::POST, &path) };
        let answer = self.api.attempt(&request, &subject)?;
        if answer.status == 409 { Ok(()) } else { self.api.accepted(answer, &subject).map(|_| ()) }
    }

    /// Deletes a secret; it is a success if there is none.
    pub(in super::super) fn delete(&self, name: &str) -> Result<(), ApiError> {
        let path = format!("{}/{}", self.path(), encoded(name));
        self.api.send_or_absent(&Request::new(Method::DELETE, &path), &self.subject(name)).map(|_| ())
    }

    /// A new key for one sealed box, after its signature was verified.
    fn client_key(&self, subject: &str) -> Result<[u8; 32], ApiError> {
        let uses_api_key = match variable(USE_API_KEY).as_deref() {
            None => false,
            Some("1" | "true") => true,
            Some(_) => {
                return Err(ApiError::Failed(format!(
                    "{subject}: not written, because {USE_API_KEY} has a value that is neither 1 nor true; unset it, unless the key \
                     that the API names is to be trusted"
                )));
            }
        };
        let trusted = if uses_api_key {
            let answer = self.api.read("/resources/stores/secret/signing-key", subject)?;
            octets(&answer, "signing_key")
        } else {
            octets(&json!({ "signing_key": SIGNING_KEY }), "signing_key")
        };
        let answer = self.api.post("/resources/stores/secret/client-key", b"", subject)?;
        verified(&answer, trusted).ok_or_else(|| {
            ApiError::Failed(format!(
                "{subject}: not written, because the key for it is not signed by Fastly as this version knows it; install a \
                 newer Fastgate, or set {USE_API_KEY}=1 to trust the key that the API names"
            ))
        })
    }
}

/// The key in an answer, if the trusted key has signed it.
fn verified(answer: &Value, trusted: Option<[u8; 32]>) -> Option<[u8; 32]> {
    let key: [u8; 32] = octets(answer, "public_key")?;
    let signature = Signature::from_bytes(&octets(answer, "signature")?);
    VerifyingKey::from_bytes(&trusted?).ok()?.verify_strict(&key, &signature).ok()?;
    Some(key)
}

fn octets<const N: usize>(answer: &Value, name: &str) -> Option<[u8; N]> {
    STANDARD.decode(answer.get(name)?.as_str()?).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use ed25519_dalek::{Signer as _, SigningKey};
    use serde_json::json;

    use super::{SIGNING_KEY, verified};

    #[test]
    fn only_a_key_that_the_trusted_key_has_signed_is_used() {
        let (fastly, key) = (SigningKey::from_bytes(&[7; 32]), [9; 32]);
        let answer = |signed: &[u8]| {
            let signature = STANDARD.encode(fastly.sign(signed).to_bytes());
            json!({ "public_key": STANDARD.encode(key), "signature": signature })
        };
        let trusted = Some(fastly.verifying_key().to_bytes());
        assert_eq!(verified(&answer(&key), trusted), Some(key));
        assert_eq!(verified(&answer(&[8; 32]), trusted), None);
        assert_eq!(verified(&answer(&key), Some([1; 32])), None);
        assert_eq!(verified(&answer(&key), None), None);
        assert_eq!(verified(&json!({ "public_key": STANDARD.encode(key) }), trusted), None);
    }

    #[test]
    fn fastlys_key_is_a_key() {
        let octets: Option<[u8; 32]> = STANDARD.decode(SIGNING_KEY).ok().and_then(|octets| octets.try_into().ok());
        assert!(octets.is_some_and(|octets| ed25519_dalek::VerifyingKey::from_bytes(&octets).is_ok()));
    }
}
