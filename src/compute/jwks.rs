//! The key sets of issuers, from wherever they are nearest: this sandbox's memory, the Core Cache of the POP, the KV
//! store, the issuer itself. A set that is no longer fresh still serves while a new one is fetched behind the answer; good
//! keys are never given up for a bad one. However many ask, a POP asks an issuer once in a cool-down.

mod fetch;
mod places;
mod turn;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fastgate::identity::key_life::HeldKeys;
use fastgate::identity::keys::KeySet;
use fastgate::identity::{KeySource, KeysUnavailable, Wanted};
use fastgate::policy::Issuer;
use fastgate::time::UnixTime;
use fastgate::trail::KeysNote;
use turn::{Outcome, Turn};

/// How long a stale set is used from memory before the other places are looked at again, in seconds.
const LOOK_AGAIN: u64 = 5;
/// How long a request without any keys waits for another one that is fetching them.
const PATIENCE: Duration = Duration::from_secs(8);
/// How long a request with usable keys waits for another one: not at all, as far as the platform can express that.
const NO_PATIENCE: Duration = Duration::from_millis(1);
/// How long an issuer that failed is left alone while there are no keys at all, in seconds.
const COLD_RETRY: u64 = 5;

/// The key sets in the memory of this sandbox, by the policy's id of the issuer.
#[derive(Default)]
pub(super) struct Jwks {
    held: BTreeMap<String, Kept>,
    /// Issuers whose sets are to be renewed once the answer has left.
    due: Vec<Issuer>,
}

#[derive(Clone)]
struct Kept {
    held: HeldKeys,
    looked: UnixTime,
}

/// The key sets as they are asked for by one request.
pub(super) struct JwksAt<'sandbox> {
    jwks: &'sandbox mut Jwks,
    now: UnixTime,
    note: Option<KeysNote>,
}

/// What asking the issuer came to.
enum Asked {
    /// It gave a set.
    Given(HeldKeys),
    /// It was asked a moment ago, by whomever.
    Lately(Outcome),
    /// It was asked and failed, or it is not known whether anybody may ask.
    Failed(String),
}

impl Jwks {
    /// The key sets, at the time of one request.
    pub(super) fn at(&mut self, now: UnixTime) -> JwksAt<'_> {
        JwksAt { jwks: self, now, note: None }
    }

    /// Renews what was found stale. To be called behind an answer.
    pub(super) fn renew(&mut self, now: UnixTime) {
        for issuer in std::mem::take(&mut self.due) {
            if let Asked::Given(held) = ask(&issuer, now, NO_PATIENCE, true) {
                self.keep(&issuer, held, now);
            }
        }
    }

    fn keep(&mut self, issuer: &Issuer, held: HeldKeys, now: UnixTime) {
        self.held.insert(issuer.id.clone(), Kept { held, looked: now });
    }
}

