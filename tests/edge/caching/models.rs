//! Stored responses of models through the guest: one request to the origin for many, and what each of them costs. Row O27 of
//! `docs/attacks.md`.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Gate, Told, minted, status};
use crate::support::http::Reply;

const BODY: &str = r#"{"model":"small","input":"Where is my order?"}"#;
const RESPONSE: &str = r#"{"object":"list","data":[],"usage":{"prompt_tokens":5,"total_tokens":5}}"#;

fn gate() -> Gate {
    gate_with(60)
}

/// A gate whose responses are fresh for so many seconds.
fn gate_with(ttl: u64) -> Gate {
    let inference = json!({ "api": "openai-embeddings", "models": { "small": {} }, "budgets": ["hourly"] });
    let cache = json!({ "audience": "tenant", "ttl": ttl, "stale_if_error": 60 });
    let budgets = json!({ "hourly": { "tokens": 1000, "window": 3600, "by": ["subject"] } });
    let gate = Gate::with_budgets(&json!({ "methods": ["POST"], "inference": inference, "cache": cache }), &budgets);
    gate.tell(
        "/shared/a",
        Told {
            fields: vec![("content-type", "application/json".to_owned())],
            body: RESPONSE.to_owned(),
            takes: Duration::from_millis(300),
            ..Told::default()
        },
    );
    gate
}

fn post(gate: &Gate, subject: &str, claims: &Value, body: &str) -> Reply {
    let fields = format!(
        "authorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
        gate.token(subject, claims),
        body.len()
    );
    gate.try_send_with("POST /shared/a", &fields, body).unwrap()
}

/// The line about what a request cost.
fn settled(gate: &Gate, reply: &Reply) -> Value {
    let id = reply.header("x-request-id").unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let mut lines = gate.edge.log_lines().into_iter();
        if let Some(line) = lines.find(|line| line["request_id"] == id && line.get("settled").is_some()) {
            return line;
        }
        assert!(Instant::now() < until, "it is never settled");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn identical_requests_in_flight_cause_one_request_to_the_origin() {
    let gate = Arc::new(gate());
    let replies: Vec<Reply> = (0..8)
        .map(|number| {
            let gate = Arc::clone(&gate);
            thread::spawn(move || post(&gate, &format!("caller-{number}"), &json!({ "tid": "one" }), BODY))
        })
        .collect::<Vec<_>>()
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .collect();
    for reply in &replies {
        assert_eq!((reply.status, reply.text().as_str()), (200, RESPONSE), "{}", status(reply));
    }
    let [seen] = gate.seen("/shared/a").try_into().unwrap();
    assert_eq!(String::from_utf8_lossy(&seen.body), BODY);
    assert_eq!((seen.all("content-type"), seen.all("accept-encoding")), (vec!["application/json"], vec!["identity"]));
    assert!(minted(&seen)["tctx"]["inference"].get("remaining").is_none());
    // The same request in other words, and that of another tenant.
    let spelled = "{ \"input\":\"Where is my \\u006frder?\", \"model\":\"small\" }";
    assert!(status(&post(&gate, "eve", &json!({ "tid": "one" }), spelled)).contains("hit"));
    assert!(status(&post(&gate, "eve", &json!({ "tid": "two" }), BODY)).contains("uri-miss"));
    assert!(status(&post(&gate, "eve", &json!({ "tid": "one" }), &BODY.replace("my", "your"))).contains("uri-miss"));
    assert_eq!(gate.seen("/shared/a").len(), 3);
}

#[test]
fn what_was_fetched_costs_what_its_usage_says_and_what_is_stored_nothing() {
    let gate = gate();
    let tenant = json!({ "tid": "one" });
    let miss = post(&gate, "ada", &tenant, BODY);
    assert_eq!((miss.status, miss.text().as_str()), (200, RESPONSE));
    let settled = settled(&gate, &miss);
    assert_eq!((&settled["settled"], &settled["input_tokens"]), (&json!("usage"), &json!(5)));
    let hit = post(&gate, "ada", &tenant, BODY);
    assert!(status(&hit).contains("hit"), "{}", status(&hit));
    assert!(hit.header("ratelimit").is_none(), "it counts against no budget");
    let line = gate.log_of(&hit);
    assert_eq!((&line["verdict"], &line["cache"], &line["model"]), (&json!("served"), &json!("hit"), &json!("small")));
    // The next request reserves its own estimate of what five tokens have left.
    let next = post(&gate, "ada", &tenant, &BODY.replace("my", "our"));
    let left = 1000 - 5 - BODY.len() - 1;
    assert!(next.header("ratelimit").unwrap().contains(&format!("r={left}")), "{:?}", next.header("ratelimit"));
}

#[test]
fn a_stale_response_is_sent_while_the_origin_fails() {
    let gate = gate_with(1);
    let tenant = json!({ "tid": "one" });
    assert_eq!(post(&gate, "ada", &tenant, BODY).status, 200);
    gate.tell("/shared/a", Told { status: "503 Service Unavailable", ..Told::default() });
    thread::sleep(Duration::from_millis(2100));
    let stale = post(&gate, "ada", &tenant, BODY);
    assert_eq!((stale.status, stale.text().as_str()), (200, RESPONSE), "{}", status(&stale));
    assert_eq!(gate.log_of(&stale)["cache"], "stale-if-error");
    // No model runs for a request that gets 503.
    assert_eq!(settled(&gate, &stale)["settled"], "nothing");
    assert_eq!(post(&gate, "ada", &tenant, &BODY.replace("my", "our")).status, 503);
    assert_eq!(gate.seen("/shared/a").len(), 3);
}
