//! `limits`: rate limits. Input: a [`LimitDocument`]. Output: a [`Limit`], which step [`throttle`](crate::throttle)
//! applies.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::claim_path::{ClaimName, ClaimPath};
use super::fault::{Fault, Faults};
use super::names::read_section;
use crate::headers::{is_field_name, is_visible_to_rules};
use crate::json_form::{objects, strict, strings};
use crate::time::Seconds;

objects!(LimitDocument, ErlDocument);
strings!(Unreachable);
strict!(KeyPartDocument, true, true, Self::Subject | Self::ClientId | Self::Network | Self::Route);
strict!(CounterDocument, true, true, Self::Exact);

/// A rate limit: each key may spend `count` units in each window of `window` seconds. A request over the limit gets
/// 429.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct LimitDocument {
    /// The units that are admitted in one window, 1 to 1000000000.
    pub count: u64,
    /// The length of a window, in seconds, 1 to 86400. It opens with the first request.
    pub window: Seconds,
    /// The parts of the key, at least one: requests with different keys are counted separately. For an anonymous
    /// caller, the network of the client replaces the parts that it does not have.
    pub by: Vec<KeyPartDocument>,
    /// The units that a request costs, 1 to `max_cost`, or to `count` without `cost_from`. Default: 1.
    #[serde(default = "default_cost")]
    pub cost: u64,
    /// A header field or claim that replaces `cost` if it is present: a whole number of 1 to `max_cost`.
    #[serde(default)]
    pub cost_from: Option<CostSource>,
    /// The most units that `cost_from` can make a request cost, 1 to `count`. A header field that is not a number costs
    /// this much. Required with `cost_from`, and refused without it.
    #[serde(default)]
    pub max_cost: Option<u64>,
    /// The counter of the units.
    #[serde(default)]
    pub counter: CounterDocument,
    /// The outcome if the counter cannot be reached.
    #[serde(default)]
    pub unreachable: Unreachable,
    /// Whether the limit is in shadow mode: a request that it would refuse is logged and passes. Default: false.
    #[serde(default)]
    pub shadow: bool,
}

const fn default_cost() -> u64 {
    1
}

/// A part of the key of a limit.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", remote = "Self")]
pub enum KeyPartDocument {
    /// The caller.
    Subject,
    /// The OAuth client.
    ClientId,
    /// A claim of the caller's token: a string, a number, true or false.
    Claim(ClaimName),
    /// The client's IPv4 address, or the /64 of its IPv6 address.
    Network,
    /// The route.
    Route,
}

/// The source of the cost of a request.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CostSource {
    /// A request header field.
    Header(String),
    /// A claim of the caller's token.
    Claim(ClaimName),
}

/// The counter of the units of a limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", remote = "Self")]
pub enum CounterDocument {
    /// An exact count in each POP, in the Core Cache.
    #[default]
    Exact,
    /// Edge Rate Limiting, an add-on product: an estimate in each POP, and a penalty box. `window` must be 1, 10 or 60,
    /// and `count` at least `window`. Viceroy never limits.
    Erl(ErlDocument),
}

/// A rate counter and a penalty box of Edge Rate Limiting.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct ErlDocument {
    /// The name of the rate counter.
    pub rate_counter: String,
    /// The name of the penalty box.
    pub penalty_box: String,
    /// The time for which a key that exceeds the limit stays in the penalty box, in seconds, 60 to 3600 in whole
    /// minutes.
    pub penalty: Seconds,
}

/// The outcome if a counter cannot be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", remote = "Self")]
pub enum Unreachable {
    /// The request is refused with 503.
    #[default]
    Closed,
    /// The request passes, and the log line says so.
    Open,
}

/// A rate limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Its name in the policy.
    pub name: String,
    /// The units that are admitted in one window.
    pub count: u64,
    /// The length of a window in seconds.
    pub window: Seconds,
    /// The parts of the key.
    pub by: Vec<KeyPart>,
    /// The cost of a request.
    pub cost: Cost,
    /// The counter of the units.
    pub counter: CounterDocument,
    /// The outcome if the counter cannot be reached.
    pub unreachable: Unreachable,
    /// Whether the limit is in shadow mode.
    pub shadow: bool,
}

/// A part of the key of a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPart {
    /// The caller.
    Subject,
    /// The OAuth client.
    ClientId,
    /// A claim.
    Claim(ClaimPath),
    /// The client's network.
    Network,
    /// The route.
    Route,
}

