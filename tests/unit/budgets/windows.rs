//! The window of a budget: the sum of what is reserved and what was spent.

use std::collections::BTreeMap;
use std::sync::Arc;

use fastgate::policy::budgets::Budget;
use fastgate::throttle::{BudgetWindow, Requested, Reservation};
use fastgate::time::UnixTime;
use proptest::prelude::{Strategy, prop_oneof, proptest};
use serde_json::json;

use super::document;
use crate::offline::policy_of;

const WINDOW: u64 = 60;

fn budget(tokens: u64) -> Arc<Budget> {
    let budgets = json!({ "b": { "tokens": 100, "window": WINDOW, "by": ["subject"] } });
    let inference = json!({ "api": "openai-chat", "max_tokens": 1, "models": { "small": {} }, "budgets": ["b"] });
    // Some amounts are less than any request can cost.
    let budget = policy_of(&document(&budgets, &inference)).budgets().next().unwrap().clone();
    Arc::new(Budget { amount: tokens, ..budget })
}

#[derive(Clone, Debug)]
enum Event {
    /// A request reserves this much.
    Reserve(u64),
    /// One of the requests in flight ends and cost this much.
    Settle(usize, u64),
    /// So many seconds pass.
    Pass(u64),
    /// The store loses the count.
    Lose,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (0_u64..60).prop_map(Event::Reserve),
        1 => proptest::num::u64::ANY.prop_map(Event::Reserve),
        5 => (0_usize..8, 0_u64..90).prop_map(|(which, actual)| Event::Settle(which, actual)),
        1 => (0_usize..8, proptest::num::u64::ANY).prop_map(|(which, actual)| Event::Settle(which, actual)),
        3 => (0_u64..40).prop_map(Event::Pass),
        1 => proptest::strategy::Just(Event::Lose),
    ]
}

proptest! {
    /// Settling out of order, late, in other windows, and after the store lost the count, never lets a reservation in that
    /// does not fit.
    #[test]
    fn no_reservation_exceeds_what_is_left(
        events in proptest::collection::vec(event(), 1..80),
        limit in 1_u64..200,
    ) {
        let budget = budget(limit);
        let (mut now, mut stored, mut requests) = (1000, None::<BudgetWindow>, 0);
        // The window in which each open reservation was made, and what was spent in each window.
        let mut open: Vec<(u64, Reservation)> = Vec::new();
        let mut spent: BTreeMap<u64, u128> = BTreeMap::new();
        let (mut current, mut opened) = (0, None::<u64>);
        for event in events {
            match event {
                Event::Reserve(amount) => {
                    requests += 1;
                    if opened.is_none_or(|opened| now - opened >= WINDOW) {
                        (current, opened) = (requests, Some(now));
                    }
                    let wanted = Requested { budget: &budget, key: "k", amount, mark: requests };
                    let (window, held) = BudgetWindow::reserve(stored, &wanted, UnixTime::from_seconds(now));
                    stored = Some(BudgetWindow::from_record(window.to_record().as_bytes()).unwrap());
                    let in_flight =
                        open.iter().filter(|(window, _)| *window == current).map(|(_, open)| u128::from(open.amount()));
                    let used = in_flight.sum::<u128>() + spent.get(&current).copied().unwrap_or_default();
                    let fits = used + u128::from(amount) <= u128::from(limit);
                    assert_eq!(held.reservation.is_some(), fits, "{used} of {limit}, {amount}");
                    open.extend(held.reservation.map(|reservation| (current, reservation)));
                }
                Event::Settle(which, actual) if which < open.len() => {
                    let (window, reservation) = open.swap_remove(which);
                    *spent.entry(window).or_default() += u128::from(actual);
                    let settled = stored.and_then(|stored| stored.settle(&reservation, actual));
                    assert_eq!(settled.is_some(), stored.is_some() && window == current);
                    stored = settled.or(stored);
                }
                Event::Settle(..) => {}
                Event::Pass(seconds) => now += seconds,
                Event::Lose => (stored, opened) = (None, None),
            }
        }
    }
}

#[test]
fn a_window_that_opened_in_the_same_second_is_another_one() {
    let budget = budget(100);
    let now = UnixTime::from_seconds(1000);
    let reserve = |window, amount, mark| {
        let (window, held) = BudgetWindow::reserve(window, &Requested { budget: &budget, key: "k", amount, mark }, now);
        (window, held.reservation.unwrap())
    };
    let (_, of_lost) = reserve(None, 90, 1);
    let (window, its_own) = reserve(None, 90, 2);
    assert_eq!(window.settle(&of_lost, 0), None);
    assert!(window.settle(&its_own, 0).is_some());
}

#[test]
fn a_count_is_never_less_than_nothing_or_more_than_can_be_written() {
    let budget = budget(100);
    let now = UnixTime::from_seconds(1000);
    let wanted = Requested { budget: &budget, key: "k", amount: 60, mark: 1 };
    let (window, held) = BudgetWindow::reserve(None, &wanted, now);
    let reservation = held.reservation.unwrap();
    let full = window.settle(&reservation, u64::MAX).unwrap();
    let (_, held) = BudgetWindow::reserve(Some(full), &wanted, now);
    assert_eq!((held.reservation, held.remaining.units), (None, 0));
    let empty = window.settle(&reservation, 0).unwrap().settle(&reservation, 0).unwrap();
    assert_eq!(BudgetWindow::reserve(Some(empty), &wanted, now).1.remaining.units, 40);
}

#[test]
fn a_malformed_record_is_no_window() {
    for record in ["", "1", "1 2", "1 2 3 4", "1 2 x", "-1 2 3", "1  2 3", "1 2 99999999999999999999999"] {
        assert_eq!(BudgetWindow::from_record(record.as_bytes()), None, "{record}");
    }
    assert!(BudgetWindow::from_record(b"1 2 3").is_some());
}
