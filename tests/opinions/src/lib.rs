//! A second opinion on tokens. Fastgate, the crate `jsonwebtoken` and PyJWT judge tokens that are nearly valid. If they
//! disagree, a named rule of Fastgate must explain it: each rule is a predicate over the token that shares no code with
//! the library. The tokens are the same in every run; `docs/reference/token-opinions.md` has the rules, and how many of
//! the disagreements in 100,000 tokens each explains.

#![cfg(test)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test says what went wrong by panicking"
)]

mod keys;
mod mutations;
mod others;
#[path = "../../support/random.rs"]
mod random;
mod reading;
mod report;
mod rules;
mod tokens;

use std::collections::BTreeMap;

use others::{Opinions, Other, judged};
use report::{counted, document, without_counts};
use rules::{Side, explanation};

/// The number of tokens in `make opinions` and in the document.
const ALL: u64 = 100_000;
/// The number of tokens in every run of the tests.
const SOME: u64 = 3_000;

#[test]
fn three_verifiers_agree_except_for_named_rules() {
    let tally = tally(SOME);
    let written = written();
    assert_eq!(without_counts(&written), without_counts(&document(&tally, SOME)), "`make opinions` says more");
}

#[test]
#[ignore = "takes minutes: `make opinions`"]
fn three_verifiers_agree_about_a_hundred_thousand_tokens_except_for_named_rules() {
    let tally = tally(ALL);
    let document = document(&tally, ALL);
    if std::env::var_os("OPINIONS_WRITE").is_some() {
        std::fs::write(report::PATH, &document).unwrap();
    }
    assert_eq!(written(), document, "`OPINIONS_WRITE=1 make opinions` writes docs/reference/token-opinions.md anew");
}

fn written() -> String {
    std::fs::read_to_string(report::PATH).unwrap_or_default()
}

/// The number of tokens of each kind, and of disagreements that each rule explains.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) accepted: u64,
    pub(crate) refused: u64,
    pub(crate) explained: BTreeMap<(&'static str, Other), u64>,
}

/// Judges tokens 0 to `count`.
///
/// # Panics
/// If a token without a valid signature is accepted, or a disagreement has no rule.
fn tally(count: u64) -> Tally {
    let mut tally = Tally::default();
    let mut unexplained = Vec::new();
    for Opinions { token, ours, theirs } in judged(count) {
        match &ours {
            Ok(()) => tally.accepted += 1,
            Err(_) => tally.refused += 1,
        }
        if ours.is_ok() && !token.is_signed {
            unexplained.push(format!("accepted without a signature: {token:?}"));
        }
        for (other, accepts) in theirs {
            if accepts == ours.is_ok() {
                continue;
            }
            let side = ours.as_ref().err().map_or(Side::Accepts, Side::Refuses);
            match explanation(&token, side, other) {
                Some(rule) if token.is_signed => *tally.explained.entry((rule, other)).or_default() += 1,
                _ => unexplained.push(format!("{other:?} accepts: {accepts}, we say {ours:?}: {token:?}")),
            }
        }
    }
    let some = counted(&unexplained);
    assert!(unexplained.is_empty(), "{} disagreements without a rule:\n{some}", unexplained.len());
    assert!(tally.accepted > count / 10 && tally.refused > count / 10, "{tally:?}");
    tally
}
