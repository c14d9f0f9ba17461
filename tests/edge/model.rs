//! The gate over time, with the sequences and the reference of `tests/model/`, and the real guest: its own cache,
//! stores that are written while it runs, providers behind sockets, the real clock. Each sequence has a lane of its own
//! in an edge: an issuer, a limit, routes, an address. Only one lane may change what all lanes of an edge share.

mod lane;
mod providers;
#[path = "../model/shared.rs"]
mod shared;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::scope;

use fastgate::mint::new_signing_keys;
use fastgate::store_keys::{POLICY_KEY, SHADOW_KEY};
use hyper::{Body, Request};
use serde_json::json;
use viceroy_lib::ExecuteCtx;

use crate::support::edge::{Edge, Listener, RUNTIME, Stores};
use crate::support::guest;
use crate::support::origin::{Origin, response};
use lane::Lane;
use providers::Providers;
use shared::policy::{Names, policy};
use shared::reference::Reference;
use shared::seeds::seeds;
use shared::sequences::sequence;
use shared::steps::{Plan, REAL, SwitchedOff, first_plan};

/// The number of new sequences.
const SEQUENCES: u64 = 104;
/// The number of sequences that one edge runs at once.
const LANES: usize = 26;
/// The lane whose issuer has an introspection endpoint: a policy has one such issuer at most.
const WITH_INTROSPECTION: usize = 0;
/// The lane that makes the kill switch unreadable for all lanes.
const WITH_OUTAGES: usize = 1;

/// An edge, and the values in its KV store.
struct Shared {
    edge: Edge,
    origin: Origin,
    writer: Arc<ExecuteCtx>,
    names: Vec<Names>,
    stored: Mutex<Stored>,
    references: Vec<Mutex<Reference>>,
}

/// The values of each lane.
struct Stored {
    live: Vec<(usize, Plan)>,
    shadow: Vec<Option<Plan>>,
    off: Vec<SwitchedOff>,
    /// Whether the kill switch is too long to be read.
    out: bool,
}

impl Shared {
    fn start(number: usize, lanes: usize, providers: &Providers) -> Self {
        let origin = Origin::responding(response("200 OK", &[], "{}"));
        let names: Vec<_> = (0..lanes).map(|lane| providers.names(&format!("e{number}n{lane}"))).collect();
        let plans: Vec<_> = (0..lanes).map(|lane| (0, fitting(first_plan(&REAL), lane))).collect();
        let stored =
            Stored { live: plans, shadow: vec![None; lanes], off: vec![SwitchedOff::default(); lanes], out: false };
        let mut backends = providers.backends();
        backends.push(("app".to_owned(), origin.address.to_string()));
        let given = Stores {
            kv: Some(vec![(POLICY_KEY.to_owned(), stored.policy(&names))]),
            signing_keys: Some(new_signing_keys().0),
            backends,
            ..Stores::default()
        };
        let edge = Edge::start(Listener::bind(), &given);
        let writer = guest::kv_writer(&edge.viceroy(), Path::new(KV_WRITER)).unwrap();
        let now = lane::milliseconds();
        let reference = |(_, plan): &(usize, Plan)| Mutex::new(Reference::new(REAL, *plan, now));
        let references = stored.live.iter().map(reference).collect();
        Self { edge, origin, writer, names, stored: Mutex::new(stored), references }
    }

    /// Changes the stored values and writes them; only one lane at a time does so.
    fn store(&self, key: &str, change: impl FnOnce(&mut Stored)) {
        let mut stored = self.stored.lock().unwrap();
        change(&mut stored);
        let value = match key {
            POLICY_KEY => stored.policy(&self.names),
            SHADOW_KEY => stored.shadow_policy(&self.names),
            _ => stored.switch(&self.names),
        };
        self.write(key, &value);
    }

