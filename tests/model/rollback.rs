//! An older key set takes the place of no newer one, however long its issuer once said that it would be fresh.

use fastgate::mint::new_signing_keys;

use crate::run::Run;
use crate::shared::steps::{Call, Key, Life, Outage, Plan, Route, SIMULATED, Step, Token, first_plan};

#[test]
fn a_set_that_is_stale_gives_way_to_no_older_one_that_is_still_fresh() {
    let life = Life { min_fresh: 1, max_fresh: 3600, max_stale: 86_400, cool_down: 1 };
    let plan = Plan { life, ..first_plan(&SIMULATED) };
    let (old, new) = (Key { kid: 1, material: 0 }, Key { kid: 2, material: 4 });
    let call = |key| {
        let token = Some(Token::Signed { iss: 0, key, who: 0 });
        Step::Request(Call { sandbox: 0, route: Route::Me, token, body: None, renews: true })
    };
    let mut run = Run::with(plan, &new_signing_keys().0);
    run.world.cache_control.set(Some("max-age=3600"));
    run.take(&[call(old), Step::Store(Some(Outage::Keys)), Step::Publish(0, vec![new]), Step::Wait(2000)]).unwrap();
    run.world.cache_control.set(Some("max-age=1"));
    run.take(&[call(new), Step::Store(None), Step::Wait(10_000), call(old), call(new)]).unwrap();
    let verdicts: Vec<_> = run.outcomes.iter().map(|words| words.contains("\"forwarded\"")).collect();
    assert_eq!(verdicts, [true, true, false, true], "{:#?}", run.outcomes);
}