impl JwksAt<'_> {
    /// Which keys this request used, for the log; nothing when none were asked for.
    pub(super) fn note(&self) -> Option<KeysNote> {
        self.note
    }

    fn found(&mut self, issuer: &Issuer, held: HeldKeys, from: &'static str) -> Arc<KeySet> {
        self.note = Some(held.note(from, self.now));
        let keys = held.keys();
        self.jwks.keep(issuer, held, self.now);
        keys
    }

    /// The set in memory, while it need not be compared with the other places.
    fn at_hand(&mut self, issuer: &Issuer) -> Option<Arc<KeySet>> {
        let kept = self.jwks.held.get(&issuer.id)?;
        let recent = self.now.since(kept.looked) < LOOK_AGAIN && kept.held.is_usable(self.now, &issuer.key_life);
        if !kept.held.is_fresh(self.now) && !recent {
            return None;
        }
        self.note = Some(kept.held.note("memory", self.now));
        Some(kept.held.keys())
    }

    fn nearest(&mut self, issuer: &Issuer) -> Result<Arc<KeySet>, KeysUnavailable> {
        if let Some(keys) = self.at_hand(issuer) {
            return Ok(keys);
        }
        let mut best = self.jwks.held.get(&issuer.id).map(|kept| (kept.held.clone(), "memory"));
        for (look, from) in [(places::cache as fn(&Issuer) -> Option<HeldKeys>, "cache"), (places::store, "store")] {
            match look(issuer) {
                Some(held) if held.is_fresh(self.now) => return Ok(self.found(issuer, held, from)),
                Some(held) if best.as_ref().is_none_or(|(known, _)| held.is_newer_than(known)) => {
                    best = Some((held, from));
                }
                _ => {}
            }
        }
        match best.filter(|(held, _)| held.is_usable(self.now, &issuer.key_life)) {
            Some((held, from)) => {
                self.jwks.due.push(issuer.clone());
                Ok(self.found(issuer, held, from))
            }
            None => self.wait_for_issuer(issuer),
        }
    }

    /// Without any keys there is nothing to do but to wait: for the issuer, or for the request that is asking it.
    fn wait_for_issuer(&mut self, issuer: &Issuer) -> Result<Arc<KeySet>, KeysUnavailable> {
        let unavailable = |cause: String| KeysUnavailable { issuer: issuer.id.clone(), cause };
        match ask(issuer, self.now, PATIENCE, false) {
            Asked::Given(held) => Ok(self.found(issuer, held, "issuer")),
            Asked::Lately(_) => match places::cache(issuer).or_else(|| places::store(issuer)) {
                Some(held) if held.is_usable(self.now, &issuer.key_life) => Ok(self.found(issuer, held, "cache")),
                _ => Err(unavailable("the issuer failed a moment ago".to_owned())),
            },
            Asked::Failed(cause) => Err(unavailable(cause)),
        }
    }

    /// A set later than the one at hand, which lacks a key. An issuer that cannot be asked leaves it open whether the key
    /// exists: that is for the caller to try again, not a verdict.
    fn later(&mut self, issuer: &Issuer) -> Result<Arc<KeySet>, KeysUnavailable> {
        let Some(known) = self.jwks.held.get(&issuer.id).map(|kept| kept.held.clone()) else {
            return self.nearest(issuer);
        };
        if let Some(held) = places::cache(issuer).filter(|held| held.is_newer_than(&known)) {
            return Ok(self.found(issuer, held, "cache"));
        }
        match ask(issuer, self.now, PATIENCE, true) {
            Asked::Given(held) => Ok(self.found(issuer, held, "issuer")),
            Asked::Lately(Outcome::Given) => match places::cache(issuer).filter(|held| held.is_newer_than(&known)) {
                Some(held) => Ok(self.found(issuer, held, "cache")),
                None => Ok(known.keys()),
            },
            Asked::Lately(Outcome::Failed) => {
                Err(KeysUnavailable { issuer: issuer.id.clone(), cause: "the issuer failed a moment ago".to_owned() })
            }
            Asked::Failed(cause) => Err(KeysUnavailable { issuer: issuer.id.clone(), cause }),
        }
    }
}

impl KeySource for JwksAt<'_> {
    fn keys(&mut self, issuer: &Issuer, wanted: Wanted) -> Result<Arc<KeySet>, KeysUnavailable> {
        match wanted {
            Wanted::Nearest => self.nearest(issuer),
            Wanted::Later => self.later(issuer),
        }
    }
}

/// Asks the issuer, if it is this request's turn; waits at most `patience` to learn whether it is.
fn ask(issuer: &Issuer, now: UnixTime, patience: Duration, has_keys: bool) -> Asked {
    let turn = match Turn::take(issuer, patience) {
        Ok(Turn::Mine(turn)) => turn,
        Ok(Turn::Lately(outcome)) => return Asked::Lately(outcome),
        Err(cause) => return Asked::Failed(cause),
    };
    let mut fetched = fetch::key_set(issuer);
    if fetched.is_err() && !has_keys {
        fetched = fetch::key_set(issuer); // everybody waits for this one: a single slip is not passed on to all of them
    }
    match fetched {
        Ok(answer) => {
            let held = HeldKeys::given(answer.keys, now, answer.fresh_for);
            places::remember(issuer, &answer.json, &held);
            turn.done(Outcome::Given, issuer.key_life.cool_down);
            Asked::Given(held)
        }
        Err(cause) => {
            let rest = if has_keys { issuer.key_life.cool_down } else { issuer.key_life.cool_down.min(COLD_RETRY) };
            turn.done(Outcome::Failed, rest);
            Asked::Failed(cause)
        }
    }
}
