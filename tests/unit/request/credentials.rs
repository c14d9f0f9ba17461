//! Section A of `docs/attacks.md`: how a client presents credentials. Each row runs through the whole pipeline.

use crate::offline::fakes::FakeKeys;
use crate::offline::{Gate, get, policy_of, request};
use crate::samples::policy_document;
use crate::samples::sign::good;

#[test]
fn only_one_bearer_token_in_one_authorization_field_is_credentials() {
    let good = good();
    let bearer = |token: &str| format!("Bearer {token}").into_bytes();
    for (fields, verdict) in [
        (vec![], "credentials-missing"),
        (vec![bearer(&good)], "forwarded"),
        (vec![format!("bearer {good}").into_bytes()], "forwarded"),
        (vec![format!("BEARER {good}").into_bytes()], "forwarded"),
        (vec![bearer(&good), bearer("bad")], "credentials-repeated"),
        (vec![bearer("bad"), bearer(&good)], "credentials-repeated"),
        (vec![bearer(&good), bearer(&good)], "credentials-repeated"),
        (vec![bearer(&good), vec![]], "credentials-repeated"),
        (vec![bearer(&good), b"Basic dTpw".to_vec()], "credentials-repeated"),
        (vec![format!("Bearer {good}, Bearer {good}").into_bytes()], "credentials-malformed"),
        (vec![format!("Bearer {good},{good}").into_bytes()], "credentials-malformed"),
        (vec![b"Bearer".to_vec()], "credentials-malformed"),
        (vec![b"Bearer/abc".to_vec()], "credentials-malformed"),
        (vec![b"Bearer   ".to_vec()], "credentials-malformed"),
        (vec![format!("Bearer {good} x").into_bytes()], "credentials-malformed"),
        (vec![format!("Bearer {good};x=1").into_bytes()], "credentials-malformed"),
        (vec![format!("Bearer {good} ").into_bytes()], "credentials-malformed"),
        (vec![format!("Bearer \"{good}\"").into_bytes()], "credentials-malformed"),
        (vec![format!("Bearer\t{good}").into_bytes()], "credentials-malformed"),
        (vec![format!("Bearer\u{a0}{good}").into_bytes()], "credentials-malformed"),
        (vec![format!("Bearer  {good}").into_bytes()], "forwarded"),
        (vec![format!("bearer     {good}").into_bytes()], "forwarded"),
        (vec![format!("Bearer:{good}").into_bytes()], "credentials-malformed"),
        (vec![format!(" Bearer {good}").into_bytes()], "credentials-other-scheme"),
        (vec![format!("DPoP {good}").into_bytes()], "proof-unbound"),
        (vec![format!("DPoP {good} ").into_bytes()], "credentials-malformed"),
        (vec![format!("Token {good}").into_bytes()], "credentials-other-scheme"),
        (vec![b"Basic dTpw".to_vec()], "credentials-other-scheme"),
        (vec![b"Negotiate YII=".to_vec()], "credentials-other-scheme"),
        (vec![good.clone().into_bytes()], "credentials-other-scheme"),
        (vec![vec![]], "credentials-other-scheme"),
        (vec![b"\xff\xfe".to_vec()], "credentials-other-scheme"),
        (vec![b"Bearer \xff\xfe".to_vec()], "credentials-malformed"),
    ] {
        let request = fields.iter().fold(get("/me"), |request, value| request.field("Authorization", value.clone()));
        let shown: Vec<_> = fields.iter().map(|value| crate::offline::text(value)).collect();
        assert_eq!(request.decide().trail.verdict, verdict, "{shown:?}");
    }
}

#[test]
fn a_token_anywhere_else_is_not_read() {
    let good = good();
    for request in [
        get(&format!("/me?access_token={good}")),
        get("/me").field("cookie", format!("access_token={good}")),
        get("/me").field("x-access-token", good.clone()),
        get("/me").field("proxy-authorization", format!("Bearer {good}")),
        get("/me").field("x-authorization", format!("Bearer {good}")),
    ] {
        assert_eq!(request.decide().trail.verdict, "credentials-missing");
    }
}

#[test]
fn a_cookie_does_not_make_an_invalid_token_valid() {
    let outcome = get("/me").bearer("bad").field("cookie", format!("session={}", good())).decide();
    assert_eq!(outcome.problem().status(), 401);
}

#[test]
fn credentials_that_connection_names_are_removed_and_not_used() {
    let outcome = get("/me").bearer(&good()).field("connection", "Authorization").decide();
    assert_eq!(outcome.trail.verdict, "credentials-missing");
}

#[test]
fn only_the_methods_that_a_route_names_get_through() {
    for method in ["HEAD", "OPTIONS", "TRACE", "CONNECT", "get", "Get", "POST", "PURGE", "GET ", "INVENTED", ""] {
        let outcome = request(method, "/me").bearer(&good()).decide();
        assert_eq!(outcome.trail.verdict, "method-not-allowed", "{method}");
        let anonymous = request(method, "/me").decide();
        assert_eq!(anonymous.problem(), outcome.problem(), "{method}: a token has no effect");
    }
}

#[test]
fn no_field_changes_the_method_the_path_or_the_required_access() {
    for (name, value) in [
        ("x-http-method-override", "PUT"),
        ("x-http-method", "PUT"),
        ("x-method-override", "PUT"),
        ("_method", "PUT"),
        ("x-original-url", "/pub/x"),
        ("x-original-uri", "/pub/x"),
        ("x-rewrite-url", "/pub/x"),
        ("x-forwarded-uri", "/pub/x"),
        ("x-forwarded-prefix", "/pub"),
        ("x-forwarded-method", "PUT"),
        ("x-script-name", "/pub"),
        ("daphne-root-path", "/pub"),
        ("x-original-method", "PUT"),
        ("x-original-host", "evil.test"),
    ] {
        let anonymous = get("/orders/1").field(name, value).decide();
        assert_eq!(anonymous.trail.verdict, "credentials-missing", "{name}");
        let known = get("/orders/1").field(name, value).bearer(&good()).decide();
        assert_eq!(known.sent(name), [""; 0], "{name}");
        assert_eq!((known.grant().method(), known.grant().path_and_query()), ("GET", "/orders/1"), "{name}");
    }
    for agent in ["GoogleHC/1.0", "kube-probe/1.30", "ELB-HealthChecker/2.0"] {
        assert_eq!(get("/me").field("user-agent", agent).decide().trail.verdict, "credentials-missing", "{agent}");
    }
}

#[test]
fn tokens_of_an_issuer_with_deny_list_are_refused_without_the_list() {
    let mut document = policy_document();
    document["issuers"]["alpha"]["deny_list"] = true.into();
    let gate = Gate::new(policy_of(&document), FakeKeys::of_both());
    gate.fakes().deny_list.broken = true;
    let outcome = gate.send(get("/me").bearer(&good()));
    assert_eq!((outcome.problem().status(), outcome.trail.verdict), (503, "deny-list-unavailable"));
}

#[test]
fn an_opaque_token_gets_503_if_no_issuer_can_be_reached() {
    let mut document = policy_document();
    document["issuers"]["alpha"]["introspection"] = serde_json::json!({
        "url": "https://alpha.test/introspect", "backend": "alpha", "client_id": "edge", "client_secret": "alpha-client"
    });
    let outcome = get("/me").bearer("opaque").decide_with(policy_of(&document), FakeKeys::of_both());
    assert_eq!((outcome.problem().status(), outcome.trail.verdict), (503, "introspection-unavailable"));
}
