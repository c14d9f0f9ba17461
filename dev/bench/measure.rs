//! The measurements at the edge: pairs of batches for the CPU time, a count of hostcalls, and latencies at a fixed rate.

use crate::load;
use crate::machine::{Edge, Guest, Machine};
use crate::requests::{Kind, Requests};
use crate::statistics::{Quartiles, quantile};

/// The pairs of batches of each row.
pub(crate) const PAIRS: usize = 41;
/// The requests of a batch.
pub(crate) const BATCH: usize = 100;
/// What is sent before each batch and not measured, until a process that was stopped works as before.
const UNMEASURED: usize = 12;
/// The requests that are counted: those of 20 sandboxes on Viceroy.
const COUNTED: usize = 120;
/// Connections at a time: as many as two cores serve without queueing.
const CONNECTIONS: usize = 2;
/// For latencies: requests in a second, connections, seconds, and how many times.
pub(crate) const RATE: u32 = 500;
pub(crate) const RATE_CONNECTIONS: usize = 16;
pub(crate) const RATE_SECONDS: usize = 3;
pub(crate) const RATE_TIMES: usize = 3;

/// What is measured in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    guest: Guest,
    kind: Kind,
    /// Whether its latency is measured, too.
    latency: bool,
}

const fn case(name: &'static str, guest: Guest, kind: Kind, latency: bool) -> Case {
    Case { name, guest, kind, latency }
}

/// The row to which the others are compared.
const BASE: Case = case("pass-through by the SDK", Guest::PassThrough, Kind::PassThrough, true);
pub(crate) const CASES: [Case; 16] = [
    case("pass-through by the ABI", Guest::PassThroughRaw, Kind::PassThrough, false),
    case("public route, EdDSA header", Guest::Fastgate, Kind::Public, false),
    case("public route, MAC header", Guest::Fastgate, Kind::PublicMac, true),
    case("token seen before, EdDSA header", Guest::Fastgate, Kind::Warm, true),
    case("token seen before, MAC header", Guest::Fastgate, Kind::WarmMac, true),
    case("token seen before, MAC header, two regions", Guest::Fastgate, Kind::Regional, false),
    case("stored response, MAC header", Guest::Fastgate, Kind::Stored, true),
    case("response that is not stored yet, MAC header", Guest::Fastgate, Kind::Missing, false),
    case("stored response that the origin validates, MAC header", Guest::Fastgate, Kind::Validated, false),
    case("new RS256 token", Guest::Fastgate, Kind::ColdRs256, false),
    case("new ES256 token", Guest::Fastgate, Kind::ColdEs256, false),
    case("garbage as token", Guest::Fastgate, Kind::Garbage, false),
    case("expired token", Guest::Fastgate, Kind::Expired, false),
    case("token for another audience", Guest::Fastgate, Kind::OtherAudience, false),
    case("token seen before, EdDSA header, wide arithmetic", Guest::FastgateWide, Kind::Warm, false),
    case("new RS256 token, wide arithmetic", Guest::FastgateWide, Kind::ColdRs256, false),
];
/// How many tokens of each algorithm are needed: each pair has new ones.
pub(crate) const TOKENS: usize = PAIRS * BATCH;

/// The figures of a row.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// CPU time of the process per request in microseconds, the median.
    pub(crate) cpu: f64,
    /// The same, relative to the batch of the base right before.
    pub(crate) ratio: Quartiles,
    /// Hostcalls per request, with the starts of sandboxes.
    pub(crate) hostcalls: f64,
    /// Linear memory of a sandbox at its end, in mebibytes.
    pub(crate) memory: f64,
    /// Milliseconds: the median, and the 99th percentile.
    pub(crate) latency: Option<(f64, f64)>,
}

/// Measures everything, the base first.
pub(crate) fn rows(machine: &Machine, requests: &Requests) -> Vec<Row> {
    let edges = Guest::ALL.map(|guest| (guest, machine.edge(guest)));
    let of = |guest: Guest| edges.iter().find(|(each, _)| *each == guest).map(|(_, edge)| edge).unwrap();
    let (base, samples) = pairs(of, requests);
    let counts = counts(machine, requests);
    let latencies = latencies(of, requests);
    let cases = std::iter::once(BASE).chain(CASES);
    let one = |(case, (hostcalls, memory)): (Case, (f64, f64))| {
        let number = CASES.iter().position(|each| *each == case);
        let (cpu, ratio) = match number {
            None => (quantile(&base, 0.5), Quartiles { low: 1.0, median: 1.0, high: 1.0 }),
            Some(number) => {
                let (cpu, ratios): (Vec<_>, Vec<_>) = samples[number].iter().copied().unzip();
                (quantile(&cpu, 0.5), Quartiles::of(&ratios))
            }
        };
        let latency = latencies.iter().find(|(each, ..)| *each == case).map(|(_, median, most)| (*median, *most));
        Row { name: case.name, cpu, ratio, hostcalls, memory, latency }
    };
    cases.zip(counts).map(one).collect()
}

