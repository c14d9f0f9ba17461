//! Budgets of tokens at the edge: what a response cost is read from it as it passes, and counts in place of what was
//! reserved. Rows O14 to O17 of docs/attacks.md.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use hyper::{Body, Request};
use serde_json::{Value, json};

use super::gate::{Gate, GateResponse, Setting, request};
use super::uncounted::{damage_at, take_lease_at};
use crate::support::edge::RUNTIME;
use crate::support::http::exchange;
use crate::support::origin::{Origin, Received, response};

/// The tokens that the origin says a response cost.
const COST: u64 = 12;
/// What each budget has.
const WHOLE: u64 = 10_000;
/// The most tokens that each request asks for.
const MOST: u64 = 500;

/// An origin that behaves as the path says.
static ORIGIN: LazyLock<Origin> = LazyLock::new(|| Origin::start(behave));
/// Whether the streams of `/many` may end.
static RELEASED: AtomicBool = AtomicBool::new(false);

static GATE: LazyLock<Gate> = LazyLock::new(|| {
    let ids = [
        "stream",
        "whole",
        "shut",
        "ajar",
        "refused",
        "metered",
        "failed",
        "overloaded",
        "broken",
        "slow",
        "encoded",
        "unreadable",
    ];
    let budget =
        |unreachable: &str| json!({ "tokens": WHOLE, "window": 3600, "by": ["route"], "unreachable": unreachable });
    let mut budgets: serde_json::Map<String, Value> =
        ids.iter().map(|id| ((*id).to_owned(), budget(if *id == "ajar" { "open" } else { "closed" }))).collect();
    budgets.insert("many".to_owned(), json!({ "tokens": 64 * 300, "window": 3600, "by": ["route"] }));
    budgets.insert("estimated".to_owned(), budget("closed"));
    let route = |id: &str, settle: &str| {
        json!({
            "id": id, "path": format!("/{id}"), "methods": ["POST"], "access": "public",
            "inference": { "api": "openai-chat", "max_tokens": WHOLE, "models": { "small": {} }, "budgets": [id], "settle": settle }
        })
    };
    let routes: Vec<Value> =
        ids.iter().chain(&["many"]).map(|id| route(id, "usage")).chain([route("estimated", "estimate")]).collect();
    let manifest = format!("[local_server.backends.models]\nurl = \"http://{}\"\n", ORIGIN.address);
    let origins = json!({ "app": { "backend": "models", "audience": "app" } });
    let setting = Setting { manifest, ..Setting::default() };
    Gate::with(&json!({ "origins": origins, "budgets": budgets, "routes": routes }), &setting)
});

fn chunk(rest: &Value) -> String {
    let mut chunk = json!({ "id": "c", "object": "chat.completion.chunk", "choices": [], "usage": null });
    chunk.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    format!("data: {chunk}\n\n")
}

fn word(text: &str) -> String {
    chunk(&json!({ "choices": [{ "index": 0, "delta": { "content": text } }] }))
}

fn usage() -> Value {
    json!({ "prompt_tokens": COST - 2, "completion_tokens": 2, "total_tokens": COST })
}

/// Sends pieces of a stream without a length.
fn stream(to: &mut TcpStream, pieces: &[String]) -> bool {
    let head = "HTTP/1.1 201 Created\r\ncontent-encoding: identity\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunked = |piece: &String| format!("{:x}\r\n{piece}\r\n", piece.len());
    let _ = to.set_nodelay(true);
    std::iter::once(head.to_owned())
        .chain(pieces.iter().map(chunked))
        .all(|bytes| to.write_all(bytes.as_bytes()).is_ok())
}

