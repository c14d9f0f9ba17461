//! Limits: how often a route may be used, as it is written ([`LimitDocument`]) and as it works ([`Limit`]). They are
//! kept in [`throttle`](crate::throttle).

use serde::Deserialize;

use super::Fault;
use super::claim_path::{ClaimName, ClaimPath};
use super::document::strict::{objects, strict, words};
use super::read::Faults;
use crate::headers::{is_field_name, is_visible_to_rules};

objects!(LimitDocument, ErlDocument);
words!(Unreachable);
strict!(KeyPartDocument, true, true, Self::Subject | Self::ClientId | Self::Network | Self::Route);
strict!(CounterDocument, true, true, Self::Exact);

/// How often something may be used: `count` in each window of `window` seconds, for each key.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct LimitDocument {
    /// How much is admitted in one window, 1 to 1,000,000,000.
    pub count: u64,
    /// The length of a window in seconds, 1 to 86,400. It opens with the first request.
    pub window: u64,
    /// What is counted apart. The client's network stands in for what an anonymous caller does not have.
    pub by: Vec<KeyPartDocument>,
    /// What a request costs.
    #[serde(default = "default_cost")]
    pub cost: u64,
    /// What says the cost instead, where it is there: a whole number of 1 to `max_cost`.
    #[serde(default)]
    pub cost_from: Option<CostSource>,
    /// The most that `cost_from` can make a request cost; a header that is no number costs this much.
    #[serde(default)]
    pub max_cost: Option<u64>,
    /// Who counts.
    #[serde(default)]
    pub counter: CounterDocument,
    /// What happens when the counter cannot be asked.
    #[serde(default)]
    pub unreachable: Unreachable,
    /// Whether the limit is only tried: what it would refuse is logged and passes.
    #[serde(default)]
    pub shadow: bool,
}

const fn default_cost() -> u64 {
    1
}

/// A part of the key under which is counted.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", remote = "Self")]
pub enum KeyPartDocument {
    /// The caller.
    Subject,
    /// The OAuth client.
    ClientId,
    /// A claim of the caller's token: text, a number, true or false.
    Claim(ClaimName),
    /// The client's IPv4 address, or the /64 of its IPv6 address.
    Network,
    /// The route.
    Route,
}

/// What says how much a request costs.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CostSource {
    /// A request header.
    Header(String),
    /// A claim of the caller's token.
    Claim(ClaimName),
}

/// Who counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", remote = "Self")]
pub enum CounterDocument {
    /// An exact count in each POP, in the Core Cache.
    #[default]
    Exact,
    /// Edge Rate Limiting: an estimate in each POP and a penalty box, an add-on product. Never limits on Viceroy.
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
    /// How long who exceeds the limit stays in the box, in seconds, 60 to 3600 in whole minutes.
    pub penalty: u64,
}

/// What happens when a counter cannot be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", remote = "Self")]
pub enum Unreachable {
    /// The request is refused with 503.
    #[default]
    Closed,
    /// The request passes, and the log says so.
    Open,
}

/// How often something may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Its name in the policy.
    pub name: String,
    /// How much is admitted in one window.
    pub count: u64,
    /// The length of a window in seconds.
    pub window: u64,
    /// What is counted apart.
    pub by: Vec<KeyPart>,
    /// What a request costs.
    pub cost: Cost,
    /// Who counts.
    pub counter: CounterDocument,
    /// What happens when the counter cannot be asked.
    pub unreachable: Unreachable,
    /// Whether it is only tried.
    pub shadow: bool,
}

/// A part of the key under which is counted.
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

/// What a request costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Where nothing says otherwise.
    pub usual: u64,
    /// At most.
    pub most: u64,
    /// The request header that says otherwise, lower case.
    pub header: Option<String>,
    /// The claim that says otherwise.
    pub claim: Option<ClaimPath>,
}

impl Limit {
    /// Whether it can be kept before it is known who is calling.
    #[must_use]
    pub fn needs_no_caller(&self) -> bool {
        self.by.iter().all(|part| matches!(part, KeyPart::Network | KeyPart::Route)) && self.cost.claim.is_none()
    }

    pub(super) fn read(name: &str, document: LimitDocument, faults: &mut Faults) -> Self {
        let at = format!("$.limits.{name}");
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
        erl(&document, &at, faults);
        let mut cost = Cost { usual: document.cost, most, header: None, claim: None };
        match document.cost_from {
            Some(CostSource::Header(name)) => {
                let at = format!("{at}.cost_from.header");
                faults.add_if(!is_field_name(&name), &at, Fault::NotAFieldName);
                // What is never there would make every request cost the usual.
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

/// What Edge Rate Limiting can keep: windows of 1, 10 and 60 seconds, rates of at least one a second.
fn erl(document: &LimitDocument, at: &str, faults: &mut Faults) {
    let CounterDocument::Erl(erl) = &document.counter else { return };
    faults.add_if(!matches!(document.window, 1 | 10 | 60), format_args!("{at}.window"), Fault::NotAnErlWindow);
    faults.add_if(document.count < document.window, format_args!("{at}.count"), Fault::TooSlowForErl);
    faults.range(erl.penalty, 60, 3600, format_args!("{at}.counter.erl.penalty"));
    faults.add_if(erl.rate_counter.is_empty(), format_args!("{at}.counter.erl.rate_counter"), Fault::Empty);
    faults.add_if(erl.penalty_box.is_empty(), format_args!("{at}.counter.erl.penalty_box"), Fault::Empty);
}
