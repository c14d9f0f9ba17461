//! Responses that the edge makes itself: which of them a policy may declare, and what a client gets. Rows J16 to J21 and J23
//! of docs/attacks.md.

use fastgate::gateway::Decision;
use fastgate::policy::{Fault, Policy, RespondFault};
use fastgate::respond::{Content, OwnResponse};
use serde_json::{Value, json};

use crate::offline::{Gate, Request, get, handshake, request, text};
use crate::provider;
use crate::rules::{gate_with, route, token};

/// A gate with a public route for GET and HEAD.
fn gate(path: &str, respond: &Value) -> Gate {
    let parts = json!({ "access": "public", "methods": ["GET", "HEAD"], "respond": respond });
    gate_with(&json!({ "routes": [route(path, &parts)] }))
}

#[track_caller]
fn responded(gate: &Gate, request: Request) -> OwnResponse {
    let outcome = gate.send(request);
    assert_eq!(outcome.trail.verdict, "responded", "{}", outcome.trail.to_line());
    match outcome.decision {
        Decision::Respond(own) => *own,
        other => panic!("{other:?}"),
    }
}

fn field(own: &OwnResponse, name: &str) -> Option<String> {
    own.fields.all(name).next().map(text)
}

/// The status and the text.
fn sent(own: &OwnResponse) -> (u16, String) {
    match &own.content {
        Content::Bytes(bytes) => (own.status, text(bytes)),
        Content::File(part) => (own.status, format!("{part:?}")),
    }
}

fn pair(status: u16, content: &str) -> (u16, String) {
    (status, content.to_owned())
}

#[test]
fn a_text_is_sent_by_the_conditions_of_the_request() {
    let gate = gate("/health", &json!({ "body": "all is well" }));
    let own = responded(&gate, get("/health"));
    assert_eq!(sent(&own), pair(200, "all is well"));
    assert_eq!(own.length, Some(11));
    assert_eq!(field(&own, "content-type").as_deref(), Some("text/plain; charset=utf-8"));
    let tag = field(&own, "etag").unwrap();
    assert_eq!(sent(&responded(&gate, get("/health").field("if-none-match", &tag))), pair(304, ""));
    assert_eq!(sent(&responded(&gate, get("/health").field("if-none-match", "\"x\""))), pair(200, "all is well"));
    let range = responded(&gate, get("/health").field("range", "bytes=4-5"));
    assert_eq!((sent(&range), field(&range, "content-range").unwrap()), (pair(206, "is"), "bytes 4-5/11".to_owned()));
    assert_eq!(sent(&responded(&gate, get("/health").field("range", "bytes=11-"))), pair(416, ""));
    let head = responded(&gate, request("HEAD", "/health"));
    assert_eq!((sent(&head), head.length), (pair(200, ""), Some(11)));
    assert_eq!(gate.verdict(request("POST", "/health")), "method-not-allowed");
}

#[test]
fn preconditions_come_first() {
    let gate = gate("/health", &json!({ "body": "all is well" }));
    let tag = field(&responded(&gate, get("/health")), "etag").unwrap();
    let with = |fields: &[(&str, &str)]| {
        let request = fields.iter().fold(get("/health"), |request, (name, value)| request.field(name, value));
        sent(&responded(&gate, request))
    };
    let weak = format!("W/{tag}");
    let both = format!("\"x\", {tag}");
    for (value, status) in [(tag.as_str(), 200), ("*", 200), (&both, 200), ("\"x\"", 412), (&weak, 412), ("", 412)] {
        assert_eq!(with(&[("if-match", value)]).0, status, "{value}");
    }
    assert_eq!(with(&[("if-match", "\"x\""), ("if-none-match", &tag)]), pair(412, ""), "RFC 9110 §13.2.2");
    assert_eq!(with(&[("if-match", "\"x\""), ("range", "bytes=0-2")]), pair(412, ""));
    assert_eq!(with(&[("if-match", &tag), ("range", "bytes=0-2")]), pair(206, "all"));
    assert_eq!(with(&[("range", "bytes=0-2"), ("if-range", &tag), ("if-range", "\"x\"")]), pair(200, "all is well"));
    let head = responded(&gate, request("HEAD", "/health").field("if-match", "\"x\""));
    assert_eq!((sent(&head), head.length), (pair(412, ""), Some(0)));
    let gone = crate::responses::gate("/gone", &json!({ "status": 410 }));
    assert_eq!(responded(&gone, get("/gone").field("if-match", "\"x\"")).status, 410, "RFC 9110 §13.2.1");
}