fn behave(request: &Received, to: &mut TcpStream) {
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let wants_usage = body["stream_options"]["include_usage"] == true;
    let last = || chunk(&json!({ "usage": usage() }));
    let json = |usage: &Value| {
        json!({ "choices": [{ "message": { "content": "\"usage\":{}" } }], "usage": usage }).to_string()
    };
    let end = "data: [DONE]\n\n".to_owned();
    let path = request.request_line().split(' ').nth(1).unwrap_or_default();
    match path {
        "/stream" | "/many" => {
            assert!(wants_usage, "{body}");
            // Events are cut anywhere.
            let whole = [word("Hello"), word(" world"), last()].concat() + &end;
            let (first, rest) = whole.split_at(150);
            stream(to, &[first.to_owned()]);
            while path == "/many" && !RELEASED.load(Ordering::SeqCst) {
                sleep(Duration::from_millis(20));
            }
            let chunked = format!("{:x}\r\n{rest}\r\n0\r\n\r\n", rest.len());
            let _ = to.write_all(chunked.as_bytes());
        }
        "/broken" => {
            stream(to, &[word("Hello"), word(" you")]);
        }
        "/slow" => {
            if stream(to, &[word("Hello")]) {
                while to.write_all(b"3\r\n:\n\n\r\n").is_ok() {
                    sleep(Duration::from_millis(20));
                }
            }
        }
        "/refused" => {
            drop(to.write_all(&response("422 Unprocessable Content", &[("content-type", "application/json")], "{}")));
        }
        "/metered" => {
            let fields = [("content-type", "application/json")];
            drop(to.write_all(&response("422 Unprocessable Content", &fields, &json(&usage()))));
        }
        "/failed" => {
            drop(to.write_all(&response("502 Bad Gateway", &[("content-type", "application/json")], &json(&usage()))));
        }
        "/overloaded" => {
            drop(to.write_all(&response("500 Internal Server Error", &[("content-type", "application/json")], "{}")));
        }
        "/encoded" => {
            let fields = [("content-type", "application/json"), ("content-encoding", "x-other")];
            drop(to.write_all(&response("200 OK", &fields, &json(&usage()))));
        }
        "/unreadable" => {
            let usage = json!({ "prompt_tokens": -1, "completion_tokens": 2 });
            drop(to.write_all(&response("200 OK", &[("content-type", "application/json")], &json(&usage))));
        }
        _ => {
            assert_eq!(request.all("accept-encoding").contains(&"identity"), path != "/estimated", "{}", request.head);
            drop(to.write_all(&response("200 OK", &[("content-type", "application/json")], &json(&usage()))));
        }
    }
}

fn body(more: &str) -> String {
    format!("{{\"model\":\"small\",\"messages\":[],\"max_tokens\":{MOST}{more}}}")
}

fn post(path: &str, body: String) -> Request<Body> {
    let request = request("POST", path).header("content-type", "application/json").header("accept-encoding", "gzip");
    request.body(Body::from(body)).unwrap()
}

/// What is left of a budget after this response was admitted.
fn left(response: &GateResponse) -> u64 {
    let state = response.field("ratelimit").unwrap_or_else(|| panic!("{:?}", GATE.line(response)));
    state.split(";r=").nth(1).unwrap().split(';').next().unwrap().parse().unwrap()
}

/// What is left of the budget of a route; waits until it is as `expected`, because a count is settled after the response.
fn has_left(path: &str, expected: impl Fn(u64) -> bool) -> u64 {
    let patience = Instant::now();
    loop {
        // A request for the whole budget is refused, reserves nothing and says what is left, unless nothing is used.
        let most = WHOLE - u64::try_from(body("").len()).unwrap() - 1;
        let response = GATE.send(post(path, body("").replace(&MOST.to_string(), &most.to_string())));
        let found = if response.status == 429 { left(&response) } else { WHOLE };
        if expected(found) || patience.elapsed() > Duration::from_secs(5) {
            return found;
        }
        sleep(Duration::from_millis(20));
    }
}

