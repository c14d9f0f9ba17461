//! The facts about one request: the JSON line that is logged. Only fields of [`Trail`] are logged, and none of them
//! is for tokens, cookies, queries or header values.

mod recorded;
mod step;

use serde::Serialize;

pub use recorded::Recorded;
pub use step::Step;

use crate::identity::Identity;
use crate::identity::key_life::KeysNote;
use crate::policy::{Backend, IssuerId, RegionChoice, RouteId};
use crate::time::{Seconds, UnixTime};

/// The log line of one request. These comments are the text of `docs/reference/log-line.md`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
pub struct Trail {
    /// When the request arrived: seconds since 1970.
    time: UnixTime,
    /// The id that the origin and the client get as well.
    pub request_id: String,
    /// The method, if it is one of the common ones; anything else is `OTHER`.
    pub method: &'static str,
    /// The id of the route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<RouteId>,
    /// `forwarded`, `served` (a stored response), `responded` (as the route's `respond` says), `published`, `preflight` or
    /// the code of the refusal.
    pub verdict: &'static str,
    /// On a route with `cache`: `hit`, `stale` (sent and renewed), or why it was forwarded: `uri-miss`, `stale`, `bypass`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<&'static str>,
    /// The region of `backend`, if the origin has regions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The backend that was chosen last, if the origin has several or regions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    /// The model that the caller named, on a route with `inference`, if the caller may use it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The method of the message, and the tool, resource or prompt that it uses, on a route with `mcp`, if the caller may use
    /// it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mcp: Option<String>,
    /// The backends that were passed over, because the POP skips them at present or the platform calls them unhealthy.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<String>,
    /// The backends that failed before, and how: the request was sent again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub retried: Vec<String>,
    /// The budgets that the request was counted against, with what was left of each after the request had reserved what it can
    /// cost (`left`, `resets_in`), and `would_refuse` if only its shadow let the request pass; or the budget that refused it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub budgets: Vec<BudgetLeft>,
    /// Why the origin's response was not stored, on such a route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_stored: Option<String>,
    /// Why responses that the origin named were not purged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_purged: Option<String>,
    /// The exact cause, for the operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Why the token was ignored, on a route where a token is optional.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials_ignored: Option<&'static str>,
    /// The limits and budgets that let the request pass because their counters could not be read, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub uncounted: Vec<String>,
    /// The budgets whose reservations stand until their windows end, because their counts could not be changed, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unsettled: Vec<String>,
    /// The verdicts of rules in shadow: `would-refuse <code>`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shadow: Vec<String>,
    /// The caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The policy's id of the issuer that the token names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<IssuerId>,
    /// `kid` of the token, cut to 64 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// The source of the issuer's key set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<KeysNote>,
    /// The country of the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// The POP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pop: Option<String>,
    /// The status that the client gets.
    pub status: u16,
    /// How long steps took, in microseconds, in the order in which they ended. The steps that can take time have an entry:
    /// `configure` if it read a store, `place` if it asked an ACL, `identify` on routes that are not public, `throttle` if it counted (before
    /// `identify` it is the flood limit), `respond` if it read a file, `content` if it read the body, `budget` if it reserved, `mint`, `forward`, and the step that refused.
    /// The time of the steps before is part of an entry.
    pub steps: Vec<(Step, u64)>,
    /// The facts with which `fastgate diff --log` judges the request again; absent if the request has no canonical
    /// form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded: Option<Recorded>,
    /// Names in the KV key `switch` that the policy does not know. They switch nothing off.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub switch_unknown: Vec<String>,
    /// The verdict of the shadow policy: `would-forward`, `would-respond`, `would-refuse <code>`, or
    /// `unusable: <fault>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadow_policy: Option<String>,
    /// The region that the rules assign, if notes are taken; never logged.
    #[serde(skip)]
    pub region_choice: Option<RegionChoice>,
    #[serde(skip)]
    last: u64,
    /// The steps that ended, as bits.
    #[serde(skip)]
    ended: u32,
    /// The findings of each step, if notes are taken; never logged.
    #[serde(skip)]
    notes: Option<Vec<(Step, String)>>,
}

