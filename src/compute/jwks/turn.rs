//! Whose turn it is to ask an issuer. A transaction of the Core Cache gives the turn to one request of the POP; the others
//! wait for it, and once it is done its outcome stays in the cache for a cool-down, during which nobody asks. Whoever
//! holds the turn and dies hands it to the next. A cache that errs lets nobody ask.

use std::time::Duration;

use fastgate::policy::Issuer;
use fastly::cache::core::Transaction;

use super::places;

/// What asking came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The issuer gave a set.
    Given,
    /// It did not.
    Failed,
}

const GIVEN: &[u8] = b"given";
const FAILED: &[u8] = b"failed";

/// Whose turn it is.
pub(super) enum Turn {
    /// This request's.
    Mine(MyTurn),
    /// Nobody's: the issuer was asked within the cool-down.
    Lately(Outcome),
}

/// The obligation to ask, held by this request alone.
pub(super) struct MyTurn(Transaction);

impl Turn {
    /// Takes the turn, or learns what came of somebody else's; waits at most `patience` for that.
    pub(super) fn take(issuer: &Issuer, patience: Duration) -> Result<Self, String> {
        let transaction = Transaction::lookup(places::cache_key("asked", issuer))
            .timeout(patience)
            .execute()
            .map_err(|error| format!("whether the issuer may be asked cannot be told: {error}"))?;
        match transaction.found() {
            Some(found) if found.user_metadata() == GIVEN => Ok(Self::Lately(Outcome::Given)),
            Some(_) => Ok(Self::Lately(Outcome::Failed)),
            None if transaction.must_insert() => Ok(Self::Mine(MyTurn(transaction))),
            None => Err("whether the issuer may be asked cannot be told".to_owned()),
        }
    }
}

impl MyTurn {
    /// Says what came of it; the issuer is left alone for `rest` seconds.
    pub(super) fn done(self, outcome: Outcome, rest: u64) {
        let word = match outcome {
            Outcome::Given => GIVEN,
            Outcome::Failed => FAILED,
        };
        if let Ok(body) = self.0.insert(Duration::from_secs(rest)).user_metadata(word.into()).execute() {
            let _ = body.finish();
        }
    }
}
