//! Rows I5 and I6 of `docs/attacks.md`: a token that is revoked is refused, however good it is otherwise.

use fastgate::gateway::Decision;
use fastgate::identity::deny_list::{DenyList as _, Entry, Known, Mark, MarkKind, Memory, NoDenyList};
use fastgate::time::UnixTime;
use serde_json::json;

use crate::{Desk, NOW};

const MAIN: &str = "https://idp.test";

fn desk() -> Desk {
    Desk::new(&json!({ "deny_list": true }))
}

fn at(seconds: u64) -> UnixTime {
    UnixTime::from_seconds(seconds)
}

impl Desk {
    fn deny(&self, kind: MarkKind, issuer: &str, value: &str, entry: &str) {
        self.list.borrow_mut().entries.insert(Mark::new(kind, issuer, value).store_key(), entry.to_owned());
    }
}

fn entry(until: u64) -> String {
    Entry { until: at(until), not_before: None }.to_json()
}

#[test]
fn a_token_is_revoked_by_its_id_its_session_or_its_subject() {
    let claims = json!({ "jti": "t-1", "sid": "s-1", "sub": "alice" });
    for (kind, value, claim) in
        [(MarkKind::Token, "t-1", "jti"), (MarkKind::Session, "s-1", "sid"), (MarkKind::Subject, "alice", "sub")]
    {
        let desk = desk();
        let token = desk.main.token(NOW, claims.clone());
        assert_eq!(desk.verdict(&token), "forwarded");
        desk.deny(kind, MAIN, value, &entry(NOW + 60));
        let (decision, line) = desk.decide("/me", &token);
        assert_eq!((&line["verdict"], &line["status"]), (&json!("token-revoked"), &json!(401)));
        assert_eq!(line["cause"], format!("the token is revoked by its {claim}"));
        let Decision::Refuse(problem) = decision else { panic!("{decision:?}") };
        assert!(problem.body().contains("invalid-token") && !problem.body().contains("revoked"));
    }
}

#[test]
fn an_id_that_is_a_number_is_revoked_by_its_digits_and_one_that_is_neither_is_refused() {
    for (kind, claim) in [(MarkKind::Token, "jti"), (MarkKind::Session, "sid")] {
        for (value, digits) in [(json!(7), "7"), (json!(-7), "-7"), (json!(u64::MAX), "18446744073709551615")] {
            let desk = desk();
            let token = desk.main.token(NOW, json!({ claim: value }));
            assert_eq!(desk.verdict(&token), "forwarded", "{claim}: {value}");
            desk.deny(kind, MAIN, digits, &entry(NOW + 60));
            assert_eq!(desk.verdict(&token), "token-revoked", "{claim}: {value}");
        }
        for value in [json!(7.0), json!(7.5), json!(1e300), json!(true), json!(["t-1"]), json!({ "id": "t-1" })] {
            let desk = desk();
            let token = desk.main.token(NOW, json!({ claim: value }));
            assert_eq!(desk.verdict(&token), "token-claim-malformed", "{claim}: {value}");
            let without_list = Desk::new(&json!({}));
            let token = without_list.main.token(NOW, json!({ claim: value }));
            assert_eq!(without_list.verdict(&token), "forwarded", "without a list nothing depends on it: {value}");
        }
        let desk = desk();
        assert_eq!(desk.verdict(&desk.main.token(NOW, json!({ claim: null }))), "forwarded");
    }
}

#[test]
fn what_is_revoked_of_one_issuer_or_claim_is_not_revoked_of_another() {
    let desk = desk();
    desk.deny(MarkKind::Token, "https://partner.test", "x", &entry(NOW + 60));
    desk.deny(MarkKind::Session, MAIN, "x", &entry(NOW + 60));
    desk.deny(MarkKind::Subject, MAIN, "ali", &entry(NOW + 60));
    assert_eq!(desk.verdict(&desk.main.token(NOW, json!({ "jti": "x" }))), "forwarded");
    let marks = [
        Mark::new(MarkKind::Token, "https://a.test", "b"),
        Mark::new(MarkKind::Token, "https://a.testb", ""),
        Mark::new(MarkKind::Token, "https://a.tes", "tb"),
        Mark::new(MarkKind::Session, "https://a.test", "b"),
        Mark::new(MarkKind::Subject, "https://a.test", "b"),
    ];
    let keys: std::collections::BTreeSet<_> = marks.iter().map(Mark::store_key).collect();
    assert_eq!(keys.len(), marks.len(), "nothing moves between issuer and value");
}

