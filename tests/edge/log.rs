//! The log line: each request has one, with every documented fact and no secret.

use crate::support::world::WORLD;

#[test]
fn a_served_request_leaves_one_line_with_every_fact() {
    let outcome = WORLD.get("/echo/x?secret=query");
    let id = outcome.reply().header("x-request-id").unwrap();
    let line = WORLD.edge.log_of(id);
    for (name, value) in [
        ("route", "echo"),
        ("verdict", "forwarded"),
        ("subject", "user-1"),
        ("issuer", "test"),
        ("key_id", "test-key"),
        ("method", "GET"),
        ("country", "US"),
        ("pop", "XXX"),
    ] {
        assert_eq!(line[name], value, "{line}");
    }
    assert_eq!(line["status"], 200);
    assert!(line["time"].as_u64().unwrap() > 1_700_000_000);
    let steps: Vec<_> =
        line["steps"].as_array().unwrap().iter().map(|step| step[0].as_str().unwrap().to_owned()).collect();
    let steps: Vec<_> = steps.into_iter().filter(|step| step != "configure").collect();
    assert_eq!(steps, ["identify", "mint", "forward"], "and `configure`, if the request read the policy");
    assert_eq!(WORLD.edge.log_lines().iter().filter(|line| line["request_id"] == id).count(), 1);
}

#[test]
fn nothing_secret_is_ever_logged() {
    let token = WORLD.token("");
    let fields = format!("authorization: Bearer {token}\r\ncookie: session=c00k1e\r\nx-key: hunter2\r\n");
    let identity = WORLD.send("GET /echo/x?q=qu3ry", &fields).echoed().all("fastgate-identity")[0].to_owned();
    WORLD.send("GET /me?q=qu3ry", format!("authorization: Bearer {token}x\r\ncookie: session=c00k1e\r\n")).refused();
    let log = WORLD.edge.log_text();
    for secret in [token.as_str(), token.rsplit('.').next().unwrap(), "c00k1e", "hunter2", "qu3ry", identity.as_str()] {
        assert!(!log.contains(secret), "{secret}");
    }
}

#[test]
fn input_of_a_client_cannot_forge_a_log_line() {
    let hostile = "x\",\"verdict\":\"forwarded\u{1b}[2J\n\r🙂";
    let header = serde_json::json!({ "alg": "ES256", "typ": "at+jwt", "kid": hostile });
    let mut claims = crate::support::tokens::claims(&WORLD.iss(), "a\",\"admin\":true", "");
    // Issued before the keys were fetched: only then is an unknown key the fault of the token.
    claims["iat"] = (crate::support::tokens::now() - 200).into();
    let token = crate::support::tokens::sign(&header, &claims);
    let outcome = WORLD.send("GET /echo/x", format!("authorization: Bearer {token}\r\n"));
    let line = WORLD.edge.log_of(outcome.reply().header("x-request-id").unwrap());
    assert_eq!(line["key_id"], hostile, "JSON escapes it");
    assert_eq!(line["verdict"], "token-unknown-key");
    assert!(!WORLD.edge.log_text().contains('\u{1b}'));
}
