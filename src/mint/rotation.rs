//! How the edge's keys are replaced, one step after the other. The next step depends on the [`KeyRecord`] alone, so that
//! whoever reads the record can go on where another has stopped. Nothing here reads or writes anything.
//!
//! A new key is published as the next one. Only when no origin can have a key set without it, the edge signs with it.
//! The old key stays published until nothing that it signed is accepted any more.
//!
//! `since` of a key is written in a step of its own, [`Step::Date`], by a writer that has read the record with the state.
//! So it is never earlier than the state, however long a write was on its way, and a wait that begins with it is never
//! too short. A `since` that is to come was written by a wrong clock; the present time replaces it, which lengthens the wait.

use super::key_record::{Curve, KeyRecord, KeyState, RecordedKey};
use crate::time::{Seconds, UnixTime};

/// How long a change of the KV store may take to reach every POP. No figure is published; the platform's other stores
/// are updated in about 30 seconds.
const PROPAGATION: u64 = 60;
/// How long a sandbox uses a record before it reads it again.
const POLL: u64 = 10;
/// How much the clocks of two writers of the record may differ.
const SKEW: u64 = 60;
/// How much the clock of a writer of the record may differ from the right time, so that two differ by `SKEW` at most.
pub const CLOCK: Seconds = Seconds::new(SKEW / 2);
/// How long an HTTP cache may keep the published key set: `max-age` of its response.
const PUBLISHED_MAX_AGE: u64 = 300;
/// The longest that a request runs: the platform ends it then. It signs with the keys with which it began.
const REQUEST: u64 = 120;
/// The longest lifetime of an identity header, and the greatest `leeway` of an app.
const HEADER: u64 = 60 + 60;
/// How long a nonce is accepted after it was created.
const NONCE: u64 = 2 * crate::identity::dpop::NONCE_WINDOW;

/// How long an app uses keys that it fetched at most, unless its settings say otherwise (`keys_max_stale`).
pub const KEYS_MAX_STALE: Seconds = Seconds::new(3600);

/// How long each state of a key lasts at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waits {
    /// From the publication of a key until it is used.
    pub publish: Seconds,
    /// From the last use of a key until it is withdrawn.
    pub withdraw: Seconds,
}

impl Waits {
    /// The waits if no app uses fetched keys for longer than `keys_max_stale`.
    #[must_use]
    pub const fn of(keys_max_stale: Seconds) -> Self {
        let followed = PROPAGATION + POLL + SKEW;
        let used = if HEADER > NONCE { HEADER } else { NONCE };
        Self {
            publish: keys_max_stale.plus(Seconds::new(followed + PUBLISHED_MAX_AGE)),
            withdraw: Seconds::new(followed + REQUEST + used),
        }
    }
}

/// The next step of a rotation. A record is written only if nobody has changed it since it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make a key for each curve, store each as a secret, then write the record of [`first`] if there is none, or of
    /// [`created`].
    Create(Vec<Curve>),
    /// Write this record, which says since when the states are known.
    Date(KeyRecord),
    /// Do nothing before this time, whatever was confirmed meanwhile.
    Wait(UnixTime),
    /// Check that the edge publishes the next keys, then write this record, with which it uses them.
    Switch(KeyRecord),
    /// Delete the secrets of these keys, then write this record, which no longer lists them.
    Withdraw(Vec<String>, KeyRecord),
    /// Nothing is to be done.
    Nothing,
}

/// The next step at `now`, which must be read after the record was. If no rotation has begun, one begins as soon as a key
/// has been used for `max_age`.
#[must_use]
pub fn next_step(record: Option<&KeyRecord>, now: UnixTime, waits: Waits, max_age: Seconds) -> Step {
    let Some(record) = record else { return Step::Create(vec![Curve::Ed25519, Curve::X25519]) };
    let keys = record.keys();
    if keys.iter().any(|key| key.since.is_none() || is_to_come(key, now)) {
        let known = |key: &RecordedKey| key.since.filter(|_| !is_to_come(key, now));
        let dated = |key: &RecordedKey| RecordedKey { since: known(key).or(Some(now)), ..key.clone() };
        return changed(keys.iter().map(dated).collect(), Step::Date);
    }
    let is_due = |key: &&RecordedKey| due(key, waits).is_some_and(|due| due <= now);
    let ended: Vec<_> = keys.iter().filter(is_due).filter(|key| key.state == KeyState::Retired).collect();
    if !ended.is_empty() {
        let left = keys.iter().filter(|key| !ended.contains(key)).cloned().collect();
        return changed(left, |record| Step::Withdraw(ended.iter().map(|key| key.kid.clone()).collect(), record));
    }
    let curves: Vec<_> =
        keys.iter().filter(is_due).filter(|key| key.state == KeyState::Next).map(|key| key.crv).collect();
    if !curves.is_empty() {
        let switched = |key: &RecordedKey| match key.state {
            KeyState::Next if curves.contains(&key.crv) => in_state(key, KeyState::Signing),
            KeyState::Signing if curves.contains(&key.crv) => in_state(key, KeyState::Retired),
            _ => key.clone(),
        };
        return changed(keys.iter().map(switched).collect(), Step::Switch);
    }
    if let Some(first) = keys.iter().filter_map(|key| due(key, waits)).min() {
        return Step::Wait(first);
    }
    let used: Vec<_> = keys.iter().filter(|key| key.state == KeyState::Signing).collect();
    let is_old = |key: &&RecordedKey| key.since.is_some_and(|since| since.plus(max_age) <= now);
    if used.iter().any(is_old) { Step::Create(used.iter().map(|key| key.crv).collect()) } else { Step::Nothing }
}

/// Whether the `since` of a key was written by a wrong clock, because it is later than any right one may say.
#[must_use]
pub fn is_to_come(key: &RecordedKey, now: UnixTime) -> bool {
    key.since.is_some_and(|since| since > now.plus(Seconds::new(SKEW)))
}

/// The first record, of these keys: they are used at once, because no origin has a key set yet. `None` if the keys are no
/// record together.
#[must_use]
pub fn first(new: &[RecordedKey]) -> Option<KeyRecord> {
    KeyRecord::of(new.iter().map(|key| in_state(key, KeyState::Signing)).collect()).ok()
}

/// The record with these new keys as the next ones. `None` if it has next keys already.
#[must_use]
pub fn created(record: &KeyRecord, new: &[RecordedKey]) -> Option<KeyRecord> {
    let new = new.iter().map(|key| in_state(key, KeyState::Next));
    KeyRecord::of(record.keys().iter().cloned().chain(new).collect()).ok()
}

fn in_state(key: &RecordedKey, state: KeyState) -> RecordedKey {
    RecordedKey { state, since: None, ..key.clone() }
}

/// The end of the wait for this key; `None` for a key that is used.
fn due(key: &RecordedKey, waits: Waits) -> Option<UnixTime> {
    match key.state {
        KeyState::Signing => None,
        KeyState::Next => Some(key.since?.plus(waits.publish)),
        KeyState::Retired => Some(key.since?.plus(waits.withdraw)),
    }
}

/// The step with the record of these keys.
fn changed(keys: Vec<RecordedKey>, step: impl FnOnce(KeyRecord) -> Step) -> Step {
    KeyRecord::of(keys).map_or(Step::Nothing, step)
}
