//! Rows I5 and I6 of `docs/attacks.md`: a revoked token is refused, even if it is valid otherwise.

use fastgate::identity::deny_list::{CachedEntry, DenyListMemory, Entry, RevocationClaim, RevocationKey};
use fastgate::time::{Seconds, UnixTime};
use serde_json::json;

use super::gate_with;
use crate::offline::{Gate, NOW, get};
use crate::rules::{MAIN, PARTNER};

const ISSUER: &str = "https://idp.test";

fn with_list() -> Gate {
    gate_with(&json!({ "deny_list": true }))
}

fn at(seconds: u64) -> UnixTime {
    UnixTime::from_seconds(seconds)
}

impl Gate {
    fn deny(&self, kind: RevocationClaim, issuer: &str, value: &str, entry: &str) {
        self.fakes().deny_list.entries.insert(RevocationKey::new(kind, issuer, value).store_key(), entry.to_owned());
    }
}

fn entry(until: u64) -> String {
    Entry { until: at(until), not_before: None }.to_json()
}

#[test]
fn a_token_is_revoked_by_its_id_its_session_or_its_subject() {
    let claims = json!({ "jti": "t-1", "sid": "s-1", "sub": "alice" });
    for (kind, value, claim) in [
        (RevocationClaim::Token, "t-1", "jti"),
        (RevocationClaim::Session, "s-1", "sid"),
        (RevocationClaim::Subject, "alice", "sub"),
    ] {
        let gate = with_list();
        let token = MAIN.token(NOW, claims.clone());
        assert_eq!(gate.verdict(get("/me").bearer(&token)), "forwarded");
        gate.deny(kind, ISSUER, value, &entry(NOW + 60));
        let outcome = gate.send(get("/me").bearer(&token));
        let (problem, line) = (outcome.problem(), outcome.line());
        assert_eq!((&line["verdict"], &line["status"]), (&json!("token-revoked"), &json!(401)));
        assert_eq!(line["cause"], format!("the token is revoked by its {claim}"));
        assert!(problem.body().contains("invalid-token") && !problem.body().contains("revoked"));
    }
}

#[test]
fn an_id_that_is_a_number_is_revoked_by_its_digits_and_one_that_is_neither_is_refused() {
    for (kind, claim) in [(RevocationClaim::Token, "jti"), (RevocationClaim::Session, "sid")] {
        for (value, digits) in [(json!(7), "7"), (json!(-7), "-7"), (json!(u64::MAX), "18446744073709551615")] {
            let gate = with_list();
            let token = MAIN.token(NOW, json!({ claim: value }));
            assert_eq!(gate.verdict(get("/me").bearer(&token)), "forwarded", "{claim}: {value}");
            gate.deny(kind, ISSUER, digits, &entry(NOW + 60));
            assert_eq!(gate.verdict(get("/me").bearer(&token)), "token-revoked", "{claim}: {value}");
        }
        for value in [json!(7.0), json!(7.5), json!(1e300), json!(true), json!(["t-1"]), json!({ "id": "t-1" })] {
            let gate = with_list();
            let token = MAIN.token(NOW, json!({ claim: value }));
            assert_eq!(gate.verdict(get("/me").bearer(&token)), "token-claim-malformed", "{claim}: {value}");
            let without_list = gate_with(&json!({}));
            let token = MAIN.token(NOW, json!({ claim: value }));
            assert_eq!(
                without_list.verdict(get("/me").bearer(&token)),
                "forwarded",
                "without a list nothing depends on it: {value}"
            );
        }
        let gate = with_list();
        assert_eq!(gate.verdict(get("/me").bearer(&MAIN.token(NOW, json!({ claim: null })))), "forwarded");
    }
}

#[test]
fn an_entry_revokes_tokens_of_one_issuer_and_claim_only() {
    let gate = with_list();
    gate.deny(RevocationClaim::Token, "https://partner.test", "x", &entry(NOW + 60));
    gate.deny(RevocationClaim::Session, ISSUER, "x", &entry(NOW + 60));
    gate.deny(RevocationClaim::Subject, ISSUER, "ali", &entry(NOW + 60));
    assert_eq!(gate.verdict(get("/me").bearer(&MAIN.token(NOW, json!({ "jti": "x" })))), "forwarded");
    let keys = [
        RevocationKey::new(RevocationClaim::Token, "https://a.test", "b"),
        RevocationKey::new(RevocationClaim::Token, "https://a.testb", ""),
        RevocationKey::new(RevocationClaim::Token, "https://a.tes", "tb"),
        RevocationKey::new(RevocationClaim::Session, "https://a.test", "b"),
        RevocationKey::new(RevocationClaim::Subject, "https://a.test", "b"),
    ];
    let store_keys: std::collections::BTreeSet<_> = keys.iter().map(RevocationKey::store_key).collect();
    assert_eq!(store_keys.len(), keys.len(), "the boundary of issuer and value is unambiguous");
}

