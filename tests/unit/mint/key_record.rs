//! The record of the edge's keys: each refusal, and what is published and used.

use fastgate::mint::rotation::{created, first};
use fastgate::mint::{
    Curve, KeyRecord, KeyRecordError, KeyState, KeyText, Minter, RecordedKey, SigningKeys, new_edge_key,
    new_signing_keys,
};
use fastgate::secret::Secret;
use serde_json::{Value, json};

type NewKey = (RecordedKey, KeyText);

fn new(curve: Curve) -> NewKey {
    new_edge_key(curve).unwrap()
}

/// The entry of a key in a record, with another state.
fn entry((key, _): &NewKey, state: &str) -> Value {
    let mut entry = serde_json::to_value(key).unwrap();
    entry["state"] = json!(state);
    entry
}

fn record(keys: &[Value]) -> Value {
    json!({ "version": 1, "keys": keys })
}

fn read(document: &Value) -> Result<KeyRecord, KeyRecordError> {
    KeyRecord::parse(document.to_string().as_bytes())
}

/// The keys of this record, if these keys have a secret.
fn keys(document: &Value, with_secret: &[&NewKey]) -> Result<SigningKeys, KeyRecordError> {
    let secret = |kid: &str| {
        let found = with_secret.iter().find(|(key, _)| key.kid == kid);
        found.map(|(_, secret)| secret.expose().as_bytes())
    };
    SigningKeys::recorded(&read(document)?, secret)
}

