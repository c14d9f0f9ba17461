//! Measures step *inference*, which parses and judges the body of a chat, replaces the name of its model and hashes it.

use std::hint::black_box;

use fastgate::authorize::authorize;
use fastgate::client::Client;
use fastgate::content::{self, Body, ContentError};
use fastgate::headers::Headers;
use fastgate::identity::Caller;
use fastgate::inference;
use fastgate::inspect::inspect;
use fastgate::policy::Policy;
use fastgate::policy::limits::Limit;
use fastgate::request::{RequestHead, Target, normalize};
use fastgate::route;
use fastgate::throttle::{Cleared, Counter, CounterUnreachable, Held, Requested, Reservation, Taken, clear};
use fastgate::time::UnixTime;
use serde_json::{Value, json};

use crate::admitted::admitted;
use crate::microseconds;

/// The lengths of the bodies, in KiB.
const LENGTHS: [usize; 4] = [1, 16, 256, 1024];

/// A body in hand, whose replacement is not kept.
struct InHand<'body>(&'body [u8]);

impl Body for InHand<'_> {
    fn sha256(&mut self, _: u64) -> Result<[u8; 32], ContentError> {
        Err(ContentError::Unreadable)
    }

    fn read(&mut self, _: u64) -> Result<(), ContentError> {
        Ok(())
    }

    fn hold(&mut self, _: u64) -> Result<(), ContentError> {
        Ok(())
    }

    fn held(&self) -> Option<&[u8]> {
        Some(self.0)
    }

    fn replace(&mut self, content: Vec<u8>) {
        drop(black_box(content));
    }
}

/// The route has no limits.
struct NoCounter;

impl Counter for NoCounter {
    fn take(&mut self, _: &Limit, _: &str, _: u64, _: UnixTime) -> Result<Taken, CounterUnreachable> {
        Err(CounterUnreachable("there is none".to_owned()))
    }

    fn reserve(&mut self, _: &Requested<'_>, _: UnixTime) -> Result<Held, CounterUnreachable> {
        Err(CounterUnreachable("there is none".to_owned()))
    }

    fn settle(&mut self, _: &Reservation, _: u64) -> Result<bool, CounterUnreachable> {
        Err(CounterUnreachable("there is none".to_owned()))
    }
}

/// A policy with one route, for chats.
fn policy() -> Policy {
    let inference = json!({
        "api": "openai-chat", "models": { "small": { "name_at_origin": "vendor/small-2026" } },
        "max_tokens": 1000, "max_input_bytes": 2 * 1024 * 1024,
    });
    let route = json!({ "id": "chat", "path": "/v1/chat/completions", "methods": ["POST"], "access": "public", "inference": inference });
    let origins = json!({ "app": { "backend": "app", "audience": "app" } });
    let edge = json!({ "issuer": "https://edge.test", "hosts": ["edge.test"] });
    let policy = json!({ "edge": edge, "origins": origins, "routes": [route] }).to_string();
    Policy::parse(policy.as_bytes()).unwrap_or_else(|faults| panic!("{faults}"))
}

/// The request, and its route after the steps before.
fn cleared(policy: &Policy) -> (Target, Cleared<'_>) {
    let fields = [("host", "edge.test"), ("content-type", "application/json")];
    let head = RequestHead {
        method: "POST".to_owned(),
        target: b"/v1/chat/completions".to_vec(),
        headers: fields.into_iter().collect::<Headers>(),
        tls: true,
        certificate: None,
    };
    let target = normalize(head, &policy.edge().hosts).unwrap();
    let now = UnixTime::from_seconds(1_800_000_000);
    let route = route::find(policy, &target).unwrap();
    let captures = route::captures(route, &target);
    let permit = authorize(admitted(route, &target), Caller::Anonymous, &captures, now).unwrap();
    let inspected = inspect(permit, &target, &mut |_| ()).unwrap();
    let cleared = clear(inspected, &target, &Client::default(), &mut NoCounter, now, &mut |_, _| ()).unwrap();
    (target, cleared)
}

/// The body of a chat with these messages and this `logit_bias`.
fn chat(messages: &[Value], bias: &Value) -> Vec<u8> {
    let body = json!({ "model": "small", "messages": messages, "logit_bias": bias, "max_tokens": 100, "stream": true });
    body.to_string().into_bytes()
}

fn message(text: &str) -> Value {
    json!({ "role": "user", "content": text })
}

/// A kind of body: its name, and a body with so many parts.
type Kind = (&'static str, fn(usize) -> Vec<u8>);

/// What takes longest to parse differs: one long text, text that consists of escapes, short messages, numbers with names.
const KINDS: [Kind; 4] = [
    ("one text", |count| chat(&[message(&"The quick brown fox. ".repeat(count))], &json!({}))),
    ("escapes", |count| chat(&[message(&"\n\"".repeat(count))], &json!({}))),
    ("messages", |count| chat(&vec![message("The quick brown fox."); count], &json!({}))),
    ("members", |count| {
        let bias: serde_json::Map<_, _> = (0..count).map(|token| (format!("{token:06}"), json!(-1))).collect();
        chat(&[message("Hello")], &bias.into())
    }),
];

/// A body of this kind that is at most so many bytes long, and nearly so long. Each of its parts has the same length.
fn body((_, make): Kind, bytes: usize) -> Vec<u8> {
    let one = make(1).len();
    let part = make(2).len() - one;
    make((bytes - one) / part + 1)
}

/// Prints a row for each length, with the time per KiB for each kind of body, and that of hashing alone.
pub(crate) fn run() {
    let policy = policy();
    let (target, cleared) = cleared(&policy);
    let captures = route::captures(cleared.route(), &target);
    let [first, second, third, fourth] = KINDS.map(|(name, _)| name);
    println!("{:12}{first:>12}{second:>12}{third:>12}{fourth:>12}{:>12}", "µs", "SHA-256");
    for length in LENGTHS {
        let times = u32::try_from(LENGTHS[LENGTHS.len() - 1] / length).unwrap().min(100);
        print!("{:12}", format!("{length} KiB"));
        for kind in KINDS {
            let text = body(kind, length * 1024);
            let read = content::read(&cleared, target.content(), &mut InHand(&text)).unwrap();
            let judge = || {
                let judged =
                    inference::judge(&cleared, &captures, &target, read.clone(), &mut InHand(black_box(&text)));
                assert!(black_box(judged).unwrap().admission().is_some());
            };
            print!("{:12.2}", microseconds(times, judge) * 1024.0 / text.len() as f64);
        }
        let text = vec![b'a'; length * 1024];
        let hash = || drop(black_box(fastgate::content::ContentDigest::of(black_box(&text))));
        println!("{:12.2}", microseconds(times, hash) / length as f64);
    }
}
