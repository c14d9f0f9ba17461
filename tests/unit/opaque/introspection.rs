//! Opaque tokens: an introspection response is checked like a signed token.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fastgate::identity::deny_list::{Entry, RevocationClaim, RevocationKey};
use fastgate::identity::introspection::{
    IntrospectionKey, IntrospectionMemory, MAX_RESPONSE_BYTES, authorization, form, keep_for,
};
use fastgate::policy::Policy;
use fastgate::secret::Secret;
use fastgate::time::{Seconds, UnixTime};
use serde_json::{Value, json};

use super::{gate_with, policy};
use crate::offline::{Gate, NOW, get};
use crate::rules::MAIN;

fn asking() -> Value {
    json!({ "introspection": {
        "url": "https://idp.test/introspect", "backend": "idp", "client_id": "edge", "client_secret": "idp-client"
    }})
}

fn good() -> Value {
    json!({ "active": true, "aud": "api", "sub": "alice", "client_id": "shop", "scope": "a b", "exp": NOW + 600 })
}

/// The good response with some members set; a null member is removed.
fn but(parts: Value) -> String {
    let mut response = good();
    response.as_object_mut().unwrap().extend(parts.as_object().cloned().unwrap());
    response.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    response.to_string()
}

/// A gate whose provider gives this response for every token.
fn gate_for(response: &str) -> Gate {
    let gate = gate_with(&asking());
    gate.fakes().introspector.response = Some(response.as_bytes().to_vec());
    gate
}

fn verdict(response: &str) -> &'static str {
    gate_for(response).verdict(get("/me").bearer("opaque-token"))
}

#[test]
fn an_opaque_token_has_the_scopes_that_its_issuer_returns() {
    let line = gate_for(&good().to_string()).send(get("/me").bearer("opaque-token")).line();
    assert_eq!(
        (&line["verdict"], &line["subject"], &line["issuer"]),
        (&json!("forwarded"), &json!("alice"), &json!("main"))
    );
}

#[test]
fn an_introspection_response_is_checked_like_a_signed_token() {
    for (parts, expected) in [
        (json!({ "iss": "https://idp.test" }), "forwarded"),
        (json!({ "iss": "https://partner.test" }), "token-unknown-issuer"),
        (json!({ "iss": 1 }), "token-claim-malformed"),
        (json!({ "aud": null }), "token-claim-missing"),
        (json!({ "aud": "other" }), "token-audience"),
        (json!({ "aud": ["other", "api"] }), "forwarded"),
        (json!({ "exp": null }), "token-claim-missing"),
        (json!({ "exp": "soon" }), "token-claim-malformed"),
        (json!({ "exp": NOW - 31 }), "token-expired"),
        (json!({ "nbf": NOW + 60 }), "token-not-yet-valid"),
        (json!({ "iat": NOW + 60 }), "token-not-yet-valid"),
        (json!({ "cnf": { "jkt": "x" } }), "token-bound"),
        (json!({ "sub": 7 }), "token-claim-malformed"),
        (json!({ "sub": "" }), "token-claim-malformed"),
        (json!({ "client_id": ["x"] }), "token-claim-malformed"),
        (json!({ "sub": null, "client_id": null }), "token-claim-missing"),
        (json!({ "sub": null, "username": "alice" }), "token-claim-missing"),
    ] {
        assert_eq!(verdict(&but(parts.clone())), expected, "{parts}");
    }
    let line = gate_for(&but(json!({ "sub": null }))).send(get("/me").bearer("opaque-token")).line();
    assert_eq!(line["subject"], "shop", "without a resource owner the client is the subject");
}