fn published(keys: SigningKeys) -> Vec<String> {
    let set: Value = serde_json::from_str(&Minter::new(keys, []).published_keys().unwrap()).unwrap();
    set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn each_fault_of_a_record_is_refused() {
    use KeyRecordError::{Malformed, NoSigningKey, OtherKid, Repeated, Several, TooMany, Version};
    let (one, two, three) = (new(Curve::Ed25519), new(Curve::Ed25519), new(Curve::X25519));
    let signing = entry(&one, "signing");
    let with = |member: &str, value: Value| {
        let mut entry = entry(&two, "next");
        entry[member] = value;
        record(&[signing.clone(), entry])
    };
    let without = |member: &str| {
        let mut entry = entry(&two, "next");
        entry.as_object_mut().unwrap().remove(member);
        record(&[signing.clone(), entry])
    };
    let whole = record(&[signing.clone(), entry(&two, "next"), entry(&three, "signing")]);
    assert!(read(&whole).is_ok());
    assert!(read(&with("since", json!(1_800_000_000))).is_ok());

    let mut unknown = whole.clone();
    unknown["note"] = json!("");
    let malformed = [
        unknown,
        json!({ "keys": [signing] }),
        json!({ "version": 1 }),
        json!({ "version": "1", "keys": [signing] }),
        json!({ "version": 1, "keys": {} }),
        json!([whole]),
        with("note", json!("")),
        with("d", json!("AAAA")),
        with("state", json!("published")),
        with("kty", json!("EC")),
        with("crv", json!("Ed448")),
        with("since", json!(-1)),
        with("since", json!("2026")),
        with("since", json!(1.5)),
        without("kid"),
        without("kty"),
        without("crv"),
        without("x"),
        without("state"),
    ];
    for document in malformed {
        assert!(matches!(read(&document), Err(Malformed(_))), "{document}");
    }
    let twice = whole.to_string().replacen("\"version\":1", "\"version\":1,\"version\":1", 1);
    for text in ["", "[]", "x", &twice, &whole.to_string()[1..]] {
        assert!(matches!(KeyRecord::parse(text.as_bytes()), Err(Malformed(_))), "{text}");
    }
    let mut newer = whole.clone();
    newer["version"] = json!(2);
    newer["other"] = json!(true);
    assert_eq!(read(&newer), Err(Version(2)));

    let x = entry(&one, "next")["x"].as_str().unwrap().to_owned();
    let other_kids = [
        with("kid", json!("2026-11")),
        with("x", json!(x)),
        with("x", json!(format!("{x}="))),
        with("x", json!("AAAA")),
        with("crv", json!("X25519")),
    ];
    for document in other_kids {
        assert_eq!(read(&document), Err(OtherKid { index: 1 }), "{document}");
    }
    assert_eq!(read(&record(&[signing.clone(), entry(&one, "retired")])), Err(Repeated { index: 1 }));
    for (state, given) in [(KeyState::Signing, "signing"), (KeyState::Next, "next")] {
        let document = record(&[entry(&one, given), entry(&two, given), entry(&three, "signing")]);
        assert_eq!(read(&document), Err(Several { crv: Curve::Ed25519, state }));
    }
    assert_eq!(read(&record(&[])), Err(NoSigningKey));
    assert_eq!(read(&record(&[entry(&three, "signing"), entry(&one, "next")])), Err(NoSigningKey));
    let many: Vec<_> = (0..16).map(|_| entry(&new(Curve::Ed25519), "retired")).chain([signing]).collect();
    assert_eq!(read(&record(&many)), Err(TooMany(17)));
    assert!(read(&record(&many[1..])).is_ok());
}

#[test]
fn what_is_published_comes_from_secrets_and_a_record_alone_adds_no_key() {
    let (signing, next, retired) = (new(Curve::Ed25519), new(Curve::Ed25519), new(Curve::Ed25519));
    let document = record(&[entry(&retired, "retired"), entry(&next, "next"), entry(&signing, "signing")]);
    let ids = |keys: &[&NewKey]| keys.iter().map(|(key, _)| key.kid.clone()).collect::<Vec<_>>();
    let all = keys(&document, &[&signing, &next, &retired]).unwrap();
    assert_eq!(published(all), ids(&[&signing, &next, &retired]));
    // An attacker who writes the record has no secret of their key.
    assert_eq!(published(keys(&document, &[&signing, &retired]).unwrap()), ids(&[&signing, &retired]));
    assert_eq!(published(keys(&document, &[&signing]).unwrap()), ids(&[&signing]));
    let missing = keys(&document, &[&next, &retired]).unwrap_err();
    assert_eq!(missing, KeyRecordError::MissingSecret { kid: signing.0.kid.clone() });
    // A key that is in no record is not published.
    let only = record(&[entry(&signing, "signing")]);
    assert_eq!(published(keys(&only, &[&signing, &next]).unwrap()), ids(&[&signing]));
}

#[test]
fn a_secret_that_is_not_the_private_half_of_its_key_is_refused_and_never_printed() {
    let (signing, next, exchange) = (new(Curve::Ed25519), new(Curve::Ed25519), new(Curve::X25519));
    let document = record(&[entry(&signing, "signing"), entry(&next, "next")]);
    let (set, public) = new_signing_keys();
    let mut two_halves: Value = serde_json::from_str(next.1.expose()).unwrap();
    two_halves["x"] = serde_json::from_str::<Value>(signing.1.expose()).unwrap()["x"].clone();
    let others = [
        signing.1.expose().as_str(),
        exchange.1.expose(),
        &set,
        &public,
        "",
        "{}",
        "c2VjcmV0",
        &two_halves.to_string(),
    ]
    .map(str::to_owned);
    for secret in others {
        let wrong = (next.0.clone(), Secret::new(secret.clone().into()));
        let error = keys(&document, &[&signing, &wrong]).unwrap_err();
        assert_eq!(error, KeyRecordError::OtherSecret { kid: next.0.kid.clone() }, "{secret}");
        assert!(secret.len() < 8 || !error.to_string().contains(&secret));
    }
    // The record names the right halves, and the private one is another.
    let mut unsound: Value = serde_json::from_str(signing.1.expose()).unwrap();
    unsound["d"] = serde_json::from_str::<Value>(next.1.expose()).unwrap()["d"].clone();
    let unsound = (signing.0.clone(), Secret::new(unsound.to_string().into()));
    let read = keys(&record(&[entry(&signing, "signing")]), &[&unsound]).unwrap();
    assert!(Minter::new(read, []).published_keys().is_err());
}

#[test]
fn a_set_becomes_a_record_of_the_same_keys() {
    let (private, public) = new_signing_keys();
    let (record, secrets) = SigningKeys::parse(private.as_bytes()).unwrap().to_record().unwrap();
    let secret = |kid: &str| secrets.iter().find(|(of, _)| of == kid).map(|(_, secret)| secret.expose().as_bytes());
    let read = SigningKeys::recorded(&KeyRecord::parse(record.to_json().as_bytes()).unwrap(), secret).unwrap();
    assert_eq!(Minter::new(read, []).published_keys().unwrap(), public);
    assert!(record.keys().iter().all(|key| key.state == KeyState::Signing && key.since.is_none()));
    for (kid, secret) in &secrets {
        let private: Value = serde_json::from_str(secret.expose()).unwrap();
        assert!(!record.to_json().contains(private["d"].as_str().unwrap()), "{kid}");
    }
}

#[test]
fn a_record_has_the_documented_form() {
    let guide = include_str!("../../../docs/reference/storage.md");
    let example = guide.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let read = KeyRecord::parse(example.as_bytes()).unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(example).unwrap(),
        serde_json::from_str::<Value>(&read.to_json()).unwrap()
    );
    let (one, two) = (new(Curve::Ed25519), new(Curve::Ed25519));
    let begun = first(&[one.0]).unwrap();
    assert_eq!(begun.keys()[0].state, KeyState::Signing);
    let begun = created(&begun, &[two.0]).unwrap();
    assert_eq!(begun.keys()[1].state, KeyState::Next);
    assert!(created(&begun, &[new(Curve::Ed25519).0]).is_none(), "one rotation at a time");
}