#[test]
fn no_cache_may_share_what_only_some_callers_get() {
    for respond in [json!({ "body": "x" }), json!({ "redirect": "/b" }), json!({ "file": "a.txt" })] {
        for (access, expected) in [("authenticated", Some("private, no-cache")), ("public", None)] {
            let parts = json!({ "methods": ["GET"], "access": access, "respond": respond });
            let gate = gate_with(&json!({ "routes": [route("/a", &parts)] }));
            gate.fakes().files.store("files/a.txt", "", "x");
            let request = if access == "public" { get("/a") } else { get("/a").bearer(&token(json!({}))) };
            let own = responded(&gate, request);
            let expected = expected.or_else(|| respond.get("file").map(|_| "no-cache"));
            assert_eq!(field(&own, "cache-control").as_deref(), expected, "{respond} {access}");
        }
    }
}

#[test]
fn a_policy_needs_no_origin_if_the_edge_responds_to_every_route() {
    let mut policy = provider::policy(&json!({ "routes": [
        route("/a", &json!({ "methods": ["GET"], "access": "public", "respond": { "body": "x" } }))
    ] }));
    for origins in [None, Some(json!({}))] {
        match origins {
            Some(origins) => policy["origins"] = origins,
            None => drop(policy.as_object_mut().unwrap().remove("origins")),
        }
        assert_eq!(sent(&responded(&crate::rules::gate_of(&policy), get("/a"))), pair(200, "x"));
        let mut other = policy.clone();
        other["routes"].as_array_mut().unwrap().push(route("/b", &json!({ "origin": "app" })));
        let faults = Policy::parse(other.to_string().as_bytes()).unwrap_err().0;
        assert!(faults.iter().any(|fault| fault.at == "$.origins" && fault.fault == Fault::Empty), "{faults:?}");
    }
}

#[test]
fn a_status_needs_no_text() {
    let own = responded(&gate("/gone", &json!({ "status": 410 })), get("/gone"));
    assert_eq!((sent(&own), own.length), (pair(410, ""), Some(0)));
    assert_eq!((field(&own, "content-type"), field(&own, "etag")), (None, None));
    let own = responded(&gate("/none", &json!({ "status": 204 })), get("/none"));
    assert_eq!((own.status, own.length), (204, None), "RFC 9110 §8.6");
    let maintenance = json!({ "status": 503, "body": "{}", "content_type": "application/json" });
    let own = responded(&gate("/later", &maintenance), get("/later").field("if-none-match", "*"));
    assert_eq!((sent(&own), field(&own, "etag")), (pair(503, "{}"), None));
    assert_eq!(field(&own, "content-type").as_deref(), Some("application/json"));
}

#[test]
fn a_redirect_takes_any_method_and_stays_on_its_host() {
    let parts = json!({ "access": "public", "methods": ["GET", "POST"], "respond": { "redirect": "/{rest}" } });
    let gate = gate_with(&json!({ "routes": [route("/old/{rest:path}", &parts)] }));
    for (path, location) in [
        ("/old/a/b", "/a/b"),
        ("/old/a%20b/%C3%A9", "/a%20b/%C3%A9"),
        ("/old/a@b", "/a%40b"),
        ("/old/https:", "/https%3A"),
        ("/old/", "/"),
    ] {
        for method in ["GET", "POST"] {
            let outcome = gate.send(request(method, path));
            let Decision::Respond(own) = &outcome.decision else { panic!("{path}: {}", outcome.trail.to_line()) };
            assert_eq!((own.status, field(own, "location").as_deref()), (308, Some(location)), "{path}");
        }
    }
    for path in ["/old//evil.example", "/old/../evil", "/old/%2e%2e/evil", "/old/%2f/evil.example"] {
        let outcome = gate.send(get(path));
        match &outcome.decision {
            Decision::Respond(own) => {
                let location = field(own, "location").unwrap();
                assert!(location.starts_with('/') && !location.starts_with("//"), "{path}: {location}");
            }
            other => assert!(matches!(other, Decision::Refuse(_)), "{path}: {other:?}"),
        }
    }
    let parts = json!({ "access": "public", "respond": { "redirect": "https://docs.example/{page}", "status": 302 } });
    let gate = gate_with(&json!({ "routes": [route("/docs/{page}", &parts)] }));
    let own = responded(&gate, get("/docs/@evil.example"));
    assert_eq!(
        (own.status, field(&own, "location").unwrap()),
        (302, "https://docs.example/%40evil.example".to_owned())
    );
}

