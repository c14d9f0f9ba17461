//! The effects and facts from outside that a decision needs.

use crate::availability::KillSwitch;
use crate::backend::Health;
use crate::caching::{Generations, ResponseCache};
use crate::client::Client;
use crate::content::Body;
use crate::identity::Sources;
use crate::place::Acls;
use crate::respond::Files;
use crate::throttle::Counter;
use crate::time::UnixTime;

/// The effects and facts that a decision needs besides the request.
pub struct Environment<'outside> {
    /// The time at which the request arrived.
    pub now: UnixTime,
    /// The clock. Tokens are signed with the time at which they are minted, because reading a body takes time.
    pub clock: &'outside dyn Fn() -> UnixTime,
    /// The facts that the platform knows about the client.
    pub client: &'outside Client,
    /// The ports that identification reads.
    pub sources: Sources<'outside>,
    /// The body, which is read if the route bounds or signs it.
    pub body: &'outside mut dyn Body,
    /// The Compute ACLs.
    pub acls: &'outside mut dyn Acls,
    /// The kill switch: what an operator has switched off.
    pub kill_switch: &'outside KillSwitch,
    /// The stored responses.
    pub responses: &'outside mut dyn ResponseCache,
    /// The purge generations; `None` if they cannot be read: then no stored response is used.
    pub generations: Option<&'outside Generations>,
    /// The files that the edge responds with.
    pub files: &'outside mut dyn Files,
    /// What is known of the health of backends.
    pub health: &'outside mut dyn Health,
    /// The counts of limits.
    pub counter: &'outside mut dyn Counter,
    /// Microseconds since the request arrived. Only the trail uses them.
    pub elapsed: &'outside dyn Fn() -> u64,
}
