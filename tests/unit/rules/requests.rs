//! The form of requests, their origins, and closed groups.

use fastgate::availability::KillSwitch;
use fastgate::gateway::Decision;
use fastgate::headers::Headers;
use serde_json::{Value, json};

use super::{faults, gate_with, route, token};
use crate::offline::{Gate, Request, get, half_handshake, handshake, request};

fn public(path: &str, parts: Value) -> Value {
    let mut route = route(path, &parts);
    route["access"] = "public".into();
    route
}

fn post(target: &str) -> Request {
    request("POST", target)
}

#[test]
fn a_body_must_have_an_accepted_type() {
    let accepts =
        json!({ "methods": ["GET", "POST"], "accepts": { "content_types": ["application/json", "image/*"] } });
    let gate = gate_with(&json!({ "routes": [public("/", accepts)] }));
    for good in ["application/json", "Application/JSON", "application/json; charset=utf-8", "image/png"] {
        assert_eq!(gate.verdict(post("/").field("content-type", good)), "forwarded", "{good}");
    }
    for bad in ["text/plain", "application/jsonp", "application/json-patch+json", "image", "imagex/png", "", ";"] {
        assert_eq!(gate.verdict(post("/").field("content-type", bad)), "content-type", "{bad}");
    }
    assert_eq!(gate.verdict(post("/")), "content-type", "a body without a type");
    assert_eq!(gate.verdict(post("/").field("content-length", "0")), "forwarded");
    assert_eq!(gate.verdict(get("/")), "forwarded");
    assert_eq!(gate.verdict(get("/").field("transfer-encoding", "chunked")), "content-type");
    let twice = post("/").field("content-type", "application/json").field("content-type", "application/json");
    assert_eq!(gate.verdict(twice), "content-type");
}

#[test]
fn sizes_are_limited_to_the_byte() {
    let accepts = json!({ "methods": ["POST"], "accepts": { "max_body": 10, "max_query": 5 } });
    let gate = gate_with(&json!({ "routes": [public("/", accepts)] }));
    let length = |digits: &str| gate.verdict(post("/").field("content-length", digits));
    assert_eq!([length("10"), length("11"), length("x")], ["forwarded", "body-too-long", "body-too-long"]);
    assert_eq!(gate.verdict(post("/?abcde")), "forwarded");
    assert_eq!(gate.verdict(post("/?abcdef")), "query-too-long");
    let shadow = json!({ "methods": ["POST"], "accepts": { "max_body": 10, "shadow": true } });
    let gate = gate_with(&json!({ "routes": [public("/", shadow)] }));
    let outcome = gate.send(post("/").field("content-length", "11"));
    assert_eq!(outcome.line()["shadow"], json!(["would-refuse body-too-long"]));
    assert_eq!(outcome.grant().max_body(), None);
}

#[test]
fn headers_can_be_required() {
    let gate =
        gate_with(&json!({ "routes": [public("/", json!({ "accepts": { "required_headers": ["X-Version"] } }))] }));
    assert_eq!(gate.verdict(get("/")), "header-missing");
    assert_eq!(gate.verdict(get("/").field("x-version", "1")), "forwarded");
}

#[test]
fn the_rewritten_path_is_forwarded_and_signed() {
    for (path, rewrite, requested, sent, template) in [
        ("/api/o/{id}", json!({ "strip_prefix": "/api" }), "/api/o/%C3%A9?q=1", "/o/%C3%A9?q=1", "/o/{id}"),
        ("/o/{id:int}", json!({ "add_prefix": "/v2" }), "/o/7", "/v2/o/7", "/v2/o/{id:int}"),
        (
            "/api/f/{p:path}",
            json!({ "strip_prefix": "/api", "add_prefix": "/x" }),
            "/api/f/a/b",
            "/x/f/a/b",
            "/x/f/{p:path}",
        ),
        ("/{a}/{b}", json!({ "template": "/b-{b}/of/{a}" }), "/1/2", "/b-2/of/1", "/b-{b}/of/{a}"),
        ("/old", json!({ "template": "/new/" }), "/old", "/new/", "/new/"),
    ] {
        let gate = gate_with(&json!({ "routes": [public(path, json!({ "rewrite": rewrite }))] }));
        let outcome = gate.send(get(requested));
        let claims = outcome.minted();
        assert_eq!(outcome.grant().path_and_query(), sent);
        assert_eq!(claims["tctx"]["path"], sent.split('?').next().unwrap());
        assert_eq!(claims["tctx"]["template"], template);
    }
}

