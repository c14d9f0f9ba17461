//! Keys that an operator withdrew. The kill switch names them by id or thumbprint and withdraws the key itself: the
//! same key under another id, in the same set or in a later one, verifies no token either.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::availability::KillSwitch;
use crate::identity::keys::{Key, KeySet};
use crate::policy::Issuer;

/// The keys that were seen under withdrawn ids: `iss`, `kid` and thumbprint.
#[derive(Default)]
pub(super) struct Withdrawn {
    seen: BTreeSet<(String, String, [u8; 32])>,
}

impl Withdrawn {
    /// Records the keys that a set has under withdrawn ids, and forgets ids that are no longer withdrawn.
    pub(super) fn note(&mut self, issuer: &Issuer, switch: &KillSwitch, keys: &KeySet) {
        self.seen.retain(|(iss, kid, _)| *iss != issuer.issuer || switch.withdraws(issuer, Some(kid), None));
        for (kid, thumbprint) in keys.listed() {
            if let Some(kid) = kid.filter(|kid| switch.withdraws(issuer, Some(kid), None)) {
                self.seen.insert((issuer.issuer.clone(), kid.to_owned(), *thumbprint));
            }
        }
    }

    /// Whether `key` of `issuer` is withdrawn, whatever its id.
    pub(super) fn has(&self, issuer: &Issuer, switch: &KillSwitch, key: &Key) -> bool {
        let is_seen =
            |(iss, _, thumbprint): &(String, String, [u8; 32])| *iss == issuer.issuer && thumbprint == key.thumbprint();
        switch.withdraws(issuer, key.id(), Some(key.thumbprint())) || self.seen.iter().any(is_seen)
    }

    /// `keys` without the withdrawn ones; may be empty.
    pub(super) fn taken_from(&mut self, issuer: &Issuer, switch: &KillSwitch, keys: Arc<KeySet>) -> Arc<KeySet> {
        self.note(issuer, switch, &keys);
        if !switch.withdraws_keys_of(issuer) {
            return keys;
        }
        Arc::new(keys.without(|key| self.has(issuer, switch, key)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::Withdrawn;
    use crate::availability::KillSwitch;
    use crate::identity::keys::KeySet;
    use crate::policy::Policy;

    /// The keys of RFC 8037 appendix A.2 and of RFC 8032 §7.1, test 2.
    const ONE: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    const TWO: &str = "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw";
    /// The thumbprint of the first one, of RFC 8037 appendix A.3.
    const THUMBPRINT: &str = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";

    fn policy() -> Policy {
        let policy = json!({
            "edge": { "issuer": "https://edge.test", "hosts": ["edge.test"] },
            "origins": { "app": { "backend": "app", "audience": "app" } },
            "issuers": { "idp": { "issuer": "https://idp.test", "backend": "idp", "audiences": ["api"] } },
            "routes": [{ "id": "me", "path": "/me", "methods": ["GET"] }],
        });
        Policy::parse(policy.to_string().as_bytes()).unwrap()
    }

    fn set(keys: &[(Option<&str>, &str)]) -> Arc<KeySet> {
        let jwk = |(kid, x): &(Option<&str>, &str)| {
            let mut jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": x });
            if let Some(kid) = kid {
                jwk["kid"] = json!(kid);
            }
            jwk
        };
        let keys: Vec<_> = keys.iter().map(jwk).collect();
        Arc::new(KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap())
    }

    fn switch(key: &Value) -> KillSwitch {
        let mut key = key.clone();
        key["issuer"] = json!("https://idp.test");
        KillSwitch::parse(json!({ "keys": [key] }).to_string().as_bytes())
    }

    /// The ids of the keys that are left.
    fn left(withdrawn: &mut Withdrawn, switch: &KillSwitch, keys: &[(Option<&str>, &str)]) -> Vec<Option<String>> {
        let policy = policy();
        let issuer = policy.issuer("https://idp.test").unwrap();
        let left = withdrawn.taken_from(issuer, switch, set(keys));
        left.keys().iter().map(|key| key.id().map(str::to_owned)).collect()
    }

    #[test]
    fn a_key_is_withdrawn_under_all_its_names() {
        let all = [(Some("a"), ONE), (Some("b"), ONE), (None, ONE), (Some("c"), TWO), (None, TWO)];
        let others = [Some("c".to_owned()), None];
        for named in [
            json!({ "kid": "a" }),
            json!({ "kid": "b" }),
            json!({ "thumbprint": THUMBPRINT }),
            json!({ "kid": "unknown", "thumbprint": THUMBPRINT }),
        ] {
            assert_eq!(left(&mut Withdrawn::default(), &switch(&named), &all), others, "{named}");
        }
        assert_eq!(left(&mut Withdrawn::default(), &switch(&json!({})), &all), []);
        assert_eq!(left(&mut Withdrawn::default(), &switch(&json!({ "kid": "unknown" })), &all).len(), all.len());
    }

    #[test]
    fn an_id_that_stands_on_two_keys_withdraws_both() {
        let both = [(Some("a"), ONE), (Some("a"), TWO), (Some("b"), ONE), (Some("c"), TWO)];
        assert_eq!(left(&mut Withdrawn::default(), &switch(&json!({ "kid": "a" })), &both), []);
    }

    #[test]
    fn a_key_stays_withdrawn_when_a_later_set_has_it_under_another_id_and_no_longer() {
        let (mut withdrawn, off) = (Withdrawn::default(), switch(&json!({ "kid": "a" })));
        assert_eq!(left(&mut withdrawn, &off, &[(Some("a"), ONE)]), []);
        assert_eq!(left(&mut withdrawn, &off, &[(Some("b"), ONE), (Some("c"), TWO)]), [Some("c".to_owned())]);
        assert_eq!(left(&mut withdrawn, &KillSwitch::default(), &[(Some("b"), ONE)]).len(), 1);
        assert_eq!(left(&mut withdrawn, &off, &[(Some("b"), ONE)]).len(), 1, "nothing here says what \"a\" was");
    }
}