/// For the base, the CPU time of each batch. For each case, and each of its pairs: its CPU time, and the ratio to that of
/// the base.
fn pairs<'edges>(of: impl Fn(Guest) -> &'edges Edge, requests: &Requests) -> (Vec<f64>, Vec<Vec<(f64, f64)>>) {
    let mut base = Vec::new();
    let mut samples = vec![Vec::new(); CASES.len()];
    for round in 0..=PAIRS {
        eprint!("\rCPU time: round {round} of {PAIRS} ");
        for place in 0..CASES.len() {
            // Each round begins with another case.
            let number = (place + round) % CASES.len();
            let case = CASES[number];
            // The first round warms code, caches and connections; what it sends is sent again.
            let first = round.saturating_sub(1) * BATCH;
            let one = batch(of(BASE.guest), BASE.kind, requests, first);
            let other =
                batch(of(case.guest), if round == 0 { case.kind.repeated() } else { case.kind }, requests, first);
            if round > 0 {
                base.push(one);
                samples[number].push((other, other / one));
            }
        }
    }
    eprintln!();
    (base, samples)
}

/// CPU time of the process per request, in microseconds.
fn batch(edge: &Edge, kind: Kind, requests: &Requests, first: usize) -> f64 {
    let before = requests.of(kind.repeated(), 0, UNMEASURED);
    let measured = requests.of(kind, first, BATCH);
    edge.running(|| {
        load::send(edge.address, &before, kind.status(), CONNECTIONS);
        let start = edge.cpu_time();
        load::send(edge.address, &measured, kind.status(), CONNECTIONS);
        edge.cpu_time().saturating_sub(start).as_secs_f64() * 1e6 / BATCH as f64
    })
}

/// Hostcalls per request, and mebibytes of a sandbox, for each row. One process runs at a time.
fn counts(machine: &Machine, requests: &Requests) -> Vec<(f64, f64)> {
    let mut found = vec![(0.0, 0.0); 1 + CASES.len()];
    for guest in Guest::ALL {
        eprintln!("hostcalls and memory: {guest:?}");
        let edge = machine.counting_edge(guest);
        for (number, case) in std::iter::once(BASE).chain(CASES).enumerate().filter(|(_, case)| case.guest == guest) {
            let send = |kind: Kind| load::send(edge.address, &requests.of(kind, 0, COUNTED), case.kind.status(), 1);
            send(case.kind.repeated());
            edge.counts();
            send(case.kind);
            let counts = edge.counts();
            found[number] = (counts.hostcalls as f64 / COUNTED as f64, counts.memory / (1024.0 * 1024.0));
        }
    }
    found
}

/// Milliseconds at [`RATE`], of the cases that ask for it: the median, and the 99th percentile. Both are the medians of
/// several times, between which the cases take turns.
fn latencies<'edges>(of: impl Fn(Guest) -> &'edges Edge, requests: &Requests) -> Vec<(Case, f64, f64)> {
    let cases: Vec<_> = std::iter::once(BASE).chain(CASES).filter(|case| case.latency).collect();
    let mut samples = vec![(Vec::new(), Vec::new()); cases.len()];
    for time in 1..=RATE_TIMES {
        eprint!("\rlatency: {time} of {RATE_TIMES} ");
        for (case, (medians, most)) in cases.iter().zip(&mut samples) {
            let took = latency(*case, of(case.guest), requests);
            medians.push(quantile(&took, 0.5));
            most.push(quantile(&took, 0.99));
        }
    }
    eprintln!();
    let one =
        |(case, (medians, most)): (Case, (Vec<f64>, Vec<f64>))| (case, quantile(&medians, 0.5), quantile(&most, 0.5));
    cases.into_iter().zip(samples).map(one).collect()
}

/// Milliseconds of each request at [`RATE`].
fn latency(case: Case, edge: &Edge, requests: &Requests) -> Vec<f64> {
    let (before, status) = (requests.of(case.kind, 0, RATE as usize / 2), case.kind.status());
    // The token is the same in all of them.
    let measured: Vec<_> = before.iter().cycle().take(RATE as usize * RATE_SECONDS).cloned().collect();
    edge.running(|| {
        load::send_at_rate(edge.address, &before, status, RATE_CONNECTIONS, RATE);
        load::send_at_rate(edge.address, &measured, status, RATE_CONNECTIONS, RATE)
    })
}
