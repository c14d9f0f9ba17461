//! A withdrawn key is refused under another id, too.

use fastgate::mint::new_signing_keys;

use crate::run::Run;
use crate::shared::steps::{Call, Key, Route, SIMULATED, Step, SwitchedOff, Token, first_plan};

#[test]
fn a_withdrawn_key_is_refused_under_another_id_in_this_set_or_the_next() {
    let call = |key| {
        let token = Some(Token::Signed { iss: 0, key, who: 0 });
        Step::Request(Call { sandbox: 0, route: Route::Me, token, body: None, renews: true })
    };
    let (named, twin, other) = (Key { kid: 1, material: 0 }, Key { kid: 2, material: 0 }, Key { kid: 3, material: 4 });
    let off = |keys| Step::KillSwitch(SwitchedOff { keys, ..SwitchedOff::default() });
    let mut run = Run::with(first_plan(&SIMULATED), &new_signing_keys().0);
    let withdrawn = off(Some((0, Some(1))));
    run.take(&[Step::Publish(0, vec![named, twin, other]), call(twin), withdrawn, Step::Wait(11_000)]).unwrap();
    run.take(&[call(named), call(twin), call(other)]).unwrap();
    run.take(&[Step::Publish(0, vec![twin, other]), Step::Wait(11_000), call(twin), call(other)]).unwrap();
    run.take(&[Step::Wait(11_000), call(twin), call(other), off(None), Step::Wait(11_000), call(twin)]).unwrap();
    let verdicts: Vec<_> = run.outcomes.iter().map(|words| words.contains("\"forwarded\"")).collect();
    assert_eq!(verdicts, [true, false, false, true, false, true, false, true, true], "{:#?}", run.outcomes);
    assert!(run.outcomes.iter().all(|words| !words.contains("503")), "{:#?}", run.outcomes);
}
