//! Purge generations: numbers in the KV store that are part of every key, so that a greater one purges all responses of an
//! origin.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::policy::Origin;

/// The purge generations of origins, by their audiences.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Generations(BTreeMap<String, u64>);

impl Generations {
    /// Reads the record: a JSON object with a whole number for each audience. `None` if it is not one.
    #[must_use]
    pub fn parse(json: &[u8]) -> Option<Self> {
        let Ok(Value::Object(members)) = serde_json::from_slice(json) else { return None };
        let number = |(audience, number): (String, Value)| number.as_u64().map(|number| (audience, number));
        members.into_iter().map(number).collect::<Option<_>>().map(Self)
    }

    /// The record with the next generation for the origin with this audience.
    #[must_use]
    pub fn raised(mut self, audience: &str) -> Self {
        let generation = self.0.entry(audience.to_owned()).or_default();
        *generation = generation.saturating_add(1);
        self
    }

    /// The record as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::json!(self.0).to_string()
    }

    /// The generation of `origin`; 0 if it has never been purged.
    #[must_use]
    pub fn of(&self, origin: &Origin) -> u64 {
        self.0.get(origin.audience.as_str()).copied().unwrap_or_default()
    }
}
