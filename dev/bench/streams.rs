//! Streams of models: how soon they begin, and what the edge spends on each event. The kinds take turns with streams
//! through the guest that only forwards, as in [`measure`](crate::measure).

use std::fmt::Write as _;

use crate::load;
use crate::machine::{Edge, Guest, Machine};
use crate::origin::EVENTS;
use crate::requests::Requests;
use crate::statistics::{Quartiles, quantile};

/// The pairs of batches of each row.
pub(crate) const PAIRS: usize = 41;
/// The streams at a time, as many as two cores serve without queueing, and how many follow one another: a batch.
pub(crate) const CONNECTIONS: usize = 2;
const TIMES: usize = 4;
/// The streams of a batch.
pub(crate) const BATCH: usize = CONNECTIONS * TIMES;

/// Each row, with its guest and its route.
const BASE: (&str, Guest, &str) = ("pass-through by the SDK", Guest::PassThrough, "usage");
const CASES: [(&str, Guest, &str); 2] = [
    ("budget that counts the usage, MAC header", Guest::Fastgate, "usage"),
    ("budget that counts the estimate, MAC header", Guest::Fastgate, "estimate"),
];

/// The figures of a row.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// Milliseconds until the first byte of the content, the median.
    pub(crate) first: f64,
    /// The same, relative to the batch of the base right before.
    pub(crate) first_ratio: Quartiles,
    /// CPU time of the process per event in microseconds, the median.
    pub(crate) cpu: f64,
    /// The same, less that of the batch of the base right before.
    pub(crate) cpu_more: Quartiles,
}

/// The figures of a batch.
#[derive(Clone, Copy, Debug)]
struct Sample {
    first: f64,
    cpu: f64,
}

/// Measures all kinds of streams, the base first.
pub(crate) fn rows(machine: &Machine, requests: &Requests) -> Vec<Row> {
    rows_of(machine, requests, PAIRS)
}

fn rows_of(machine: &Machine, requests: &Requests, pairs: usize) -> Vec<Row> {
    let (base_edge, edge) = (machine.edge(Guest::PassThrough), machine.edge(Guest::Fastgate));
    let sample = |(_, guest, route): (&str, Guest, &str)| {
        batch(if guest == Guest::PassThrough { &base_edge } else { &edge }, &requests.chat(route))
    };
    let mut samples = CASES.map(|_| Vec::new());
    for round in 0..=pairs {
        eprint!("\rstreams: round {round} of {pairs} ");
        for place in 0..CASES.len() {
            // Each round begins with another case; the first round warms code and connections.
            let number = (place + round) % CASES.len();
            let pair = (sample(BASE), sample(CASES[number]));
            if round > 0 {
                samples[number].push(pair);
            }
        }
    }
    eprintln!();
    let base: Vec<_> = samples.iter().flatten().map(|(base, _)| (*base, *base)).collect();
    let base = row(BASE.0, &base);
    std::iter::once(base).chain(CASES.iter().zip(&samples).map(|(case, pairs)| row(case.0, pairs))).collect()
}

/// A batch, after streams that are not measured: a process that was stopped has to work as before.
fn batch(edge: &Edge, request: &[u8]) -> Sample {
    edge.running(|| {
        load::streams(edge.address, request, 1, CONNECTIONS, EVENTS);
        let start = edge.cpu_time();
        let first = load::streams(edge.address, request, TIMES, CONNECTIONS, EVENTS);
        let took = edge.cpu_time().saturating_sub(start).as_secs_f64() * 1e6;
        Sample { first: quantile(&first, 0.5), cpu: took / (BATCH * EVENTS) as f64 }
    })
}

/// The row of these pairs of a batch of the base and one of this kind.
fn row(name: &'static str, pairs: &[(Sample, Sample)]) -> Row {
    let of = |figure: fn(&(Sample, Sample)) -> f64| pairs.iter().map(figure).collect::<Vec<_>>();
    Row {
        name,
        first: quantile(&of(|(_, sample)| sample.first), 0.5),
        first_ratio: Quartiles::of(&of(|(base, sample)| sample.first / base.first)),
        cpu: quantile(&of(|(_, sample)| sample.cpu), 0.5),
        cpu_more: Quartiles::of(&of(|(base, sample)| sample.cpu - base.cpu)),
    }
}

/// The table for the report. The base has no relative figures.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut table =
        "| stream | first byte, ms | × pass-through | quartiles | CPU per event, µs | more than pass-through | quartiles |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n"
            .to_owned();
    for Row { name, first, first_ratio, cpu, cpu_more } in rows {
        let spread = |of: &Quartiles, to: &str, decimals: usize| {
            if of.low < of.high { format!("{:.decimals$}{to}{:.decimals$}", of.low, of.high) } else { String::new() }
        };
        let _ = writeln!(
            table,
            "| {name} | {first:.1} | {:.2} | {} | {cpu:.0} | {:.1} | {} |",
            first_ratio.median,
            spread(first_ratio, "–", 2),
            cpu_more.median,
            spread(cpu_more, " to ", 1)
        );
    }
    table.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_relative_to_the_batches_right_before() {
        let pair = |base: (f64, f64), other: (f64, f64)| {
            (Sample { first: base.0, cpu: base.1 }, Sample { first: other.0, cpu: other.1 })
        };
        let pairs = [
            pair((20.0, 50.0), (21.0, 60.0)),
            pair((40.0, 90.0), (44.0, 92.0)),
            pair((10.0, 20.0), (12.0, 25.0)),
            pair((10.0, 50.0), (13.0, 70.0)),
            pair((10.0, 50.0), (10.0, 50.0)),
        ];
        let text = table(&[row("a", &pairs), row("b", &[pair((20.0, 50.0), (20.0, 50.0))])]);
        assert!(text.contains("| a | 13.0 | 1.10 | 1.05–1.20 | 60 | 5.0 | 2.0 to 10.0 |\n"), "{text}");
        assert!(text.ends_with("| b | 20.0 | 1.00 |  | 50 | 0.0 |  |"), "{text}");
    }

    /// Few pairs: whether streams pass, with all their events and without the usage. It needs what `make bench` builds.
    #[test]
    #[ignore = "needs the guests, and a minute"]
    fn streams_pass() {
        let requests = Requests::prepare(1);
        let policy = crate::models::policy(crate::requests::ISSUER);
        let rows = rows_of(&Machine::start("streams", &policy, &requests), &requests, 5);
        println!("{}", table(&rows));
        assert!(rows.iter().all(|row| row.first >= crate::origin::THOUGHT.as_secs_f64() * 1e3), "{rows:?}");
    }
}