#[test]
fn authorization_and_the_edits_of_the_route_come_first() {
    let parts = json!({
        "methods": ["GET", "HEAD"], "scopes": ["read"], "respond": { "file": "report.pdf" },
        "response_headers": { "set": { "x-from": "edge" }, "remove": ["accept-ranges"] }
    });
    let gate = gate_with(&json!({ "routes": [route("/report", &parts)] }));
    gate.fakes().files.store("files/report.pdf", "", "secret");
    assert_eq!(gate.verdict(get("/report")), "credentials-missing");
    assert_eq!(gate.verdict(get("/report").bearer(&token(json!({ "scope": "write" })))), "insufficient-scope");
    assert!(gate.fakes().files.looked_up.is_empty(), "no file is read for a refused request");
    let own = responded(&gate, get("/report").bearer(&token(json!({ "scope": "read" }))));
    assert_eq!(sent(&own), pair(200, "Whole"));
    let shown = ["content-type", "cache-control", "x-from", "accept-ranges"].map(|name| field(&own, name));
    let expected = [Some("application/pdf"), Some("private, no-cache"), Some("edge"), None];
    assert_eq!(shown, expected.map(|value| value.map(str::to_owned)));
}

#[test]
fn a_file_has_the_description_of_its_key_or_one_by_its_name_and_content() {
    let gate = gate("/robots.txt", &json!({ "file": "robots.txt" }));
    assert_eq!(gate.verdict(get("/robots.txt")), "file-missing");
    assert_eq!(gate.send(get("/robots.txt")).refused(), (404, None));
    gate.fakes().files.store("files/robots.txt", "", "User-agent: *");
    let own = responded(&gate, get("/robots.txt"));
    assert_eq!((own.length, field(&own, "cache-control").as_deref()), (Some(13), Some("no-cache")));
    assert_eq!(field(&own, "content-type").as_deref(), Some("text/plain; charset=utf-8"));
    let tag = field(&own, "etag").unwrap();
    let known = responded(&gate, get("/robots.txt").field("if-none-match", &tag));
    assert_eq!((sent(&known), field(&known, "vary").as_deref()), (pair(304, "Nothing"), Some("Accept-Encoding")));
    let range = responded(&gate, get("/robots.txt").field("range", "bytes=0-3").field("if-range", &tag));
    assert_eq!((sent(&range), range.length), (pair(206, "Range { first: 0, last: 3 }"), Some(4)));
    let described = r#"{"content_type":"text/x-robots","etag":"\"v1\""}"#;
    gate.fakes().files.store("files/robots.txt", described, "");
    let own = responded(&gate, get("/robots.txt"));
    assert_eq!(field(&own, "content-type").as_deref(), Some("text/x-robots"));
    assert_eq!(field(&own, "etag").as_deref(), Some("\"v1\""));
    gate.fakes().files.is_broken = true;
    assert_eq!(gate.verdict(get("/robots.txt")), "file-unreadable");
    assert_eq!(gate.send(get("/robots.txt")).refused(), (503, None));
}