/// The cost of a request, in units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    /// The cost if neither `header` nor `claim` is present.
    pub usual: u64,
    /// The greatest cost of a request.
    pub most: u64,
    /// The request header field that replaces `usual`, in lower case.
    pub header: Option<String>,
    /// The claim that replaces `usual`.
    pub claim: Option<ClaimPath>,
}

/// Reads the section.
pub(super) fn read(documents: BTreeMap<String, LimitDocument>, faults: &mut Faults) -> BTreeMap<String, Arc<Limit>> {
    read_section("limits", documents, faults, Limit::read)
}

impl Limit {
    /// Whether the limit can be applied before the caller is identified.
    #[must_use]
    pub fn needs_no_caller(&self) -> bool {
        self.by.iter().all(|part| matches!(part, KeyPart::Network | KeyPart::Route)) && self.cost.claim.is_none()
    }

    /// The limit on the retries that one backend receives.
    pub(super) fn of_retries(count: u64, window: Seconds) -> Self {
        Self {
            name: "retries".to_owned(),
            count,
            window,
            by: Vec::new(),
            cost: Cost { usual: 1, most: 1, header: None, claim: None },
            counter: CounterDocument::Exact,
            unreachable: Unreachable::Closed,
            shadow: false,
        }
    }

    fn read(name: &str, document: LimitDocument, at: &str, faults: &mut Faults) -> Self {
        faults.range(document.count, 1, 1_000_000_000, format_args!("{at}.count"));
        faults.range(document.window, 1, 86_400, format_args!("{at}.window"));
        faults.add_if(document.by.is_empty(), format_args!("{at}.by"), Fault::Empty);
        let most = document.max_cost.unwrap_or(document.cost);
        faults.range(document.cost, 1, document.count.min(most), format_args!("{at}.cost"));
        faults.range(most, 1, document.count, format_args!("{at}.max_cost"));
        faults.add_if(
            document.cost_from.is_some() != document.max_cost.is_some(),
            format_args!("{at}.max_cost"),
            Fault::CostUnbounded,
        );
        check_erl(&document, at, faults);
        let mut cost = Cost { usual: document.cost, most, header: None, claim: None };
        match document.cost_from {
            Some(CostSource::Header(name)) => {
                let at = format!("{at}.cost_from.header");
                faults.add_if(!is_field_name(&name), &at, Fault::NotAFieldName);
                // Rules never see such a field, so every request would have the usual cost.
                faults.add_if(!is_visible_to_rules(&name), &at, Fault::ReservedField { name: name.clone() });
                cost.header = Some(name.to_ascii_lowercase());
            }
            Some(CostSource::Claim(name)) => {
                cost.claim = Some(ClaimPath::read(name, &format!("{at}.cost_from.claim"), faults));
            }
            None => {}
        }
        let mut part = |part| match part {
            KeyPartDocument::Subject => KeyPart::Subject,
            KeyPartDocument::ClientId => KeyPart::ClientId,
            KeyPartDocument::Claim(name) => KeyPart::Claim(ClaimPath::read(name, &format!("{at}.by"), faults)),
            KeyPartDocument::Network => KeyPart::Network,
            KeyPartDocument::Route => KeyPart::Route,
        };
        Self {
            name: name.to_owned(),
            count: document.count,
            window: document.window,
            by: document.by.into_iter().map(&mut part).collect(),
            cost,
            counter: document.counter,
            unreachable: document.unreachable,
            shadow: document.shadow,
        }
    }
}

/// Checks the restrictions of Edge Rate Limiting: windows of 1, 10 or 60 seconds, and at least one unit a second.
fn check_erl(document: &LimitDocument, at: &str, faults: &mut Faults) {
    let CounterDocument::Erl(erl) = &document.counter else { return };
    faults.add_if(!matches!(document.window.as_u64(), 1 | 10 | 60), format_args!("{at}.window"), Fault::NotAnErlWindow);
    faults.add_if(document.count < document.window.as_u64(), format_args!("{at}.count"), Fault::TooSlowForErl);
    faults.range(erl.penalty, 60, 3600, format_args!("{at}.counter.erl.penalty"));
    faults.add_if(erl.rate_counter.is_empty(), format_args!("{at}.counter.erl.rate_counter"), Fault::Empty);
    faults.add_if(erl.penalty_box.is_empty(), format_args!("{at}.counter.erl.penalty_box"), Fault::Empty);
}