/// The line about the cost of a request.
fn settled(response: &GateResponse) -> Value {
    let id = response.field("x-request-id").unwrap().to_owned();
    let patience = Instant::now();
    loop {
        let found =
            GATE.lines_in_order(1).into_iter().find(|line| line["request_id"] == id && !line["settled"].is_null());
        if let Some(line) = found {
            return line;
        }
        assert!(patience.elapsed() < Duration::from_secs(5), "no line about {id}");
        sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_usage_of_a_stream_counts_and_only_a_client_that_asked_for_it_sees_it() {
    let reserved = |more: &str| u64::try_from(body(more).len()).unwrap() + MOST;
    let hidden = ",\"stream\":true";
    let response = GATE.send(post("/stream", body(hidden)));
    assert_eq!((response.status, left(&response)), (201, WHOLE - reserved(hidden)));
    let text = String::from_utf8(response.body.clone()).unwrap();
    assert_eq!(text, [word("Hello"), word(" world"), "data: [DONE]\n\n".to_owned()].concat());
    let line = settled(&response);
    assert_eq!(
        (&line["settled"], &line["input_tokens"], &line["output_tokens"]),
        (&json!("usage"), &json!(COST - 2), &json!(2))
    );
    assert_eq!((&line["route"], &line["model"]), (&json!("stream"), &json!("small")));
    assert_eq!(has_left("/stream", |left| left == WHOLE - COST), WHOLE - COST);

    let asked = ",\"stream\":true,\"stream_options\":{\"include_usage\":true}";
    let response = GATE.send(post("/stream", body(asked)));
    let text = String::from_utf8(response.body.clone()).unwrap();
    assert_eq!(
        text,
        [word("Hello"), word(" world"), chunk(&json!({ "usage": usage() })), "data: [DONE]\n\n".to_owned()].concat()
    );
    assert_eq!(has_left("/stream", |left| left == WHOLE - 2 * COST), WHOLE - 2 * COST);
}

#[test]
fn the_usage_of_other_responses_counts() {
    let response = GATE.send(post("/whole", body("")));
    assert_eq!(response.status, 200);
    assert_eq!(response.json()["usage"], usage());
    assert_eq!(has_left("/whole", |left| left == WHOLE - COST), WHOLE - COST);
}

#[test]
fn a_reservation_stands_unless_the_response_says_what_it_cost() {
    let reserved = u64::try_from(body("").len()).unwrap() + MOST;
    for (path, status, left, word) in [
        ("/refused", 422, WHOLE, "nothing"),
        ("/metered", 422, WHOLE - COST, "usage"),
        ("/failed", 502, WHOLE - COST, "usage"),
        ("/overloaded", 500, WHOLE - reserved, "estimate"),
        ("/encoded", 200, WHOLE - reserved, "estimate"),
        ("/unreadable", 200, WHOLE - reserved, "estimate"),
        ("/estimated", 200, WHOLE - reserved, "estimate"),
    ] {
        let response = GATE.send(post(path, body("")));
        assert_eq!(response.status, status, "{path}");
        assert_eq!(settled(&response)["settled"], word, "{path}");
        assert_eq!(has_left(path, |found| found == left), left, "{path}");
    }
}

#[test]
fn a_stream_that_breaks_off_costs_what_was_delivered_and_does_not_look_complete() {
    let body = body(",\"stream\":true");
    let length = u64::try_from(body.len()).unwrap();
    let bytes = head_of("/broken", &body);
    let response =
        RUNTIME.block_on(async { tokio::task::spawn_blocking(move || exchange(GATE.address(), &bytes)).await });
    let text = response.unwrap().map(|reply| reply.text()).unwrap_or_default();
    assert!(!text.contains("[DONE]"), "{text}");
    // Two events, of which the second is no longer than the first.
    let left = has_left("/broken", |left| left > WHOLE - length - MOST);
    assert!((WHOLE - length - 10..WHOLE - length).contains(&left), "{left} of {WHOLE}, {length} bytes");
}

#[test]
fn a_client_that_leaves_pays_for_what_was_delivered() {
    let body = body(",\"stream\":true");
    let length = u64::try_from(body.len()).unwrap();
    let mut client = TcpStream::connect(GATE.address()).unwrap();
    client.write_all(&head_of("/slow", &body)).unwrap();
    let mut received = Vec::new();
    let mut piece = [0; 1024];
    while !String::from_utf8_lossy(&received).contains("Hello") {
        let count = client.read(&mut piece).unwrap();
        assert!(count > 0, "{}", String::from_utf8_lossy(&received));
        received.extend_from_slice(&piece[..count]);
    }
    drop(client);
    let left = has_left("/slow", |left| left > WHOLE - length - MOST);
    assert!((WHOLE - length - 10..WHOLE - length).contains(&left), "{left} of {WHOLE}, {length} bytes");
}

#[test]
fn reservations_hold_under_64_streams_at_once() {
    let body = format!("{{\"model\":\"small\",\"messages\":[],\"max_tokens\":{},\"stream\":true}}", 64 * 10 - 60);
    let each = u64::try_from(body.len()).unwrap() + 64 * 10 - 60;
    let admitted = 64 * 300 / each;
    let address = GATE.address();
    let clients: Vec<_> = (0..64)
        .map(|_| {
            let head = head_of("/many", &body);
            std::thread::spawn(move || exchange(address, &head).unwrap())
        })
        .collect();
    let patience = Instant::now();
    while u64::try_from(ORIGIN.everything().iter().filter(|seen| seen.head.contains("/many")).count()).unwrap()
        < admitted
    {
        assert!(patience.elapsed() < Duration::from_secs(20), "not all that fit are admitted");
        sleep(Duration::from_millis(20));
    }
    sleep(Duration::from_millis(300));
    RELEASED.store(true, Ordering::SeqCst);
    let replies: Vec<_> = clients.into_iter().map(|client| client.join().unwrap()).collect();
    let served = replies.iter().filter(|reply| reply.status == 201).count();
    let seen = ORIGIN.everything().iter().filter(|seen| seen.head.contains("/many")).count();
    assert!(replies.iter().all(|reply| [201, 429].contains(&reply.status)));
    assert!(u64::try_from(served).unwrap() == admitted && seen == served, "{served} of {admitted} served, {seen} seen");
}

#[test]
fn refusals_say_what_to_do_next() {
    let too_much = |tokens: u64| post("/shut", body("").replace(&MOST.to_string(), &tokens.to_string()));
    let response = GATE.send(too_much(WHOLE));
    assert_eq!((response.status, GATE.line(&response)["verdict"].as_str()), (429, Some("budget-too-small")));
    assert_eq!((response.field("x-should-retry"), response.field("retry-after")), (Some("false"), None));
    assert!(response.json()["error"]["message"].as_str().unwrap().contains("never admitted"));

    let lease = take_lease_at(&GATE, "budget/tokens/3600/shut", "shut");
    let response = GATE.send(too_much(1));
    assert_eq!((response.status, GATE.line(&response)["verdict"].as_str()), (429, Some("budget-queue-full")));
    drop(lease);

    assert_eq!(GATE.send(too_much(1)).status, 200);
    let response = GATE.send(too_much(WHOLE - 60));
    assert_eq!((response.status, GATE.line(&response)["verdict"].as_str()), (429, Some("budget-exceeded")));
    assert_eq!(response.json()["error"]["code"], "insufficient_quota");
    assert!(response.field("ratelimit-policy").unwrap().contains("qu=\"tokens\""));

    for name in ["shut", "ajar"] {
        damage_at(&GATE, &format!("budget/tokens/3600/{name}"), name);
    }
    let response = GATE.send(too_much(1));
    assert_eq!((response.status, GATE.line(&response)["verdict"].as_str()), (503, Some("budget-unreachable")));
    let response = GATE.send(post("/ajar", body("")));
    assert_eq!((response.status, GATE.line(&response)["verdict"].as_str()), (200, Some("forwarded")));
}

fn head_of(path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: edge.test\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
    .into_bytes()
}
