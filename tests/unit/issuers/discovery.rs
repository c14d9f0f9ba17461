//! The URL of an issuer's keys, by its discovery document (OpenID Connect Discovery §4).

use fastgate::identity::discovery::{DiscoveryError, document_url, jwks_uri};
use fastgate::policy::Policy;
use serde_json::{Value, json};

use super::policy;

fn issued_by(issuer: &str) -> Policy {
    policy(&json!({ "issuer": issuer })).unwrap()
}

/// The result of a document with these members, for the issuer `https://idp.test/realms/a`.
fn found(document: &Value) -> Result<String, DiscoveryError> {
    let policy = issued_by("https://idp.test/realms/a");
    jwks_uri(policy.issuer("https://idp.test/realms/a").unwrap(), document.to_string().as_bytes())
}

#[test]
fn the_document_is_below_the_issuer_with_or_without_a_slash_at_its_end() {
    for (issuer, url) in [
        ("https://idp.test", "https://idp.test/.well-known/openid-configuration"),
        ("https://idp.test/", "https://idp.test/.well-known/openid-configuration"),
        ("https://idp.test/realms/a", "https://idp.test/realms/a/.well-known/openid-configuration"),
    ] {
        assert_eq!(document_url(issued_by(issuer).issuer(issuer).unwrap()), url);
    }
}

#[test]
fn only_the_issuers_own_document_names_its_keys() {
    let uri = "https://idp.test/realms/a/keys";
    let own = json!({ "issuer": "https://idp.test/realms/a", "jwks_uri": uri });
    assert_eq!(found(&own), Ok(uri.to_owned()));
    for other in [json!("https://idp.test/realms/b"), json!("https://idp.test/realms/a/"), json!(1), Value::Null] {
        assert_eq!(found(&json!({ "issuer": other, "jwks_uri": uri })), Err(DiscoveryError::OtherIssuer), "{other}");
    }
    assert_eq!(found(&json!({ "jwks_uri": uri })), Err(DiscoveryError::OtherIssuer));
    for not_an_object in [json!([]), json!("x"), Value::Null] {
        assert_eq!(found(&not_an_object), Err(DiscoveryError::Malformed), "{not_an_object}");
    }
}

#[test]
fn keys_are_read_over_https_from_the_issuers_own_host() {
    for elsewhere in [
        json!("https://keys.test/keys"),
        json!("http://idp.test/keys"),
        json!("https://idp.test:8443/keys"),
        json!("/keys"),
        json!(""),
        json!(["https://idp.test/keys"]),
        Value::Null,
    ] {
        let document = json!({ "issuer": "https://idp.test/realms/a", "jwks_uri": elsewhere });
        assert_eq!(found(&document), Err(DiscoveryError::ForeignKeys), "{elsewhere}");
    }
}
