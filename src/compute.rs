//! The gate on Fastly Compute: the only code that names `fastly`. It receives, lets the library decide, forwards or
//! answers, and logs. A sandbox serves many requests; what it keeps between them is in [`Sandbox`], none of it belongs
//! to a request.

mod acl;
mod counter;
mod forward;
mod jwks;
mod log;
mod receive;
mod replays;
mod respond;
mod settings;
mod surroundings;
mod verdicts;

use std::time::{Duration, Instant};

use fastgate::gateway::{Circumstances, Decision, refuse};
use fastgate::identity::Sources;
use fastgate::identity::verdict::Memory;
use fastgate::refusal::Refusal;
use fastgate::trail::{Step, Trail};
use fastly::Request;
use fastly::http::serve::Serve;
use verdicts::VerdictsAt;

/// How long a sandbox waits for its next request. Waiting is billed as memory times time.
const IDLE: Duration = Duration::from_secs(2);
/// How long a sandbox lives at most, so that none outlasts a deployment by much.
const LIFETIME: Duration = Duration::from_mins(5);
/// The memory in MiB above which a sandbox takes no further request; the platform ends it at 128.
const MEMORY: u32 = 96;

/// What a sandbox keeps from one request to the next.
#[derive(Default)]
struct Sandbox {
    settings: settings::Settings,
    jwks: jwks::Jwks,
    verdicts: Memory,
}

/// Serves requests until the platform has no more for this sandbox.
pub(crate) fn serve() {
    Serve::new()
        .with_timeout(IDLE)
        .with_max_lifetime(LIFETIME)
        .with_max_memory(MEMORY)
        .run_with_context(answer, &mut Sandbox::default());
}

/// One request: receive, decide, forward or answer, log; and behind the answer, renew the keys that were found stale.
fn answer(request: Request, sandbox: &mut Sandbox) {
    let started = Instant::now();
    let elapsed = move || u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    let now = receive::now();
    let request_id = receive::request_id();
    let mut trail = Trail::new(now, request_id.as_deref().unwrap_or("none"), request.get_method_str());

    let decided = request_id.and_then(|_| sandbox.settings.gateway(started)).map(|gateway| {
        trail.step(Step::Configure, elapsed());
        let head = receive::head(&request);
        let surroundings = surroundings::of(&request);
        trail.country.clone_from(&surroundings.country);
        trail.pop.clone_from(&surroundings.pop);
        let mut keys = sandbox.jwks.at(now);
        let mut verdicts = VerdictsAt { memory: &mut sandbox.verdicts, now };
        let mut circumstances = Circumstances {
            now,
            surroundings: &surroundings,
            acls: &mut acl::LinkedAcls,
            counter: &mut counter::Counters { space: "limit" },
            sources: Sources { keys: &mut keys, verdicts: &mut verdicts, replays: &mut replays::UsedProofs },
            elapsed: &elapsed,
        };
        let decision = gateway.decide(head, &mut circumstances, &mut trail);
        trail.keys = keys.note();
        decision
    });
    let response = match decided {
        Ok(Decision::Forward(grant)) => {
            let answer = forward::forward(&grant, request);
            trail.step(Step::Forward, elapsed());
            match answer {
                Ok(answer) => respond::passed_on(answer, grant.answer()),
                Err(error) => respond::problem(&refuse(&error.into(), &mut trail).dressed(grant.answer().clone())),
            }
        }
        Ok(Decision::Publish(publication)) => respond::published(publication),
        Ok(Decision::Refuse(problem)) => respond::problem(&problem),
        Err(closed) => respond::problem(&refuse(&Refusal::from(closed), &mut trail)),
    };
    trail.status = response.get_status().as_u16();
    log::write(&trail);
    response.with_header("x-request-id", &trail.request_id).send_to_client();
    sandbox.jwks.renew(now);
}