#[test]
fn no_value_of_a_client_is_the_key_of_a_store() {
    for hostile in ["", ".", "..", "../policy", "policy", "a#b;c?d^e|f\n\r", &"x".repeat(2000), "🙂"] {
        let key = Mark::new(MarkKind::Token, MAIN, hostile).store_key();
        let digest = key.strip_prefix("denied/").unwrap();
        assert_eq!(digest.len(), 43);
        assert!(digest.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')), "{key}");
    }
}

#[test]
fn the_tokens_of_a_subject_are_refused_up_to_the_second_that_the_entry_says() {
    let desk = desk();
    let before = |moment| Entry { until: at(NOW + 60), not_before: Some(at(moment)) }.to_json();
    desk.deny(MarkKind::Subject, MAIN, "alice", &before(NOW - 100));
    for (issued, verdict) in [
        (json!(NOW - 101), "token-revoked"),
        (json!(1_799_999_899.5), "token-revoked"),
        (json!(NOW - 100), "token-revoked"),
        (json!(1_799_999_900.9), "token-revoked"),
        (json!(NOW - 99), "forwarded"),
        (json!(NOW), "forwarded"),
    ] {
        assert_eq!(desk.verdict(&desk.main.token(NOW, json!({ "iat": issued }))), verdict, "{issued}");
    }
    assert_eq!(desk.verdict(&desk.main.token(NOW, json!({ "iat": NOW - 101, "sub": "bob" }))), "forwarded");
}

#[test]
fn an_entry_is_over_when_it_says_so_and_one_that_cannot_be_read_never_is() {
    let desk = desk();
    let token = desk.main.token(NOW, json!({ "jti": "t-1" }));
    for (written, verdict) in [
        (entry(NOW), "forwarded"),
        (entry(NOW - 1), "forwarded"),
        (entry(NOW + 1), "token-revoked"),
        (String::new(), "token-revoked"),
        ("true".to_owned(), "token-revoked"),
        ("{}".to_owned(), "token-revoked"),
        (format!("{{\"until\":{NOW},\"unheard_of\":1}}"), "token-revoked"),
        (format!("{{\"until\":\"{NOW}\"}}"), "token-revoked"),
    ] {
        desk.deny(MarkKind::Token, MAIN, "t-1", &written);
        assert_eq!(desk.verdict(&token), verdict, "{written}");
    }
}

#[test]
fn a_list_that_cannot_be_asked_lets_nobody_in_and_calls_nobody_a_liar() {
    let desk = desk();
    desk.list.borrow_mut().broken = true;
    let (decision, line) = desk.decide("/me", &desk.main.token(NOW, json!({})));
    assert_eq!(line["verdict"], "deny-list-unavailable");
    let Decision::Refuse(problem) = decision else { panic!("{decision:?}") };
    assert_eq!((problem.status(), problem.headers().all("retry-after").count()), (503, 1));
    let (_, line) = desk.decide("/maybe", &desk.main.token(NOW, json!({})));
    assert_eq!(line["credentials_ignored"], "deny-list-unavailable", "where a token is optional, its holder is nobody");
}

#[test]
fn the_list_is_asked_once_of_every_good_token_and_of_no_other() {
    let desk = desk();
    desk.verdict(&desk.main.token(NOW, json!({ "jti": "t", "sid": "s" })));
    desk.verdict(&desk.main.token(NOW, json!({})));
    assert_eq!(desk.list.borrow().asked, [3, 1], "by the claims that it has");
    for bad in [json!({ "exp": NOW - 900 }), json!({ "aud": "other" })] {
        desk.verdict(&desk.main.token(NOW, bad));
    }
    assert_eq!(desk.verdict(&desk.partner.token(NOW, json!({}))), "forwarded");
    assert_eq!(desk.list.borrow().asked.len(), 2, "not of bad tokens, nor of issuers without a list");
}

#[test]
fn what_the_list_said_grows_old_from_the_moment_it_was_asked() {
    let (mark, entry) = (Mark::new(MarkKind::Token, MAIN, "t"), Entry::parse(entry(NOW + 60).as_bytes()));
    for said in [None, Some(entry), Some(Entry { not_before: Some(at(7)), ..entry })] {
        let known = Known::from_record(Known::new(at(NOW), said).to_record().as_bytes()).unwrap();
        assert_eq!((known, known.entry()), (Known::new(at(NOW), said), said), "through the cache and back");
        let mut memory = Memory::default();
        assert_eq!(memory.recall(&mark, at(NOW), 30), None);
        memory.keep(mark, known);
        assert_eq!(memory.recall(&mark, at(NOW + 29), 30), Some(known));
        assert_eq!(memory.recall(&mark, at(NOW + 30), 30), None);
        assert_eq!(memory.recall(&mark, at(NOW - 1), 30), None, "nobody knows how old it is");
        assert_eq!(memory.recall(&mark, at(NOW), 0), None, "without a window nothing is remembered");
    }
    for damaged in ["", "x", "x {}", "1800000000", "1800000000 ", "1800000000 {\"until\":", " {}", "x -"] {
        assert_eq!(Known::from_record(damaged.as_bytes()), None, "{damaged}");
    }
}

#[test]
fn a_list_that_is_not_there_does_not_say_that_nobody_is_on_it() {
    assert!(NoDenyList.entries(&[], 60).is_err());
}
