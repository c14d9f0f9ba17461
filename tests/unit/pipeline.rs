//! Whole requests through `Gateway::decide`: the forwarded request, the response to the client, the log line.

use fastgate::gateway::Decision;
use jwt_simple::prelude::{
    Duration, Ed25519PublicKey, EdDSAPublicKeyLike as _, NoCustomClaims, UnixTimeStamp, VerificationOptions,
};
use serde_json::{Value, json};

use crate::offline::fakes::FakeKeys;
use crate::offline::{NOW, REQUEST_ID, Request, get, request};
use crate::samples::sign::{self, Signing, claims, compact, good, header, payload_of, token, with, without};
use crate::samples::{fields, policy};

#[test]
fn a_granted_request_is_forwarded_in_exactly_this_form() {
    let outcome = get("https://edge.test/orders/%34%32?view=full&q='a")
        .field("accept", "text/html")
        .field("Cookie", "theme=dark")
        .field("fastgate-identity", "forged")
        .field("x-forwarded-for", "203.0.113.9")
        .field("connection", "x-hop")
        .field("x-hop", "1")
        .bearer(&good())
        .decide();
    let grant = outcome.grant();
    assert_eq!(grant.backend(), "app-backend");
    assert_eq!(grant.method(), "GET");
    assert_eq!(grant.authority(), "https://edge.test");
    assert_eq!(grant.path_and_query(), "/orders/42?view=full&q=%27a");
    let identity = outcome.sent("fastgate-identity").concat();
    let expected = [
        ("accept", "text/html"),
        ("cookie", "theme=dark"),
        ("host", "edge.test"),
        ("x-forwarded-host", "edge.test"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-for", "192.0.2.7"),
        ("x-request-id", REQUEST_ID),
        ("fastgate-identity", &identity),
    ];
    assert_eq!(fields(grant.headers()), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn the_identity_header_names_the_caller_and_the_request() {
    let outcome = request("PUT", "/orders/42?view=full").bearer(&good()).decide();
    let identity = outcome.sent("fastgate-identity").concat();
    verify_as_an_origin_would(&identity, "app-audience");
    let digest = sign::encoded(hmac_sha256::Hash::hash(b"view=full"));
    let expected = json!({
        "iss": "https://edge.test", "aud": "app-audience", "iat": NOW, "exp": NOW + 30, "sub": "ada",
        "txn": REQUEST_ID, "req_wl": "https://edge.test", "scope": "orders:read orders:all admin",
        "tctx": {
            "route": "order", "template": "/orders/{order_id:int}", "method": "PUT", "host": "edge.test",
            "path": "/orders/42", "query": digest
        },
        "rctx": { "iss": "https://alpha.test", "client_id": "shop", "token_exp": NOW + 600, "country": "CH" }
    });
    assert_eq!(payload_of(&identity), expected);
}

#[test]
fn the_identity_header_has_the_host_that_the_origin_receives() {
    for host in ["edge.test", "api.edge.test:8443", "[::1]"] {
        let mut request = get("/pub/x");
        request.head.headers = [("host", host)].into_iter().collect();
        let outcome = request.decide();
        let claims = payload_of(&outcome.sent("fastgate-identity").concat());
        assert_eq!(outcome.sent("host"), [host]);
        assert_eq!(claims["tctx"]["host"], host);
    }
}

#[test]
fn the_end_of_the_callers_token_is_given_in_whole_seconds() {
    for (exp, told) in [(json!(NOW + 7), NOW + 7), (json!(1_800_000_600.9), NOW + 600), (json!(NOW - 10), NOW - 10)] {
        let token = token(&header(), &with(&claims(), "exp", exp.clone()));
        let outcome = get("/me").bearer(&token).decide();
        let minted = payload_of(&outcome.sent("fastgate-identity").concat());
        assert_eq!(minted["rctx"]["token_exp"], told, "{exp}");
        assert_eq!(minted["exp"], NOW + 30, "the header has its own end");
    }
}

#[test]
fn on_a_public_route_the_caller_is_anonymous_and_no_token_is_read_or_forwarded() {
    for authorization in ["", "Bearer not-a-token", &format!("Bearer {}", good()), "Basic dTpw"] {
        let outcome = get("/pub/x").field("authorization", authorization).decide();
        let identity = outcome.sent("fastgate-identity").concat();
        verify_as_an_origin_would(&identity, "app-audience");
        let expected = json!({
            "iss": "https://edge.test", "aud": "app-audience", "iat": NOW, "exp": NOW + 30, "txn": REQUEST_ID,
            "req_wl": "https://edge.test", "scope": "",
            "tctx": {
                "route": "pub", "template": "/pub/{rest:path}", "method": "GET", "host": "edge.test", "path": "/pub/x"
            },
            "rctx": { "country": "CH" }
        });
        assert_eq!(payload_of(&identity), expected, "{authorization}");
        assert_eq!(outcome.sent("authorization"), [""; 0], "{authorization}");
        assert_eq!((outcome.trail.subject, outcome.requested), (None, vec![]), "{authorization}");
    }
}

#[test]
fn the_clients_token_is_forwarded_only_if_the_route_says_so() {
    let bearer = format!("Bearer {}", good());
    assert_eq!(get("/files/a.txt").bearer(&good()).decide().sent("authorization"), [bearer]);
    assert_eq!(get("/me").bearer(&good()).decide().sent("authorization"), [""; 0]);
}

#[test]
fn each_route_goes_to_its_own_origin_and_audience() {
    for (path, backend, audience) in
        [("/me", "app-backend", "app-audience"), ("/files/a.txt", "files-backend", "files-audience")]
    {
        let outcome = get(path).bearer(&good()).decide();
        assert_eq!(outcome.grant().backend(), backend);
        assert_eq!(payload_of(&outcome.sent("fastgate-identity").concat())["aud"], audience);
    }
}

#[test]
fn an_rs256_token_is_accepted_like_an_es256_one() {
    let header = with(&with(&header(), "alg", "RS256"), "kid", "alpha-rsa");
    let token = compact(header.to_string(), claims().to_string(), Signing::Rs256("alpha-rsa"));
    let outcome = get("/me").bearer(&token).decide();
    assert_eq!(outcome.trail.subject.as_deref(), Some("ada"));
    assert_eq!((outcome.trail.verdict, outcome.requested), ("forwarded", vec!["alpha".to_owned()]));
}

#[test]
fn every_kind_of_refusal_gets_the_response_in_the_table() {
    let few_scopes = token(&header(), &with(&claims(), "scope", "orders:read"));
    let metadata = "resource_metadata=\"https://edge.test/.well-known/oauth-protected-resource\"";
    let challenge = |value: &str| Some(("www-authenticate", format!("Bearer {value}{metadata}")));
    let many = (0..101).fold(get("/me"), |request, number| request.field(&format!("x-{number}"), ""));
    for (request, status, kind, field, code) in [
        (get("/me").hosts(&[]), 400, "bad-request", None, "host-malformed"),
        (get("/me").hosts(&[b"other.test"]), 421, "misdirected-request", None, "host-unknown"),
        (get("/a/../me"), 400, "bad-request", None, "path-ambiguous"),
        (get("*"), 400, "bad-request", None, "target-malformed"),
        (get(&format!("/{}", "a".repeat(8192))), 414, "uri-too-long", None, "target-too-long"),
        (many, 431, "header-fields-too-large", None, "too-many-fields"),
        (get("/nowhere"), 404, "not-found", None, "no-route"),
        (request("POST", "/me"), 405, "method-not-allowed", Some(("allow", "GET".to_owned())), "method-not-allowed"),
        (get("/me"), 401, "authentication-required", challenge(""), "credentials-missing"),
        (
            get("/me").bearer(&good()).bearer(&good()),
            400,
            "bad-request",
            challenge("error=\"invalid_request\", "),
            "credentials-repeated",
        ),
        (get("/me").bearer("a.b.c"), 401, "invalid-token", challenge("error=\"invalid_token\", "), "token-malformed"),
        (
            get("/orders/1").bearer(&few_scopes),
            403,
            "insufficient-scope",
            challenge("error=\"insufficient_scope\", scope=\"orders:read orders:all\", "),
            "insufficient-scope",
        ),
        (
            get("/me").bearer(&good()).field("x-large", "x".repeat(16_000)),
            431,
            "header-fields-too-large",
            None,
            "head-too-long",
        ),
    ] {
        let outcome = request.decide();
        refused_as(&outcome.decision, status, kind, field.as_ref().map(|(name, value)| (*name, value.as_str())));
        assert_eq!((outcome.trail.verdict, outcome.trail.status), (code, status));
        assert!(outcome.trail.cause.is_some(), "{code}");
    }
}

#[test]
fn unavailable_keys_give_503() {
    let outcome = get("/me").bearer(&good()).decide_with(policy(), FakeKeys::none());
    refused_as(&outcome.decision, 503, "unavailable", Some(("retry-after", "5")));
    assert_eq!(outcome.trail.verdict, "keys-unavailable");
    assert_eq!(outcome.trail.issuer, Some("alpha".into()));
    assert!(outcome.trail.cause.unwrap().contains("the line is dead"), "the log has the cause");
}

#[test]
fn keys_are_fetched_only_after_all_other_checks_of_a_token() {
    for (why, token) in [
        ("an unknown issuer", token(&header(), &with(&claims(), "iss", "https://evil.test"))),
        ("an algorithm", token(&with(&header(), "alg", "HS256"), &claims())),
        ("a type", token(&with(&header(), "typ", "JWT"), &claims())),
        ("an extension", token(&with(&header(), "crit", json!(["exp"])), &claims())),
        ("another audience", token(&header(), &with(&claims(), "aud", "https://evil.test"))),
        ("no audience", token(&header(), &without(&claims(), "aud"))),
        ("expired", token(&header(), &with(&claims(), "exp", NOW - 31))),
        ("no expiry", token(&header(), &without(&claims(), "exp"))),
        ("not yet valid", token(&header(), &with(&claims(), "nbf", NOW + 31))),
        ("no subject", token(&header(), &without(&claims(), "sub"))),
        ("too long", token(&header(), &with(&claims(), "pad", "x".repeat(16_384)))),
        ("not a token", "a.b.c".to_owned()),
    ] {
        let outcome = get("/me").bearer(&token).decide();
        assert_eq!(outcome.problem().status(), if why == "too long" { 431 } else { 401 }, "{why}");
        assert_eq!(outcome.requested, [""; 0], "{why}");
    }
    assert_eq!(get("/me").bearer(&good()).decide().requested, ["alpha"], "the key of a good token is requested once");
    assert_eq!(
        get("/nowhere").bearer(&good()).decide().requested,
        [""; 0],
        "no key is requested for a path without a route"
    );
}

#[test]
fn the_log_line_holds_no_secret_and_is_one_line() {
    let kid = "a\r\n{\"admin\":true}\u{1b}[31m";
    let hostile = token(&with(&header(), "kid", format!("{kid}{}", "k".repeat(100))), &claims());
    let tampered = format!("{}AAAA", good());
    for (path, token) in [
        ("/me", good()),
        ("/orders/1", good()),
        ("/nowhere", good()),
        ("/pub/x", good()),
        ("/files/a.txt", good()),
        ("/me", tampered),
        ("/me", hostile),
        ("/me", "hunter2".to_owned()),
        ("/admin/%2e%2e", good()),
    ] {
        let outcome = get(&format!("{path}?access_token=s3cret-query"))
            .field("cookie", "session=s3cret-cookie")
            .field("x-api-key", "s3cret-field")
            .field("proxy-authorization", "Basic s3cret-proxy")
            .bearer(&token)
            .decide();
        let line = outcome.trail.to_line();
        let identity = match &outcome.decision {
            Decision::Forward(_) => outcome.sent("fastgate-identity").concat(),
            _ => "no identity".to_owned(),
        };
        for secret in token.split('.').chain(identity.split('.')).chain(["s3cret", "access_token"]) {
            assert!(!line.contains(secret), "{secret} in {line}");
        }
        assert!(line.chars().all(|letter| !letter.is_control()), "{line}");
        let entry: Value = serde_json::from_str(&line).unwrap();
        let key_id = entry["key_id"].as_str().unwrap_or_default();
        assert!(key_id.chars().count() <= 64, "{line}");
        assert_eq!(entry["request_id"], REQUEST_ID);
    }
}

#[test]
fn nothing_prints_a_token_in_debug_form_either() {
    let head = get("/me").bearer(&good());
    let target = head.normalized().unwrap();
    assert!(!format!("{target:?}").contains(&good()));
}

#[test]
fn the_trail_names_the_steps_that_can_take_time_and_the_one_that_refused() {
    let steps = |request: Request| {
        let entry: Value = serde_json::from_str(&request.decide().trail.to_line()).unwrap();
        entry["steps"].clone()
    };
    assert_eq!(steps(get("/me").bearer(&good())), json!([["identify", 10], ["mint", 10]]));
    assert_eq!(steps(get("/me")), json!([["identify", 10]]), "the last step is the one that refused");
    assert_eq!(steps(get("//")), json!([["normalize", 10]]));
    assert_eq!(steps(get("/nothing")), json!([["match", 10]]));
}

#[test]
fn the_edge_serves_its_public_keys_whatever_the_policy_says() {
    for target in ["/.well-known/fastgate/jwks.json", "/.well-known/fastgate/jwks%2Ejson?x"] {
        let outcome = get(target).decide();
        let Decision::Publish(keys) = &outcome.decision else { panic!("{:?}", outcome.decision) };
        assert_eq!(keys.fields.all("content-type").collect::<Vec<_>>(), [b"application/jwk-set+json"]);
        let keys: Value = serde_json::from_str(&keys.body).unwrap();
        assert_eq!(keys["keys"].as_array().unwrap().len(), 4, "the next key is published before it signs");
        assert_eq!(outcome.trail.verdict, "published");
    }
    assert_eq!(request("POST", "/.well-known/fastgate/jwks.json").decide().trail.verdict, "method-not-allowed");
    assert_eq!(get("/.well-known/fastgate/").decide().trail.verdict, "no-route");
}

#[test]
fn an_unknown_country_is_absent_and_missing_scopes_are_an_empty_text() {
    let mut request = get("/me").bearer(&token(&header(), &without(&claims(), "scope")));
    request.client.country = None;
    let claims = payload_of(&request.decide().sent("fastgate-identity").concat());
    assert_eq!(claims["scope"], "");
    assert_eq!(claims["rctx"], json!({ "iss": "https://alpha.test", "client_id": "shop", "token_exp": NOW + 600 }));
}

#[test]
fn a_request_without_tls_is_forwarded_as_such() {
    let mut request = get("/pub/x");
    request.head.tls = false;
    request.client.address = Some("::ffff:192.0.2.7".parse().unwrap());
    let outcome = request.decide();
    assert_eq!(outcome.grant().authority(), "http://edge.test");
    assert_eq!(outcome.sent("x-forwarded-proto"), ["http"]);
    assert_eq!(outcome.sent("x-forwarded-for"), ["192.0.2.7"], "an IPv4-mapped IPv6 address counts as IPv4");
}

#[test]
fn without_a_peer_address_no_client_is_invented() {
    let mut request = get("/pub/x").field("x-forwarded-for", "203.0.113.9");
    request.client.address = None;
    assert_eq!(request.decide().sent("x-forwarded-for"), [""; 0]);
}

#[test]
fn a_caller_needs_all_scopes_of_a_route() {
    for (scope, verdict) in [
        (json!("orders:read orders:all"), "forwarded"),
        (json!("orders:all x orders:read"), "forwarded"),
        (json!(["orders:all", "orders:read"]), "forwarded"),
        (json!("orders:read"), "insufficient-scope"),
        (json!("orders:read orders:al"), "insufficient-scope"),
        (json!("orders:read notorders:all"), "insufficient-scope"),
        (json!("orders:read ORDERS:ALL"), "insufficient-scope"),
        (json!(""), "insufficient-scope"),
    ] {
        let token = token(&header(), &with(&claims(), "scope", scope.clone()));
        let outcome = get("/orders/1").bearer(&token).decide();
        assert_eq!(outcome.trail.verdict, verdict, "{scope}");
    }
}

fn refused_as(decision: &Decision, status: u16, kind: &str, field: Option<(&str, &str)>) {
    let Decision::Refuse(problem) = decision else { panic!("{decision:?}") };
    let body: Value = serde_json::from_str(&problem.body()).unwrap();
    assert_eq!(body["type"], format!("urn:fastgate:problem:{kind}"));
    assert_eq!((problem.status(), &body["status"]), (status, &json!(status)), "{kind}");
    let fixed = [("content-type", "application/problem+json"), ("cache-control", "no-store")];
    let expected: Vec<_> =
        fixed.into_iter().chain(field).map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    assert_eq!(fields(&problem.headers()), expected, "{kind}");
}

/// Verifies signature, issuer, audience and time with the published key only.
fn verify_as_an_origin_would(identity: &str, audience: &str) {
    let key = Ed25519PublicKey::from_bytes(&sign::decoded(sign::public("edge-one")["x"].as_str().unwrap())).unwrap();
    let options = VerificationOptions {
        allowed_issuers: Some(["https://edge.test".to_owned()].into()),
        allowed_audiences: Some([audience.to_owned()].into()),
        required_signature_type: Some("txntoken+jwt".to_owned()),
        time_tolerance: Some(Duration::from_secs(0)),
        artificial_time: Some(UnixTimeStamp::from_secs(NOW + 29)),
        ..VerificationOptions::default()
    };
    key.verify_token::<NoCustomClaims>(identity, Some(options)).unwrap();
}
