//! Who knows which keys: what the edge publishes, and which keys an app says that it knows.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::Duration;

use clap::Args;
use fastgate::gateway::KEYS_PATH;
use fastgate::mint::{Curve, KeyRecord, KeyState, RecordedKey};
use serde_json::Value;

use super::super::failure::Failure;
use super::super::fastly_api::{check_url, published};
use super::super::printer;
use super::stores::Stores;

/// The pause before an app is asked again: a question may cause it to fetch the keys.
const PAUSE: Duration = Duration::from_secs(2);

/// The edge and the apps that are asked.
#[derive(Args)]
pub(super) struct Witnesses {
    /// The address of the edge, https; default: `edge.issuer` of the live policy.
    #[arg(long, value_name = "URL")]
    edge: Option<String>,
    /// The address of an app's `ready_path`, which names the keys that the app knows. May be repeated.
    #[arg(long = "origin", value_name = "URL")]
    pub(super) origins: Vec<String>,
}

/// The ids of keys.
pub(super) type Ids = BTreeSet<String>;

impl Witnesses {
    /// Refuses addresses that cannot be asked, before anything else is done.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let edge = self.edge.iter().try_for_each(|edge| check_edge(edge).map_err(|fault| format!("--edge: {fault}")));
        let mut origins = self.origins.iter();
        edge.and_then(|()| {
            origins.try_for_each(|url| check_url(url, true).map_err(|fault| format!("--origin: {fault}")))
        })
        .map_err(Failure::Usage)
    }

    /// The address of the edge.
    pub(super) fn edge(&self, stores: &Stores) -> Result<String, Failure> {
        if let Some(edge) = &self.edge {
            return Ok(edge.clone());
        }
        let edge = stores.issuer()?.ok_or_else(|| {
            Failure::Usage(
                "--edge: write the address of the edge, because the service has no policy that names it".to_owned(),
            )
        })?;
        check_edge(&edge).map_err(|fault| {
            Failure::Usage(format!(
                "--edge: write the address of the edge, because that of the live policy is none: {fault}"
            ))
        })?;
        Ok(edge)
    }

    /// Why the keys that `record` begins to use must not be used yet; `None` if they may.
    pub(super) fn objection(&self, edge: &str, former: &KeyRecord, record: &KeyRecord) -> Option<String> {
        let (old, new) = (used(former), used(record));
        let new: Vec<_> = new.into_iter().filter(|key| !old.iter().any(|used| used.kid == key.kid)).collect();
        match published_by(edge) {
            Err(fault) => return Some(fault),
            Ok(ids) => {
                if let Some(key) = new.iter().find(|key| !ids.contains(&key.kid)) {
                    return Some(format!("{edge} does not publish the next key {} yet", key.kid));
                }
            }
        }
        self.origins.iter().find_map(|origin| {
            if lacks(&asked(origin), &old, &new) {
                sleep(PAUSE);
            }
            let answer = asked(origin);
            if let Err(reason) = &answer {
                printer::line(format_args!("{reason}; the wait is over, so the step does not depend on it"));
            }
            lacks(&answer, &old, &new).then(|| format!("{origin} does not know the next key yet"))
        })
    }
}

fn check_edge(edge: &str) -> Result<(), String> {
    check_url(edge, false)?;
    if edge.contains(['?', '#']) {
        return Err("the address has a query or a fragment: write https://HOST".to_owned());
    }
    Ok(())
}

fn used(record: &KeyRecord) -> Vec<&RecordedKey> {
    record.keys().iter().filter(|key| key.state == KeyState::Signing).collect()
}

/// Whether an app says that it knows keys, and lacks a new one. An app without a key of its own needs no X25519 key.
fn lacks(answer: &Result<Ids, String>, old: &[&RecordedKey], new: &[&RecordedKey]) -> bool {
    let Ok(ids) = answer else { return false };
    let needs = |curve| curve == Curve::Ed25519 || old.iter().any(|key| key.crv == curve && ids.contains(&key.kid));
    new.iter().any(|key| needs(key.crv) && !ids.contains(&key.kid))
}

/// The ids of the keys that the edge publishes.
pub(super) fn published_by(edge: &str) -> Result<Ids, String> {
    let url = format!("{}{KEYS_PATH}", edge.trim_end_matches('/'));
    let answer = published(&url, false)?;
    if answer.status != 200 {
        return Err(format!("{url}: the edge answers {}", answer.status));
    }
    let set: Value = serde_json::from_slice(&answer.body).map_err(|_| format!("{url}: is no JWK Set"))?;
    let keys = set.get("keys").and_then(Value::as_array).ok_or_else(|| format!("{url}: is no JWK Set"))?;
    Ok(keys.iter().filter_map(|key| Some(key.get("kid")?.as_str()?.to_owned())).collect())
}

/// The ids of the keys that an app knows, or why they are not known.
pub(super) fn asked(ready: &str) -> Result<Ids, String> {
    let answer = published(ready, true)?;
    match answer.keys {
        Some(keys) if answer.status == 204 => {
            Ok(keys.split(',').map(str::trim).filter(|key| !key.is_empty()).map(str::to_owned).collect())
        }
        _ => Err(format!("{ready}: answers {} and names no keys; is it the app's ready_path?", answer.status)),
    }
}