#[test]
fn a_parameter_that_turns_into_a_dot_segment_is_refused() {
    let rewrite = json!({ "rewrite": { "template": "/files/{name}" } });
    let gate = gate_with(&json!({ "routes": [public("/dl/{name}.bin", rewrite)] }));
    assert_eq!(gate.verdict(get("/dl/a.bin")), "forwarded");
    assert_eq!(gate.verdict(get("/dl/..bin")), "rewrite-ambiguous");
    assert_eq!(gate.verdict(get("/dl/...bin")), "rewrite-ambiguous");
}

#[test]
fn fields_of_requests_and_responses_are_set_and_removed() {
    let edits = json!({
        "request_headers": { "set": { "X-Tier": "gold" }, "remove": ["X-Debug"] },
        "response_headers": { "set": { "cache-control": "private" }, "remove": ["Server", "X_Debug"] }
    });
    let mut parts = json!({ "routes": [public("/", edits)] });
    parts["edge"] = json!({ "issuer": "https://edge.test", "hosts": ["edge.test"], "security_headers": true });
    let gate = gate_with(&parts);
    let outcome = gate.send(get("/").field("x-tier", "lead").field("x-debug", "1").field("x-other", "1"));
    let grant = outcome.grant();
    assert_eq!(grant.headers().all("x-tier").collect::<Vec<_>>(), [b"gold"]);
    assert_eq!((grant.headers().all("x-debug").count(), grant.headers().all("x-other").count()), (0, 1));
    let origins = [
        ("server", "uvicorn"),
        ("x_debug", "1"),
        ("cache-control", "public"),
        ("x-frame-options", "SAMEORIGIN"),
        ("etag", "1"),
    ];
    let response = grant.response().apply_to_origin(&origins.into_iter().collect::<Headers>());
    let value =
        |name: &str| response.all(name).map(|value| String::from_utf8_lossy(value).into_owned()).collect::<Vec<_>>();
    assert_eq!(
        (value("server"), value("cache-control"), value("etag")),
        (vec![], vec!["private".into()], vec!["1".into()])
    );
    assert_eq!(value("x_debug"), [""; 0]);
    assert_eq!(value("x-frame-options"), ["SAMEORIGIN"], "the field of the origin is kept");
    assert_eq!(value("x-content-type-options"), ["nosniff"]);
    let outcome = gate.send(get("/nowhere"));
    let problem = outcome.problem();
    assert_eq!(problem.headers().all("x-content-type-options").count(), 1, "refusals, too");
    for path in ["/.well-known/fastgate/jwks.json", "/.well-known/oauth-protected-resource"] {
        let Decision::Publish(publication) = gate.send(get(path)).decision else { panic!("{path} is published") };
        assert_eq!(publication.fields.all("x-content-type-options").count(), 1, "{path}");
    }
    let two_hosts = gate.send(get("/").field("host", "other.test"));
    assert_eq!(two_hosts.problem().headers().all("x-frame-options").count(), 1, "{:?}", two_hosts.decision);
}

#[test]
fn edits_of_origin_responses_do_not_apply_to_refusals() {
    let edits = json!({ "response_headers": {
        "set": { "cache-control": "public, max-age=600", "content-type": "text/csv", "content-disposition": "attachment" },
        "remove": ["www-authenticate"]
    } });
    let gate = gate_with(&json!({ "routes": [route("/a", &edits)] }));
    let outcome = gate.send(get("/a"));
    let problem = outcome.problem();
    let fields = problem.headers();
    let value =
        |name: &str| fields.all(name).map(|value| String::from_utf8_lossy(value).into_owned()).collect::<Vec<_>>();
    assert_eq!(
        (value("cache-control"), value("content-type")),
        (vec!["no-store".into()], vec!["application/problem+json".into()])
    );
    assert_eq!((value("www-authenticate").len(), value("content-disposition").len()), (1, 0));
}