#[test]
fn the_smallest_form_that_the_client_accepts_is_sent() {
    let gate = gate("/{path:path}", &json!({ "files": "app/" }));
    gate.fakes().files.store("files/app/a.js", "", "plain");
    gate.fakes().files.store("files/app/a.js.gz", "", "gzip");
    gate.fakes().files.store("files/app/b.js", "", "plain");
    gate.fakes().files.store("files/app/c.png", "", "image");
    for (path, accepted, coding) in [
        ("/a.js", "", None),
        ("/a.js", "br", None),
        ("/a.js", "gzip, br;q=0.5", Some("gzip")),
        ("/a.js", "GZIP;q=1.0", Some("gzip")),
        ("/a.js", "*", Some("gzip")),
        ("/a.js", "gzip;q=0, *", None),
        ("/a.js", "gzip; q=0.000", None),
        ("/b.js", "gzip", None),
        ("/c.png", "gzip", None),
    ] {
        let own = responded(&gate, get(path).field("accept-encoding", accepted));
        assert_eq!(field(&own, "content-encoding").as_deref(), coding, "{path} {accepted}");
        assert_eq!(field(&own, "vary").is_some(), path != "/c.png", "{path}");
        let expected = if path == "/c.png" { "image/png" } else { "text/javascript; charset=utf-8" };
        assert_eq!(field(&own, "content-type").as_deref(), Some(expected));
    }
    gate.fakes().files.store("files/app/a.js.br", "", "brotli");
    let own = responded(&gate, get("/a.js").field("accept-encoding", "gzip, br"));
    assert_eq!(field(&own, "content-encoding").as_deref(), Some("br"));
    let other = responded(&gate, get("/a.js"));
    assert_ne!(field(&own, "etag"), field(&other, "etag"), "each form has its own tag");
    for name in ["a.js", "a.js.gz", "a.js.br"] {
        gate.fakes().files.store(&format!("files/app/{name}"), r#"{"etag":"\"v1\""}"#, name);
    }
    for (accepted, tag) in [("", "\"v1\""), ("br", "\"v1-br\""), ("gzip", "\"v1-gzip\"")] {
        let request = || get("/a.js").field("accept-encoding", accepted);
        assert_eq!(field(&responded(&gate, request()), "etag").as_deref(), Some(tag), "also if the store repeats one");
        assert_eq!(responded(&gate, request().field("if-none-match", tag)).status, 304, "{tag}");
        assert_eq!(responded(&gate, request().field("if-none-match", "\"v1-x\"")).status, 200);
    }
}

#[test]
fn a_folder_has_a_fallback_for_paths_without_an_extension() {
    let gate = gate("/app/{path:path}", &json!({ "files": "spa/", "fallback": "index.html" }));
    gate.fakes().files.store("files/spa/index.html", r#"{"etag":"\"index\""}"#, "");
    gate.fakes().files.store("files/spa/docs/a.txt", r#"{"etag":"\"a\""}"#, "");
    for (path, tag) in [
        ("/app/", "\"index\""),
        ("/app/orders/7", "\"index\""),
        ("/app/v1.2/orders", "\"index\""),
        ("/app/docs/", "\"index\""),
        ("/app/docs/a.txt", "\"a\""),
        ("/app/index.html", "\"index\""),
    ] {
        assert_eq!(field(&responded(&gate, get(path)), "etag").as_deref(), Some(tag), "{path}");
    }
    for path in ["/app/missing.js", "/app/docs/missing.txt"] {
        assert_eq!(gate.verdict(get(path)), "file-missing", "{path}");
    }
}

/// Every key that is looked up is below the folder, whatever the path is.
#[test]
fn no_path_leaves_the_folder() {
    let gate = gate("/{path:path}", &json!({ "files": "public/", "fallback": "index.html" }));
    for path in [
        "/../policy",
        "/%2e%2e/policy",
        "/..%2fpolicy",
        "/%2e%2e%2fpolicy",
        "/..%5cpolicy",
        "/a/../../policy",
        "//policy",
        "/a//b",
        "/.",
        "/a%00b",
        "/a%0d%0ab",
        "/%ff",
        "/..;/policy",
        "/....//policy",
    ] {
        let _ = gate.send(get(path));
        let _ = gate.send(get(path).field("accept-encoding", "br, gzip"));
    }
    let long = format!("/{}", "x".repeat(2000));
    let _ = gate.send(get(&long));
    let fakes = gate.fakes();
    assert!(!fakes.files.looked_up.is_empty());
    for key in &fakes.files.looked_up {
        let segments: Vec<_> = key.split('/').collect();
        assert!(key.starts_with("files/public/") && key.len() <= 1024, "{key}");
        assert!(!segments.iter().any(|segment| matches!(*segment, "" | "." | "..")), "{key}");
        assert!(!key.contains(|letter: char| letter.is_control() || letter == '\\'), "{key}");
    }
}

#[test]
fn a_token_for_another_resource_is_not_for_the_edge() {
    let origins = json!({ "app": { "backend": "app", "audience": "app", "resource": "https://edge.test/reports" } });
    let parts = json!({ "respond": { "body": "x" } });
    let mut policy = crate::provider::policy(&json!({ "origins": origins, "routes": [route("/a", &parts)] }));
    let resource = json!("https://edge.test/reports");
    policy["issuers"]["main"]["audiences"] = json!(["api", resource]);
    let gate = crate::rules::gate_of(&policy);
    for (audience, verdict) in
        [(json!("api"), "responded"), (json!(["api", resource]), "responded"), (json!([resource]), "token-audience")]
    {
        assert_eq!(gate.verdict(get("/a").bearer(&token(json!({ "aud": audience })))), verdict, "{audience}");
    }
    assert_eq!(gate.verdict(handshake("/a").bearer(&token(json!({})))), "responded", "an upgrade is ignored");
}

#[test]
fn each_fault_has_a_place_and_a_remedy() {
    let respond = |respond: Value| json!({ "methods": ["GET"], "respond": respond });
    let with = |member: &str, value: Value| {
        let mut parts = respond(json!({ "body": "x" }));
        parts[member] = value;
        parts
    };
    let misplaced = |with: &'static str| RespondFault::Misplaced { with };
    let rest = "/a/{path:path}";
    let mut found = Vec::new();
    for (path, parts, at, fault) in [
        ("/a", respond(json!({})), "respond", RespondFault::NotOne.into()),
        ("/a", respond(json!({ "content_type": "text/css" })), "respond", RespondFault::NotOne.into()),
        ("/a", respond(json!({ "body": "x", "redirect": "/b" })), "respond", RespondFault::NotOne.into()),
        (rest, respond(json!({ "file": "a", "files": "b/" })), "respond", RespondFault::NotOne.into()),
        (
            "/a",
            respond(json!({ "redirect": "/b", "content_type": "text/css" })),
            "respond.content_type",
            misplaced("body").into(),
        ),
        ("/a", respond(json!({ "file": "b", "fallback": "c" })), "respond.fallback", misplaced("files").into()),
        (
            "/a",
            respond(json!({ "file": "b", "status": 200 })),
            "respond.status",
            misplaced("body\" or \"redirect").into(),
        ),
        (
            "/a",
            respond(json!({ "redirect": "/b", "status": 304 })),
            "respond.status",
            RespondFault::NotARedirect.into(),
        ),
        ("/a", respond(json!({ "redirect": "//b" })), "respond.redirect", RespondFault::NotALocation.into()),
        ("/{a}", respond(json!({ "redirect": "https://{a}/" })), "respond.redirect", RespondFault::NotALocation.into()),
        ("/{a}", respond(json!({ "redirect": "https://x{a}" })), "respond.redirect", RespondFault::NotALocation.into()),
        (
            "/a",
            respond(json!({ "redirect": "/{b}" })),
            "respond.redirect",
            Fault::UnknownParameter { name: "b".to_owned() },
        ),
        ("/a", respond(json!({ "status": 204, "body": "x" })), "respond.body", RespondFault::NoContent.into()),
        (
            "/a",
            respond(json!({ "status": 101 })),
            "respond.status",
            Fault::OutOfRange { value: 101, least: 200, most: 599 },
        ),
        ("/a", respond(json!({ "status": 206, "body": "x" })), "respond.status", RespondFault::OfConditions.into()),
        ("/a", respond(json!({ "status": 304 })), "respond.status", RespondFault::OfConditions.into()),
        ("/a", respond(json!({ "body": "x", "content_type": "text" })), "respond.content_type", Fault::NotAMediaType),
        ("/a", respond(json!({ "file": "../policy" })), "respond.file", RespondFault::NotAFileName.into()),
        ("/a", respond(json!({ "file": "/a" })), "respond.file", RespondFault::NotAFileName.into()),
        ("/a", respond(json!({ "file": "" })), "respond.file", RespondFault::NotAFileName.into()),
        (rest, respond(json!({ "files": "b" })), "respond.files", RespondFault::NotAFolder.into()),
        (rest, respond(json!({ "files": "/" })), "respond.files", RespondFault::NotAFolder.into()),
        (
            rest,
            respond(json!({ "files": "b/", "fallback": "/" })),
            "respond.fallback",
            RespondFault::NotAFileName.into(),
        ),
        ("/{a}", respond(json!({ "files": "b/" })), "respond.files", RespondFault::NoPathParameter.into()),
        ("/a", with("methods", json!(["GET", "POST"])), "methods", RespondFault::OtherMethods.into()),
        ("/a", with("origin", json!("app")), "origin", RespondFault::NeedsOrigin.into()),
        ("/a", with("rewrite", json!({ "template": "/b" })), "rewrite", RespondFault::NeedsOrigin.into()),
        (
            "/a",
            with("request_headers", json!({ "remove": ["x-a"] })),
            "request_headers",
            RespondFault::NeedsOrigin.into(),
        ),
        ("/a", with("forward", json!(["groups"])), "forward", RespondFault::NeedsOrigin.into()),
        ("/a", with("forward_token", json!(true)), "forward_token", RespondFault::NeedsOrigin.into()),
        ("/a", with("cache", json!({ "audience": "caller", "ttl": 1 })), "cache", RespondFault::NeedsOrigin.into()),
        ("/a", with("sign_body", json!(true)), "sign_body", RespondFault::NeedsOrigin.into()),
        ("/a", with("websocket", json!(true)), "websocket", RespondFault::NeedsOrigin.into()),
    ] {
        let policy = provider::policy(&json!({ "routes": [route(path, &parts)] }));
        let faults = Policy::parse(policy.to_string().as_bytes()).unwrap_err().0;
        let [one] = faults.as_slice() else { panic!("{parts}: {faults:?}") };
        assert_eq!((one.at.as_str(), &one.fault), (format!("$.routes[0].{at}").as_str(), &fault), "{parts}");
        assert!(!one.fault.remedy().is_empty());
        found.push(one.fault.clone());
    }
}
