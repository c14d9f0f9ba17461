//! One request has the same outcome offline and at the edge: `fastgate explain`, run as a program, and the guest, over
//! generated requests.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;

use hyper::Body;
use serde_json::{Value, json};

use super::gate::{Gate, Setting, request, send};
use super::places::world;
use crate::support::edge::RUNTIME;
use crate::support::provider;
use crate::support::tokens::now;

const REQUESTS: usize = 10_000;

/// A pseudorandom generator with a fixed seed (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }

    fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.roll(list.len())]
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.roll(100) < percent
    }
}

fn policy() -> Value {
    json!({
        // The policy names the host with its port, too: `explain` describes requests over TLS, and the sockets of this
        // test are plain.
        "edge": { "issuer": "https://edge.test", "hosts": ["edge.test", "edge.test:443"] },
        "rules": { "member": { "any": [{ "role": "admin" }, { "claim": { "name": "tenant", "equals_path": "tenant" } }] } },
        "places": {
            "eu": { "allow": [{ "continent": ["EU"] }, { "network": ["203.0.113.0/28"] }] },
            "law": { "deny": [{ "country": ["JP"] }], "status": 451, "unknown_passes": ["country"] },
            "shadowed": { "deny": [{ "proxy": ["hosting"] }], "unknown_passes": ["proxy"], "shadow": true }
        },
        "limits": { "day": { "count": 700, "window": 86400, "by": ["network", "route"] } },
        "groups": {
            "web": { "cors": { "origins": ["https://app.test"] } }, "old": { "maintenance": {} }
        },
        "routes": [
            { "id": "root", "path": "/", "methods": ["GET"], "access": "public", "from": ["law"], "limits": ["day"] },
            { "id": "member", "path": "/t/{tenant}/x/{n:int}", "methods": ["GET", "PUT"], "group": "web",
              "from": ["shadowed"], "require": { "rule": "member" } },
            { "id": "text", "path": "/t/{tenant}/x/{n}", "methods": ["GET"], "scopes": ["t:read"] },
            { "id": "maybe", "path": "/maybe", "methods": ["GET"], "access": "optional", "limits": ["day"] },
            { "id": "eu", "path": "/eu/{p:path}", "methods": ["GET"], "access": "public", "from": ["eu"],
              "rewrite": { "strip_prefix": "/eu" } },
            { "id": "post", "path": "/post", "methods": ["POST"], "issuers": { "main": { "scopes": ["t:write"] } },
              "accepts": { "content_types": ["application/json"], "max_query": 8, "required_headers": ["x-version"] } },
            { "id": "old", "path": "/old", "methods": ["GET"], "group": "old" }
        ]
    })
}

/// A request as `fastgate explain --requests` reads it.
fn case(dice: &mut Dice, tokens: &[String]) -> Value {
    const PATHS: [&str; 22] = [
        "/",
        "/t/acme/x/7",
        "/t/acme/x/y",
        "/t/%61cme/x/7",
        "/t/b%C3%BCro/x/7",
        "/t/acme/x/7/",
        "/maybe",
        "/eu/a/b",
        "/eu/",
        "/eu",
        "/eu/..",
        "/eu/%2e%2e/old",
        "/post",
        "/post/",
        "/old",
        "/nowhere",
        "//",
        "/t/acme%2fx/x/7",
        "/t/acme\\x/x/7",
        "/t/%ff/x/7",
        "/POST",
        "/.well-known/fastgate/jwks.json",
    ];
    const CLIENTS: [(&str, &str, &str, &str, u32, &str, Option<&str>); 4] = [
        ("198.51.100.10", "DE", "EU", "BE", 64500, "wired", None),
        ("198.51.100.20", "US", "NA", "CA", 64501, "mobile", Some("hosting")),
        ("2001:db8:81::1", "JP", "AS", "13", 64502, "wifi", None),
        ("203.0.113.5", "", "", "", 0, "", None),
    ];
    let (client, country, continent, region, asn, connection, proxy) = *dice.pick(&CLIENTS);
    let method = *dice.pick(&["GET", "GET", "GET", "PUT", "POST", "POST", "OPTIONS", "HEAD"]);
    let query = *dice.pick(&["", "", "?a=1", "?a=%22b%22&c", "?123456789"]);
    let mut headers = Vec::new();
    let mut add = |dice: &mut Dice, percent: usize, name: &str, values: &[&str]| {
        if dice.chance(percent) {
            headers.push(json!([name, dice.pick(values)]));
        }
    };
    add(dice, 40, "content-type", &["application/json", "text/plain"]);
    add(dice, 60, "x-version", &["1"]);
    add(dice, 30, "origin", &["https://app.test", "https://evil.test"]);
    add(dice, 30, "access-control-request-method", &["GET", "PUT", "DELETE"]);
    add(dice, 10, "x-forwarded-for", &["198.51.100.10"]);
    add(dice, 5, "host", &["evil.test", "EDGE.test:443", "edge.test:99999", "edge.test."]);
    if !headers.iter().any(|field| field[0] == "host") {
        headers.push(json!(["host", "edge.test"]));
    }
    if dice.chance(75) {
        let token = dice.pick(tokens);
        headers.push(json!(["authorization", format!("Bearer {token}")]));
    }
    if dice.chance(3) {
        headers.push(json!(["authorization", "Basic dTpw"]));
    }
    let mut case = json!({
        "method": method, "target": format!("{}{query}", dice.pick(&PATHS)), "headers": headers, "address": client
    });
    if asn > 0 {
        let facts = json!({
            "country": country, "continent": continent, "region": region, "asn": asn, "connection": connection,
            "proxy": proxy
        });
        case.as_object_mut().unwrap().extend(facts.as_object().cloned().unwrap());
    }
    case
}