#[test]
fn a_group_is_closed_by_the_policy_or_by_a_switch() {
    let routes = json!([
        public("/a", json!({ "id": "a", "group": "shop" })),
        public("/b", json!({ "id": "b", "group": "news" })),
        public("/c", json!({ "id": "c" }))
    ]);
    let groups = json!({ "shop": {}, "news": { "maintenance": { "retry_after": 77 } } });
    let mut gate = gate_with(&json!({ "groups": groups, "routes": routes }));
    let verdicts = |gate: &Gate| ["/a", "/b", "/c"].map(|path| gate.verdict(get(path)));
    assert_eq!(verdicts(&gate), ["forwarded", "maintenance", "forwarded"]);
    for (switch, verdicts_of) in [
        (r#"{"groups":["shop"]}"#, ["switched-off", "maintenance", "forwarded"]),
        (r#"{"routes":["c"]}"#, ["forwarded", "maintenance", "switched-off"]),
        (r#"{"all":true}"#, ["switched-off"; 3]),
        ("{}", ["forwarded", "maintenance", "forwarded"]),
        ("", ["switched-off"; 3]),
        (r#"{"group":["shop"]}"#, ["switched-off"; 3]),
        (r#"{"keys":[{"issuer":"x","thumbprint":"AAAA"}]}"#, ["switched-off"; 3]),
        (r#"{"keys":[["x"]]}"#, ["switched-off"; 3]),
        ("null", ["switched-off"; 3]),
        ("[]", ["switched-off"; 3]),
        ("[false]", ["switched-off"; 3]),
        ("[false,[],[],[]]", ["switched-off"; 3]),
        (r#"{"all":false,"all":false}"#, ["switched-off"; 3]),
    ] {
        gate.kill_switch = KillSwitch::parse(switch.as_bytes());
        assert_eq!(verdicts(&gate), verdicts_of, "{switch}");
    }
}

fn web() -> Gate {
    let cors = json!({
        "origins": ["https://app.test"], "headers": ["authorization", "x-version"], "expose": ["etag"], "credentials": true
    });
    let routes = json!([
        route("/a", &json!({ "id": "a", "group": "web", "methods": ["PUT"] })),
        route("/b", &json!({ "id": "b" })),
        public("/c", json!({ "id": "c", "group": "open" }))
    ]);
    let groups = json!({ "web": { "cors": cors }, "open": { "cors": { "origins": ["*"] } } });
    gate_with(&json!({ "groups": groups, "routes": routes }))
}

fn preflight(path: &str, origin: &str, method: &str) -> Request {
    let request = request("OPTIONS", path);
    request.field("origin", origin).field("access-control-request-method", method)
}

#[test]
fn a_preflight_succeeds_for_the_pages_and_methods_of_the_group_only() {
    let gate = web();
    let outcome = gate.send(preflight("/a", "https://app.test", "PUT"));
    let line = outcome.line();
    let Decision::Preflight(fields) = outcome.decision else { panic!("{:?}", outcome.decision) };
    assert_eq!((&line["verdict"], &line["route"]), (&json!("preflight"), &json!("a")));
    let all: Vec<_> = fields.iter().map(|(name, value)| (name, std::str::from_utf8(value).unwrap())).collect();
    assert_eq!(
        all,
        [
            ("access-control-allow-origin", "https://app.test"),
            ("access-control-allow-credentials", "true"),
            ("access-control-allow-methods", "PUT"),
            ("access-control-allow-headers", "authorization, x-version"),
            ("access-control-max-age", "600"),
            ("vary", "Origin"),
        ]
    );
    for origin in ["https://evil.test", "https://app.test.evil.test", "http://app.test", "null", "https://APP.test", ""]
    {
        assert_eq!(gate.verdict(preflight("/a", origin, "PUT")), "cors-refused", "{origin}");
    }
    assert_eq!(gate.verdict(preflight("/a", "https://app.test", "GET")), "method-not-allowed");
    assert_eq!(gate.verdict(preflight("/b", "https://app.test", "GET")), "method-not-allowed");
    assert_eq!(gate.verdict(preflight("/none", "https://app.test", "GET")), "no-route");
    let plain_options = request("OPTIONS", "/a");
    assert_eq!(gate.verdict(plain_options), "method-not-allowed");
    let twice = preflight("/a", "https://app.test", "PUT").field("origin", "https://evil.test");
    assert_eq!(gate.verdict(twice), "cors-refused");
}

#[test]
fn only_the_edge_decides_which_pages_may_read_a_response() {
    let gate = web();
    let put = |origin: &str| request("PUT", "/a").field("origin", origin);
    let outcome = gate.send(put("https://app.test"));
    let problem = outcome.problem();
    assert_eq!(problem.headers().all("access-control-allow-origin").collect::<Vec<_>>(), [b"https://app.test"]);
    let token = token(json!({}));
    for (origin, allowed) in [("https://app.test", 1), ("https://evil.test", 0)] {
        let outcome = gate.send(put(origin).bearer(&token));
        let grant = outcome.grant();
        let origins: Headers = [("access-control-allow-origin", "*"), ("vary", "Accept")].into_iter().collect();
        let response = grant.response().apply_to_origin(&origins);
        assert_eq!(response.all("access-control-allow-origin").count(), allowed, "{origin}");
        assert_eq!(response.all("vary").count(), 2);
    }
    let outcome = gate.send(get("/c").field("origin", "https://any.test"));
    let grant = outcome.grant();
    let response = grant.response().apply_to_origin(&Headers::default());
    assert_eq!(response.all("access-control-allow-origin").collect::<Vec<_>>(), [b"*"]);
}

#[test]
fn only_pages_of_the_group_can_open_a_websocket() {
    let socket = |path: &str, group: &str| public(path, json!({ "id": path[1..], "group": group, "websocket": true }));
    let gate = gate_with(&json!({
        "groups": {
            "web": { "cors": { "origins": ["https://app.test"], "credentials": true } },
            "open": { "cors": { "origins": ["*"] } },
            "plain": {}
        },
        "routes": [socket("/web", "web"), socket("/open", "open"), socket("/plain", "plain")]
    }));
    let verdict = |path: &str, origins: &[&str]| {
        let handshake = handshake(path).field("cookie", "session=1");
        gate.verdict(origins.iter().fold(handshake, |request, origin| request.field("origin", origin)))
    };
    assert_eq!(verdict("/web", &["https://app.test"]), "forwarded");
    assert_eq!(verdict("/web", &[]), "forwarded", "a client that is no browser");
    for evil in ["https://evil.test", "http://app.test", "https://app.test:8443", "null", "", "https://edge.test"] {
        assert_eq!(verdict("/web", &[evil]), "cors-refused", "{evil}");
    }
    assert_eq!(verdict("/web", &["https://app.test", "https://evil.test"]), "cors-refused");
    let hidden = half_handshake("/web").field("connection", "upgrade, origin").field("origin", "https://evil.test");
    assert_eq!(gate.verdict(hidden), "cors-refused", "a page that names the field in Connection");
    for path in ["/open", "/plain"] {
        assert_eq!(verdict(path, &["https://evil.test"]), "forwarded", "{path} has no list");
    }
    let page = get("/web").field("origin", "https://evil.test");
    assert_eq!(gate.verdict(page), "no-handshake", "the rule applies to handshakes only");
}

#[test]
fn a_page_may_send_its_token_as_a_subprotocol_if_the_route_says_so() {
    let socket = |id: &str, parts: Value| {
        let mut socket = route(&format!("/{id}"), &json!({ "id": id, "websocket": true, "bearer_subprotocol": true }));
        socket.as_object_mut().unwrap().extend(parts.as_object().cloned().unwrap());
        socket
    };
    let gate = gate_with(&json!({ "routes": [
        socket("on", json!({})),
        socket("off", json!({ "bearer_subprotocol": false })),
        socket("maybe", json!({ "access": "optional" })),
        socket("through", json!({ "forward_token": true }))
    ] }));
    let token = token(json!({}));
    let handshake = |path: &str, offered: &str| handshake(path).field("sec-websocket-protocol", offered);
    let sent = |request: Request, name: &str| {
        let outcome = gate.send(request);
        let shown = format!("{:?} {}", outcome.grant().headers(), outcome.trail.to_line());
        (outcome.sent(name), shown.contains(&token))
    };
    let bearer = format!("bearer, {token}");
    let request = |offered: &str| handshake("/on", offered);
    assert_eq!(gate.send(request(&bearer)).minted()["sub"], "alice");
    assert_eq!(sent(request(&bearer), "sec-websocket-protocol"), (vec![], false));
    assert_eq!(sent(request(&bearer), "fastgate-subprotocol"), (vec!["bearer".to_owned()], false));
    assert_eq!(sent(request(&bearer), "authorization"), (vec![], false));
    let with_chat = request(&format!("{bearer}, chat, v2")).field("fastgate-subprotocol", "chat");
    assert_eq!(sent(with_chat, "sec-websocket-protocol"), (vec!["chat, v2".to_owned()], false));
    assert_eq!(sent(request("chat").bearer(&token), "sec-websocket-protocol"), (vec!["chat".to_owned()], false));
    assert_eq!(sent(request("chat").bearer(&token), "fastgate-subprotocol"), (vec![], false));
    let through = sent(handshake("/through", &bearer), "authorization");
    assert_eq!(through.0, [format!("Bearer {token}")]);

    for (request, verdict) in [
        (request("bearer"), "subprotocol-malformed"),
        (request("bearer, a b"), "credentials-malformed"),
        (request(&format!("{bearer}, {bearer}")), "subprotocol-malformed"),
        (request(&bearer).bearer(&token), "credentials-repeated"),
        (request("bearer, a.b.c"), "token-malformed"),
        (request(&format!("Bearer, {token}")), "subprotocol-malformed"),
        (request(&("bearer,x,".repeat(3611) + &"b,".repeat(16_250))), "too-many-subprotocols"),
        // A caller whose token would be forwarded never counts as anonymous.
        (handshake("/maybe", &format!("Bearer, {token}")), "subprotocol-malformed"),
        (handshake("/maybe", &format!("{token}, bearer")), "subprotocol-malformed"),
        (handshake("/maybe", &format!("{token}, bearer, chat")), "subprotocol-malformed"),
        (handshake("/maybe", &format!("bearer={token}")), "subprotocol-malformed"),
        (handshake("/maybe", "chat"), "forwarded"),
        (request("chat"), "credentials-missing"),
        (handshake("/off", &bearer), "credentials-missing"),
        (handshake("/off", &bearer).bearer(&token), "forwarded"),
        (get("/on").field("sec-websocket-protocol", &bearer), "credentials-missing"),
    ] {
        assert_eq!(gate.verdict(request), verdict);
    }
    let badly = sent(handshake("/maybe", "bearer, a.b.c, chat"), "sec-websocket-protocol");
    assert_eq!(badly.0, ["chat"], "an invalid token is not forwarded either");
    assert_eq!(gate.send(handshake("/maybe", &bearer)).minted()["sub"], "alice");

    for parts in [json!({ "websocket": false }), json!({ "access": "public" })] {
        let of = faults(&json!({ "routes": [socket("s", parts)] }));
        assert_eq!(of, ["$.routes[0].bearer_subprotocol: is on a route that is not a WebSocket or reads no tokens"]);
    }
}

#[test]
fn settings_that_cannot_work_are_faults() {
    let of = |parts: Value| faults(&json!({ "routes": [public("/api/{id:int}", parts)] }));
    for (parts, fault) in [
        (json!({ "group": "none" }), "$.routes[0].group: names no group"),
        (json!({ "rewrite": {} }), "$.routes[0].rewrite: does not define"),
        (json!({ "rewrite": { "strip_prefix": "/ap" } }), "$.routes[0].rewrite: does not define"),
        (json!({ "rewrite": { "strip_prefix": "/api/" } }), "$.routes[0].rewrite: does not define"),
        (json!({ "rewrite": { "template": "/x", "add_prefix": "/y" } }), "$.routes[0].rewrite: does not define"),
        (json!({ "rewrite": { "template": "/x/{other}" } }), "$.routes[0].rewrite: has the parameter \"other\""),
        (json!({ "rewrite": { "template": "/x/{id:uuid}" } }), "$.routes[0].rewrite: has the parameter \"id\""),
        (json!({ "rewrite": { "template": "/x/{id:path}" } }), "$.routes[0].rewrite: has the parameter \"id\""),
        (json!({ "rewrite": { "template": "x" } }), "$.routes[0].rewrite: is not a path template"),
        (
            json!({ "request_headers": { "set": { "Fastgate-Identity": "x" } } }),
            "$.routes[0].request_headers: names \"Fastgate-Identity\"",
        ),
        (json!({ "request_headers": { "set": { "x_y": "x" } } }), "$.routes[0].request_headers: names \"x_y\""),
        (
            json!({ "request_headers": { "set": { "Authorization": "x" } } }),
            "$.routes[0].request_headers: names \"Authorization\"",
        ),
        (
            json!({ "response_headers": { "set": { "x": "a\r\nb" } } }),
            "$.routes[0].response_headers.set.x: is not a value",
        ),
        (
            json!({ "response_headers": { "remove": ["content-length"] } }),
            "$.routes[0].response_headers: names \"content-length\"",
        ),
        (
            json!({ "accepts": { "content_types": ["image/*", "*/*"] } }),
            "$.routes[0].accepts.content_types[1]: is not a media type",
        ),
        (
            json!({ "accepts": { "content_types": ["application/*+json"] } }),
            "$.routes[0].accepts.content_types[0]: is not a media type",
        ),
        (
            json!({ "accepts": { "content_types": ["json"] } }),
            "$.routes[0].accepts.content_types[0]: is not a media type",
        ),
        (
            json!({ "accepts": { "required_headers": ["x-forwarded-for"] } }),
            "$.routes[0].accepts.required_headers[0]: names",
        ),
        (
            json!({ "accepts": { "required_headers": ["X-Version", "Authorization"] } }),
            "$.routes[0].accepts.required_headers[1]: names \"Authorization\", which the edge keeps to itself",
        ),
        (
            json!({ "accepts": { "required_headers": ["DPoP"] } }),
            "$.routes[0].accepts.required_headers[0]: names \"DPoP\"",
        ),
        (
            json!({ "accepts": { "required_headers": ["Content-Length"] } }),
            "$.routes[0].accepts.required_headers[0]: names \"Content-Length\"",
        ),
        (
            json!({ "accepts": { "required_headers": ["x_version"] } }),
            "$.routes[0].accepts.required_headers[0]: names \"x_version\"",
        ),
    ] {
        let found = of(parts.clone());
        assert!(found.iter().any(|found| found.starts_with(fault)), "{parts}: {found:?}");
    }
    let cors =
        |cors: Value| faults(&json!({ "groups": { "g": { "cors": cors } }, "routes": [public("/", json!({}))] }));
    assert_eq!(cors(json!({ "origins": [] })), ["$.groups.g.cors.origins: is empty"]);
    assert_eq!(
        cors(json!({ "origins": ["https://app.test/"] })),
        ["$.groups.g.cors.origins[0]: is not the origin of a web page"]
    );
    assert_eq!(
        cors(json!({ "origins": ["*"], "credentials": true })),
        ["$.groups.g.cors.credentials: is used with \"*\", which browsers refuse"]
    );
}