#[test]
fn an_introspection_response_about_another_kind_of_token_is_refused() {
    for (parts, expected) in [
        (json!({ "token_use": "access_token" }), "forwarded"),
        (json!({ "token_use": "access", "token_type": "Bearer" }), "forwarded"),
        (json!({ "token_type": "bearer" }), "forwarded"),
        (json!({ "token_type": "N_A" }), "forwarded"),
        (json!({ "token_use": "refresh_token" }), "token-other-kind"),
        (json!({ "token_use": "refresh_token", "token_type": "Bearer" }), "token-other-kind"),
        (json!({ "token_use": "id" }), "token-other-kind"),
        (json!({ "token_use": "Access_Token" }), "token-other-kind"),
        (json!({ "token_use": "" }), "token-other-kind"),
        (json!({ "token_use": ["access_token"] }), "token-claim-malformed"),
        (json!({ "token_type": "id_token" }), "token-other-kind"),
        (json!({ "token_type": "refresh_token" }), "token-other-kind"),
        (json!({ "token_type": "mac" }), "token-other-kind"),
        (json!({ "token_type": "" }), "token-other-kind"),
        (json!({ "token_type": 1 }), "token-claim-malformed"),
        (json!({ "token_type": "DPoP" }), "token-claim-required"),
        (json!({ "token_type": "dpop", "cnf": { "x5t#S256": "x" } }), "token-claim-required"),
        // Bound to a key, as the type says; the proof of the key is a separate check.
        (
            json!({ "token_type": "DPoP", "cnf": { "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" } }),
            "token-bound",
        ),
    ] {
        assert_eq!(verdict(&but(parts.clone())), expected, "{parts}");
    }
}

#[test]
fn active_must_be_exactly_true() {
    assert_eq!(verdict(&json!({ "active": false }).to_string()), "token-inactive");
    assert_eq!(verdict(&but(json!({ "active": false }))), "token-inactive");
    for response in [
        String::new(),
        "true".to_owned(),
        "<html>".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        "{\"active\":".to_owned(),
        but(json!({ "active": null })),
        but(json!({ "active": "true" })),
        but(json!({ "active": 1 })),
        "{\"active\":false,\"active\":true}".to_owned(),
    ] {
        assert_eq!(verdict(&response), "introspection-unavailable", "{response}");
    }
}

#[test]
fn a_provider_that_does_not_respond_gives_503_and_not_401() {
    let outcome = gate_with(&asking()).send(get("/me").bearer("opaque-token"));
    assert_eq!(outcome.trail.verdict, "introspection-unavailable");
    let problem = outcome.problem();
    assert_eq!((problem.status(), problem.headers().all("retry-after").count()), (503, 1));
}

#[test]
fn only_opaque_tokens_are_introspected_and_only_if_the_policy_says_so() {
    let gate = gate_for(&good().to_string());
    for signed in [MAIN.token(NOW, json!({})), MAIN.token(NOW, json!({ "exp": 1 })), "a.b.c".to_owned()] {
        gate.verdict(get("/me").bearer(&signed));
    }
    assert_eq!(gate.verdict(get("/me").bearer(&"x".repeat(16_385))), "token-too-long");
    assert!(gate.fakes().introspector.requested.is_empty());
    for opaque in ["x", &"x".repeat(16_384), "a.b", "a.b.c.d.e", "ory_at_x.y", "2YotnFZFEjr1zCsicMWpAA", "a+/~-_="] {
        assert_eq!(gate.verdict(get("/me").bearer(opaque)), "forwarded");
        assert_eq!(gate.fakes().introspector.requested.pop().unwrap(), ("main".to_owned(), opaque.to_owned()));
    }
    assert_eq!(gate_with(&json!({})).verdict(get("/me").bearer("opaque-token")), "token-malformed");
}

#[test]
fn an_opaque_token_can_be_revoked_as_well() {
    let mut main = asking();
    main["deny_list"] = json!(true);
    let gate = gate_with(&main);
    gate.fakes().introspector.response = Some(but(json!({ "jti": "t-1" })).into_bytes());
    assert_eq!(gate.verdict(get("/me").bearer("opaque-token")), "forwarded");
    let mark = RevocationKey::new(RevocationClaim::Token, "https://idp.test", "t-1");
    let entry = Entry { until: UnixTime::from_seconds(NOW + 60), not_before: None };
    gate.fakes().deny_list.entries.insert(mark.store_key(), entry.to_json());
    assert_eq!(gate.verdict(get("/me").bearer("opaque-token")), "token-revoked");
}

