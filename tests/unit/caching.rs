//! Stored responses: who shares them, what the origin learns, and when they are sent.

mod isolation;
mod lifetimes;
mod models;
mod reading;

use fastgate::caching::{FromOrigin, Served};
use fastgate::gateway::Decision;
use fastgate::headers::Headers;
use fastgate::time::UnixTime;
use serde_json::{Value, json};

use crate::offline::{Gate, Request};
use crate::rules::{gate_with, route};

/// A gate with a route `/a` whose responses are stored by `cache`, for callers with `access`.
fn caching(access: &str, cache: &Value) -> Gate {
    gate_with(&json!({ "routes": [route("/a", &json!({ "access": access, "cache": cache }))] }))
}

fn fields(pairs: &[(&str, &str)]) -> Headers {
    pairs.iter().copied().collect()
}

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// A stored response was sent.
    Stored(u16),
    /// A stored response was sent and then renewed.
    Renewed(u16),
    /// It was forwarded, and the response was stored.
    Fetched,
    /// It was forwarded, and the stored response is still valid.
    Validated,
    /// It was forwarded, and the response was not stored, for this reason.
    Relayed(String),
    /// It was forwarded, the origin failed, and a stored response was sent.
    Outlasted,
    /// It was refused.
    Refused(&'static str),
}

/// Sends a request to a gate whose origin responds with this status and these fields. If `length` is known, the content
/// has so many bytes.
fn exchange(gate: &Gate, request: Request, status: u16, response: &[(&str, &str)]) -> Outcome {
    let outcome = gate.send(request);
    let now = UnixTime::from_seconds(gate.now.get());
    let (grant, renews) = match &outcome.decision {
        Decision::Forward(grant) => (grant, None),
        Decision::Send(served, None) => return Outcome::Stored(served.status),
        Decision::Send(served, Some(grant)) => (grant, Some(served.status)),
        _ => return Outcome::Refused(outcome.trail.verdict),
    };
    let storage = grant.storage().expect("responses of the route are stored");
    let received = storage.received(status, &fields(response), now);
    let mut fakes = gate.fakes();
    let happened = match received {
        FromOrigin::Store(insertion, _) => {
            fakes.responses.store(&insertion);
            Outcome::Fetched
        }
        FromOrigin::Validated(insertion, _) => {
            if let Some(insertion) = insertion {
                fakes.responses.store(&insertion);
            }
            Outcome::Validated
        }
        FromOrigin::Relay { mark, refused, .. } => {
            if let Some(mark) = mark {
                fakes.responses.store(&mark);
            }
            Outcome::Relayed(refused.to_string())
        }
        FromOrigin::Stale(stale) => {
            if let Some(held) = stale.held {
                fakes.responses.store(&held);
            }
            Outcome::Outlasted
        }
    };
    fakes.responses.owed.clear();
    renews.map_or(happened, Outcome::Renewed)
}

/// The stored response that a request gets.
#[track_caller]
fn stored(gate: &Gate, request: Request) -> Served {
    match gate.send(request).decision {
        Decision::Send(served, _) => *served,
        other => panic!("no stored response: {other:?}"),
    }
}