    fn write(&self, key: &str, value: &str) {
        let written = [&[u8::try_from(key.len()).unwrap()], key.as_bytes(), value.as_bytes()].concat();
        let request = Request::post("http://edge.test/").body(Body::from(written)).unwrap();
        let here = ([127, 0, 0, 1], 443).into();
        let (_, trap) = RUNTIME.block_on(Arc::clone(&self.writer).handle_request(request, here, here)).unwrap();
        assert!(trap.is_none(), "{trap:?}");
    }
}

const KV_WRITER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/edge/model/kv_writer.wat");

impl Stored {
    fn policy(&self, names: &[Names]) -> String {
        let lanes: Vec<_> =
            names.iter().zip(&self.live).map(|(names, (version, plan))| (names, *version, *plan)).collect();
        policy(&lanes, false)
    }

    /// The shadow policy; empty if no lane has one.
    fn shadow_policy(&self, names: &[Names]) -> String {
        let lanes: Vec<_> =
            names.iter().zip(&self.shadow).filter_map(|(names, plan)| plan.map(|plan| (names, 0, plan))).collect();
        if lanes.is_empty() { String::new() } else { policy(&lanes, true) }
    }

    fn switch(&self, names: &[Names]) -> String {
        let off: Vec<_> = names.iter().zip(&self.off).map(|(names, off)| names.switched_off(off)).collect();
        let groups: Vec<_> = off.iter().filter_map(|(group, _)| group.as_ref()).collect();
        let keys: Vec<_> = off.iter().filter_map(|(_, key)| key.as_ref()).collect();
        let switch = json!({ "groups": groups, "keys": keys }).to_string();
        if self.out { format!("{switch}{}", " ".repeat(70_000)) } else { switch }
    }
}

/// The plan, limited to the features that the lane may use.
fn fitting(plan: Plan, lane: usize) -> Plan {
    Plan { introspection: plan.introspection && lane == WITH_INTROSPECTION, ..plan }
}

#[test]
fn the_invariants_hold_over_time() {
    let seeds = seeds(include_str!("../model/edge-seeds.txt"), 1, SEQUENCES);
    let providers = Providers::start();
    let results: Vec<(u64, usize, Result<usize, String>)> = scope(|scope| {
        let providers = &providers;
        let edges: Vec<_> = seeds
            .chunks(LANES)
            .enumerate()
            .map(|(number, seeds)| scope.spawn(move || run(number, seeds, providers)))
            .collect();
        edges.into_iter().flat_map(|edge| edge.join().unwrap()).collect()
    });
    let failed: Vec<_> =
        results.iter().filter_map(|(seed, lane, result)| Some((seed, lane, result.as_ref().err()?))).collect();
    for (seed, lane, violation) in &failed {
        let steps: Vec<_> = sequence(**seed, &REAL).iter().map(|step| format!("  {step:?}")).collect();
        eprintln!("FASTGATE_MODEL_SEED={seed} (lane {lane}): {violation}\n{}", steps.join("\n"));
    }
    assert!(failed.is_empty(), "{} of {} sequences fail", failed.len(), seeds.len());
    let forwarded: usize = results.iter().filter_map(|(_, _, result)| result.as_ref().ok()).sum();
    assert!(forwarded > 2 * seeds.len(), "only {forwarded} requests were forwarded: nothing was tested");
}

/// Runs the sequences of one edge at the same time.
fn run(number: usize, seeds: &[u64], providers: &Providers) -> Vec<(u64, usize, Result<usize, String>)> {
    let shared = Shared::start(number, seeds.len(), providers);
    scope(|scope| {
        let shared = &shared;
        let lanes: Vec<_> = seeds
            .iter()
            .enumerate()
            .map(|(lane, seed)| {
                (seed, lane, scope.spawn(move || Lane::new(shared, providers, lane, seeds.len() == 1).run(*seed)))
            })
            .collect();
        lanes.into_iter().map(|(seed, lane, thread)| (*seed, lane, thread.join().unwrap())).collect()
    })
}
