//! Step *mint* in the pipeline.

use std::sync::Arc;

use super::Pipeline;
use crate::backend::Candidates;
use crate::budget::Reserved;
use crate::caching::Invalidation;
use crate::mcp_request::{JudgedBody, Session};
use crate::mint::{Grant, MintInput, Minter};
use crate::policy::{Origin, Policy};
use crate::refusal::Refusal;
use crate::rewrite::OriginTarget;
use crate::throttle::Cleared;
use crate::trail::Step;

/// The time after which a request that is about to be signed for is late, in microseconds: the header is then signed with
/// the current time and not with that of the arrival. A step that can take so long is measured.
const LATE: u64 = 100_000;

impl Pipeline<'_, '_> {
    /// The request as it is forwarded. If it cannot be signed, what was reserved for it is given back.
    pub(in crate::gateway) fn mint(
        &mut self,
        (policy, minter): (&Policy, &Minter),
        cleared: &Cleared<'_>,
        (origin, candidates): (&Arc<Origin>, Candidates),
        target: &OriginTarget,
        (body, session, reserved): (&JudgedBody, Option<&Session>, Reserved),
    ) -> Result<Grant, Refusal> {
        let client = self.outside.client;
        let now = if self.trail.measured() < LATE { self.outside.now } else { (self.outside.clock)() };
        let request_id = &self.trail.request_id;
        let edge = self.edge;
        let input =
            MintInput { edge, cleared, origin, target, body, session, reserved: &reserved, client, now, request_id };
        let grant = match minter.mint(&input, candidates) {
            Ok(grant) => {
                // A request to a model changes no resource.
                let changes = cleared.route().inference.is_none();
                grant.with_invalidation(changes.then(|| Invalidation::of(policy, origin, target)).flatten())
            }
            Err(error) => {
                self.trail.unsettled.extend(reserved.give_back(self.outside.counter));
                return Err(error.into());
            }
        };
        self.trail.note(Step::Mint, || format!("for audience \"{}\": {}", origin.audience, grant.path_and_query()));
        self.timed(Step::Mint);
        Ok(grant)
    }
}