#[test]
fn explain_agrees_with_the_edge_about_ten_thousand_generated_requests() {
    let gate = Gate::with(&policy(), &Setting { manifest: world(), ..Setting::default() });
    let mut tokens: Vec<String> = [
        json!({}),
        json!({ "tenant": "acme" }),
        json!({ "tenant": "büro", "scope": "t:read" }),
        json!({ "roles": ["admin"], "scope": "t:write" }),
        json!({ "scope": "t:read t:write", "tenant": ["acme"] }),
        json!({ "aud": "other" }),
        json!({ "exp": 1000 }),
        json!({ "iss": "https://unknown.test" }),
        json!({ "cnf": {} }),
    ]
    .into_iter()
    .map(|claims| gate.token(claims))
    .collect();
    tokens.push(format!("{}AAAA", &tokens[0][..tokens[0].len() - 4]));
    tokens.push("not.a.token".to_owned());
    let mut dice = Dice(0x5eed_cafe_f00d);
    let cases: Vec<Value> = (0..REQUESTS).map(|_| case(&mut dice, &tokens)).collect();

    let folder = std::env::temp_dir().join(format!("fastgate-agreement-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let lines = cases.iter().fold(String::new(), |mut text, case| {
        writeln!(text, "{case}").unwrap();
        text
    });
    let output = Command::new(env!("CARGO_BIN_EXE_fastgate-tool"))
        .arg("explain")
        .arg("--policy")
        .arg(file("policy.json", &provider::policy(&policy()).to_string()))
        .arg("--requests")
        .arg(file("requests.ndjson", &lines))
        .arg(format!("--jwks=main={}", file("jwks.json", &gate.main.jwks()).display()))
        .arg(format!("--now={}", now()))
        .output()
        .unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let explained: Vec<Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(explained.len(), REQUESTS);

    let ids: Vec<String> = cases.iter().map(|case| edge(&gate, case)).collect();
    let lines = gate.lines_by_id(REQUESTS);
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for ((case, explained), id) in cases.iter().zip(&explained).zip(&ids) {
        let line = &lines[id];
        let ages = line["verdict"] == "token-expired"; // its cause includes the age in seconds
        for member in ["verdict", "route", "cause", "credentials_ignored", "subject", "issuer"] {
            if ages && member == "cause" {
                continue;
            }
            assert_eq!(explained[member], line[member], "{member} of {case}");
        }
        let shadow = line.get("shadow").cloned().unwrap_or_else(|| json!([]));
        assert_eq!(explained["shadow"], shadow, "{case}");
        *seen.entry(line["verdict"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    assert!(seen.len() > 20, "the requests have many outcomes: {seen:?}");
    let forwarded = explained.iter().filter_map(|explained| explained["forward"]["path"].as_str());
    assert!(forwarded.eq(gate.arrived().iter().map(|arrived| arrived.path.as_str())), "the same paths at the origin");
}

/// Sends a request to the edge and returns the request id.
fn edge(gate: &Gate, case: &Value) -> String {
    let mut sent = request(case["method"].as_str().unwrap(), case["target"].as_str().unwrap());
    sent.headers_mut().unwrap().clear();
    for field in case["headers"].as_array().unwrap() {
        sent = sent.header(field[0].as_str().unwrap(), field[1].as_str().unwrap());
    }
    let client = case["address"].as_str().unwrap().parse().unwrap();
    let response = RUNTIME.block_on(send(gate.viceroy(), client, sent.body(Body::empty()).unwrap()));
    response.field("x-request-id").unwrap().to_owned()
}