/// What was left of a budget for the caller; the least, if the request uses several things that it counts by themselves.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
pub struct BudgetLeft {
    /// The name of the budget.
    pub name: String,
    /// The units that were left, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<u64>,
    /// The time until the window ends, in seconds, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resets_in: Option<Seconds>,
    /// The code of the refusal, if the budget is in shadow and would have refused the request. Nothing was then reserved of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would_refuse: Option<&'static str>,
}

impl Trail {
    /// A trail that begins now.
    #[must_use]
    pub fn new(time: UnixTime, request_id: &str, method: &str) -> Self {
        const NAMED: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];
        Self {
            time,
            request_id: request_id.to_owned(),
            method: NAMED.into_iter().find(|name| *name == method).unwrap_or("OTHER"),
            route: None,
            verdict: "unfinished",
            cache: None,
            region: None,
            backend: None,
            model: None,
            mcp: None,
            skipped: Vec::new(),
            retried: Vec::new(),
            budgets: Vec::new(),
            not_stored: None,
            not_purged: None,
            cause: None,
            credentials_ignored: None,
            uncounted: Vec::new(),
            unsettled: Vec::new(),
            shadow: Vec::new(),
            subject: None,
            issuer: None,
            key_id: None,
            keys: None,
            country: None,
            pop: None,
            status: 0,
            steps: Vec::with_capacity(6),
            recorded: None,
            switch_unknown: Vec::new(),
            shadow_policy: None,
            region_choice: None,
            last: 0,
            ended: 0,
            notes: None,
        }
    }

    /// When the request arrived.
    #[must_use]
    pub const fn time(&self) -> UnixTime {
        self.time
    }

    /// The same trail, with notes of what each step finds.
    #[must_use]
    pub fn with_notes(self) -> Self {
        Self { notes: Some(Vec::new()), ..self }
    }

    /// Whether notes are taken.
    #[must_use]
    pub const fn takes_notes(&self) -> bool {
        self.notes.is_some()
    }

    /// Notes what `step` found, if notes are taken.
    pub fn note(&mut self, step: Step, found: impl FnOnce() -> String) {
        if let Some(notes) = &mut self.notes {
            notes.push((step, found()));
        }
    }

    /// The findings of each step, in order.
    #[must_use]
    pub fn notes(&self) -> &[(Step, String)] {
        self.notes.as_deref().unwrap_or_default()
    }

    /// Records the caller.
    pub fn identify(&mut self, identity: &Identity) {
        self.subject = Some(identity.subject().to_owned());
        if let Some(recorded) = &mut self.recorded {
            recorded.identify(identity);
        }
    }

    /// Records to which one of several backends a request is sent.
    pub fn sent_to(&mut self, backend: &Backend) {
        self.backend = Some(backend.name.clone());
        self.region.clone_from(&backend.region);
    }

    /// Records that `step` ended, `elapsed` microseconds after the request began.
    pub fn step(&mut self, step: Step, elapsed: u64) {
        self.steps.push((step, elapsed.saturating_sub(self.last)));
        self.last = elapsed;
        self.end(step);
    }

    /// Records that `step` ended, which takes so little time that it is not measured.
    pub fn end(&mut self, step: Step) {
        self.ended |= step.bit();
    }

    /// Whether `step` has ended.
    #[must_use]
    pub const fn has_ended(&self, step: Step) -> bool {
        self.ended & step.bit() != 0
    }

    /// The time at which the last measured step ended, in microseconds after the request began.
    #[must_use]
    pub const fn measured(&self) -> u64 {
        self.last
    }

    /// The log line: one JSON object without line breaks.
    #[must_use]
    pub fn to_line(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| r#"{"verdict":"log-line-failed"}"#.to_owned())
    }
}

/// At most 64 characters of something that a client sent.
#[must_use]
pub fn excerpt(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::{Step, Trail};
    use crate::time::UnixTime;

    #[test]
    fn the_flood_limit_which_comes_early_ends_no_other_step() {
        let mut trail = Trail::new(UnixTime::from_seconds(0), "id", "OPTIONS");
        trail.end(Step::Normalize);
        trail.step(Step::Throttle, 10);
        assert!(trail.has_ended(Step::Normalize) && trail.has_ended(Step::Throttle));
        assert!(!trail.has_ended(Step::Place) && !trail.has_ended(Step::Forward));
    }
}