#[test]
fn the_introspection_request_is_encoded_as_the_standards_say() {
    let posted = form(&Secret::new("a+b/c=~ &x=1é"));
    assert_eq!(posted.expose(), "token=a%2Bb%2Fc%3D%7E+%26x%3D1%C3%A9&token_type_hint=access_token");
    let sent = authorization("edge:1", &Secret::new("s p/ü".to_owned()));
    // base64 of "edge%3A1:s+p%2F%C3%BC" (RFC 6749 §2.3.1)
    assert_eq!(sent.expose(), "Basic ZWRnZSUzQTE6cytwJTJGJUMzJUJD");
    assert!(!format!("{posted:?}{sent:?}").contains("token="));
}

#[test]
fn an_introspection_response_is_kept_for_the_window_and_never_past_exp() {
    let now = UnixTime::from_seconds(NOW);
    for (response, window, seconds) in [
        (but(json!({})), 30, 30),
        (but(json!({ "exp": NOW + 7 })), 30, 7),
        (but(json!({ "exp": NOW - 7 })), 30, 0),
        (but(json!({})), 0, 0),
        (json!({ "active": false }).to_string(), 30, 5),
        (json!({ "active": false }).to_string(), 2, 2),
        (json!({ "active": true, "exp": 1_800_000_007.5 }).to_string(), 30, 7),
        (json!({ "active": true, "exp": "soon" }).to_string(), 30, 5),
    ] {
        assert_eq!(keep_for(response.as_bytes(), Seconds::new(window), now), Ok(Seconds::new(seconds)), "{response}");
    }
    assert!(keep_for(b"<html>", Seconds::new(30), now).is_err());
}

#[test]
fn introspection_responses_are_kept_by_token_and_endpoint() {
    let question = |main: &Value, token| {
        let policy = Policy::parse(policy(main).to_string().as_bytes()).unwrap();
        let (issuer, endpoint) = policy.introspection().unwrap();
        IntrospectionKey::new(issuer, endpoint, &Secret::new(token))
    };
    let (mut memory, now) = (IntrospectionMemory::default(), UnixTime::from_seconds(NOW));
    memory.keep(question(&asking(), "one"), b"{}".to_vec(), now.plus(Seconds::new(5)));
    assert_eq!(memory.recall(&question(&asking(), "one"), now.plus(Seconds::new(4))), Some(&b"{}".to_vec()));
    assert_eq!(memory.recall(&question(&asking(), "one"), now.plus(Seconds::new(5))), None);
    assert_eq!(memory.recall(&question(&asking(), "two"), now), None);
    for (member, value) in [("url", "https://idp.test/other"), ("client_id", "other")] {
        let mut other = asking();
        other["introspection"][member] = json!(value);
        assert_eq!(memory.recall(&question(&other, "one"), now), None, "{member}");
    }
}

#[test]
fn faults_of_introspection_are_found() {
    let faults = |main: Value, partner: Option<Value>| {
        let mut document = policy(&main);
        if let Some(partner) = partner {
            document["issuers"]["partner"]["introspection"] = partner;
        }
        let faults = Policy::parse(document.to_string().as_bytes()).unwrap_err();
        faults.0.iter().map(|fault| fault.at.clone()).collect::<Vec<_>>()
    };
    let at = |member: &str| vec![format!("$.issuers.main.introspection.{member}")];
    for (member, value) in [
        ("url", "http://idp.test/introspect"),
        ("backend", ""),
        ("client_id", ""),
        ("client_secret", ""),
        ("client_secret", "a secret, not its name"),
    ] {
        let mut main = asking();
        main["introspection"][member] = json!(value);
        assert_eq!(faults(main, None), at(member), "{value}");
    }
    let second = asking()["introspection"].clone();
    assert_eq!(faults(asking(), Some(second)), ["$.issuers.partner.introspection"]);
}

#[test]
fn the_client_id_is_form_encoded() {
    let secret = Secret::new("a:b c%é+".to_owned());
    let field = authorization("my client*-._~09AZaz", &secret);
    let encoded = field.expose().strip_prefix("Basic ").unwrap();
    let spelled = String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap();
    assert_eq!(spelled, "my+client*-._%7E09AZaz:a%3Ab+c%25%C3%A9%2B");
}

/// Responses are a few hundred bytes, some with a list of permissions; longer ones are not read to the end.
#[test]
fn an_introspection_response_is_at_most_16_kib_long() {
    assert_eq!(MAX_RESPONSE_BYTES, 16_384);
}