#[test]
fn no_value_of_a_client_is_used_as_a_store_key() {
    for hostile in ["", ".", "..", "../policy", "policy", "a#b;c?d^e|f\n\r", &"x".repeat(2000), "🙂"] {
        let key = RevocationKey::new(RevocationClaim::Token, ISSUER, hostile).store_key();
        let digest = key.strip_prefix("denied/").unwrap();
        assert_eq!(digest.len(), 43);
        assert!(digest.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')), "{key}");
    }
}

#[test]
fn the_tokens_of_a_subject_are_refused_up_to_the_second_that_the_entry_says() {
    let gate = with_list();
    let before = |moment| Entry { until: at(NOW + 60), not_before: Some(at(moment)) }.to_json();
    gate.deny(RevocationClaim::Subject, ISSUER, "alice", &before(NOW - 100));
    for (issued, verdict) in [
        (json!(NOW - 101), "token-revoked"),
        (json!(1_799_999_899.5), "token-revoked"),
        (json!(NOW - 100), "token-revoked"),
        (json!(1_799_999_900.9), "token-revoked"),
        (json!(NOW - 99), "forwarded"),
        (json!(NOW), "forwarded"),
    ] {
        assert_eq!(gate.verdict(get("/me").bearer(&MAIN.token(NOW, json!({ "iat": issued })))), verdict, "{issued}");
    }
    assert_eq!(
        gate.verdict(get("/me").bearer(&MAIN.token(NOW, json!({ "iat": NOW - 101, "sub": "bob" })))),
        "forwarded"
    );
}

#[test]
fn an_entry_ends_at_its_time_and_a_malformed_entry_never_ends() {
    let gate = with_list();
    let token = MAIN.token(NOW, json!({ "jti": "t-1" }));
    for (written, verdict) in [
        (entry(NOW), "forwarded"),
        (entry(NOW - 1), "forwarded"),
        (entry(NOW + 1), "token-revoked"),
        (String::new(), "token-revoked"),
        ("true".to_owned(), "token-revoked"),
        ("null".to_owned(), "token-revoked"),
        ("{}".to_owned(), "token-revoked"),
        ("[]".to_owned(), "token-revoked"),
        ("[0]".to_owned(), "token-revoked"),
        (format!("[{NOW},0]"), "token-revoked"),
        (format!("{{\"until\":{},\"until\":{NOW}}}", NOW + 60), "token-revoked"),
        (format!("{{\"until\":{NOW},\"unheard_of\":1}}"), "token-revoked"),
        (format!("{{\"until\":\"{NOW}\"}}"), "token-revoked"),
    ] {
        gate.deny(RevocationClaim::Token, ISSUER, "t-1", &written);
        assert_eq!(gate.verdict(get("/me").bearer(&token)), verdict, "{written}");
    }
}

#[test]
fn an_unavailable_deny_list_gives_503_and_not_401() {
    let gate = with_list();
    gate.fakes().deny_list.broken = true;
    let outcome = gate.send(get("/me").bearer(&MAIN.token(NOW, json!({}))));
    assert_eq!(outcome.trail.verdict, "deny-list-unavailable");
    let problem = outcome.problem();
    assert_eq!((problem.status(), problem.headers().all("retry-after").count()), (503, 1));
    let line = gate.send(get("/maybe").bearer(&MAIN.token(NOW, json!({})))).line();
    assert_eq!(line["credentials_ignored"], "deny-list-unavailable", "on an optional route the caller is anonymous");
}

#[test]
fn the_list_is_read_once_for_every_valid_token_only() {
    let gate = with_list();
    gate.verdict(get("/me").bearer(&MAIN.token(NOW, json!({ "jti": "t", "sid": "s" }))));
    gate.verdict(get("/me").bearer(&MAIN.token(NOW, json!({}))));
    assert_eq!(gate.fakes().deny_list.requested, [3, 1], "one key for each claim of the token");
    for bad in [json!({ "exp": NOW - 900 }), json!({ "aud": "other" })] {
        gate.verdict(get("/me").bearer(&MAIN.token(NOW, bad)));
    }
    assert_eq!(gate.verdict(get("/me").bearer(&PARTNER.token(NOW, json!({})))), "forwarded");
    assert_eq!(gate.fakes().deny_list.requested.len(), 2, "not for invalid tokens or issuers without a list");
}

#[test]
fn the_age_of_a_cached_entry_counts_from_its_read() {
    let (mark, entry) =
        (RevocationKey::new(RevocationClaim::Token, ISSUER, "t"), Entry::parse(entry(NOW + 60).as_bytes()));
    let window = Seconds::new(30);
    for said in [None, Some(entry), Some(Entry { not_before: Some(at(7)), ..entry })] {
        let known = CachedEntry::from_record(CachedEntry::new(at(NOW), said).to_record().as_bytes()).unwrap();
        assert_eq!(
            (known, known.entry()),
            (CachedEntry::new(at(NOW), said), said),
            "the record in the cache is complete"
        );
        let mut memory = DenyListMemory::default();
        assert_eq!(memory.recall(&mark, at(NOW)), None);
        memory.keep(mark, known, known.until(window));
        assert_eq!(memory.recall(&mark, at(NOW + 29)), Some(&known));
        assert_eq!(memory.recall(&mark, at(NOW + 30)), None);
        assert!(
            known.holds(at(NOW), window) && known.holds(at(NOW + 29), window) && !known.holds(at(NOW + 30), window)
        );
        assert!(!known.holds(at(NOW - 1), window), "its age is unknown");
        assert!(!known.holds(at(NOW), Seconds::new(0)), "without a window it is not used again");
    }
    for damaged in ["", "x", "x {}", "1800000000", "1800000000 ", "1800000000 {\"until\":", " {}", "x -"] {
        assert_eq!(CachedEntry::from_record(damaged.as_bytes()), None, "{damaged}");
    }
}
