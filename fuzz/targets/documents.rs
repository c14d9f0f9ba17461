//! Documents from outside: key sets, policies and records of the edge's keys.

use fastgate::identity::keys::KeySet;
use fastgate::mint::{Curve, KeyRecord, KeyState, SigningKeys};
use fastgate::policy::Policy;
use fastgate::request::CanonicalPath;
use fastgate::route::find_for;
use serde_json::Value;

/// A key set has the same result each time it is parsed, holds no secret, and has at least one usable key.
pub fn key_set(data: &[u8]) {
    let read = KeySet::parse(data);
    let again = KeySet::parse(data);
    assert_eq!(format!("{read:?}"), format!("{again:?}"));
    let Ok(keys) = read else { return };
    let document: Value = serde_json::from_slice(data).unwrap();
    let entries = document["keys"].as_array().unwrap();
    assert!(keys.skipped() < entries.len() && entries.len() <= 64, "{document}");
    assert_eq!(keys.unusable().len(), keys.skipped());
    for entry in entries {
        let secret = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"].iter().any(|name| entry.get(name).is_some());
        assert!(!secret && entry["kty"] != "oct", "{entry}");
    }
}

/// A record that is read is the same when it is written and read again. One Ed25519 key signs, and without secrets there
/// are no keys.
pub fn key_record(data: &[u8]) {
    let Ok(record) = KeyRecord::parse(data) else { return };
    assert_eq!(KeyRecord::parse(record.to_json().as_bytes()).as_ref(), Ok(&record));
    let signs = record.keys().iter().filter(|key| key.crv == Curve::Ed25519 && key.state == KeyState::Signing);
    assert_eq!(signs.count(), 1, "{record:?}");
    assert!(SigningKeys::recorded(&record, |_| None).is_err());
}

/// A policy has the same result each time it is parsed. A refused policy has faults. In an accepted policy, each route
/// can be found, or another one that is at least as specific precedes it.
pub fn policy(data: &[u8]) {
    let read = Policy::parse(data);
    let again = Policy::parse(data);
    let (policy, again) = match (read, again) {
        (Ok(policy), Ok(again)) => (policy, again),
        (Err(faults), Err(again)) => {
            assert!(!faults.0.is_empty() && faults.to_string() == again.to_string());
            return;
        }
        _ => panic!("a policy is accepted only once"),
    };
    assert_eq!(format!("{:?}", policy.routes()), format!("{:?}", again.routes()));
    for route in policy.routes() {
        let path = filled(route.template.as_str());
        let Ok(path) = CanonicalPath::of_decoded(&path) else {
            panic!("no request can match {:?}, tried {path:?}", route.template.as_str());
        };
        for method in &route.methods {
            let found = find_for(&policy, &path, method.as_str());
            let found = found.unwrap_or_else(|error| panic!("{error}: {:?} for {path:?}", route.template.as_str()));
            let order = found.template.cmp_specificity(&route.template);
            assert!(order.is_ge(), "{:?} before {:?}", found.template.as_str(), route.template.as_str());
        }
    }
}

/// A path that the template matches.
fn filled(template: &str) -> String {
    let (mut path, mut rest) = (String::new(), template);
    while let Some((before, parameter)) = rest.split_once('{') {
        let (parameter, after) = parameter.split_once('}').unwrap();
        path.push_str(before);
        path.push_str(match parameter.split_once(':').map(|(_, convertor)| convertor) {
            Some("int") => "7",
            Some("float") => "1.5",
            Some("uuid") => "01234567-89ab-cdef-0123-456789abcdef",
            _ => "x",
        });
        rest = after;
    }
    path + rest
}
