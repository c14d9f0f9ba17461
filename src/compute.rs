//! The gate on Fastly Compute: the only code that names `fastly`. It receives, lets the library decide, forwards or
//! answers, and logs. A sandbox serves many requests; what it keeps between them is in [`Sandbox`], none of it belongs
//! to a request.

mod acl;
mod body;
mod bounded;
mod content;
mod counter;
mod deny_list;
mod forward;
mod introspect;
mod jwks;
mod log;
mod receive;
mod replays;
mod respond;
mod settings;
mod shadow;
mod surroundings;
mod switch;
mod verdicts;

use std::time::{Duration, Instant};

use deny_list::DenyListAt;
use fastgate::gateway::{Circumstances, Decision, refuse};
use fastgate::identity::{Sources, deny_list as denied, introspection, verdict};
use fastgate::mint::Grant;
use fastgate::refusal::Refusal;
use fastgate::trail::{Step, Trail};
use fastly::http::serve::Serve;
use fastly::{Request, Response};
use introspect::IntrospectorAt;
use verdicts::VerdictsAt;

/// How long a sandbox waits for its next request. Waiting is billed as memory times time.
const IDLE: Duration = Duration::from_secs(2);
/// How long a sandbox lives at most, so that none outlasts a deployment by much.
const LIFETIME: Duration = Duration::from_mins(5);
/// The memory in MiB above which a sandbox takes no further request; the platform ends it at 128.
const MEMORY: u32 = 96;

/// What the log says where the origin has taken the connection over.
const SWITCHING_PROTOCOLS: u16 = 101;

/// What a sandbox keeps from one request to the next.
#[derive(Default)]
struct Sandbox {
    settings: settings::Settings,
    jwks: jwks::Jwks,
    verdicts: verdict::Memory,
    denied: denied::Memory,
    answers: introspection::Memory,
    switchboard: switch::Switchboard,
    shadow: shadow::Shadow,
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
fn answer(mut request: Request, sandbox: &mut Sandbox) {
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
        let switch = sandbox.switchboard.switch(started);
        let mut keys = sandbox.jwks.at(now);
        let mut verdicts = VerdictsAt { memory: &mut sandbox.verdicts, now };
        let mut trial_counter = counter::Counters { space: "shadow" };
        let mut counter = counter::Counters { space: "limit" };
        let mut trial_proofs = replays::UsedProofs { space: "shadow" };
        let mut used_proofs = replays::UsedProofs { space: "proof" };
        let mut deny_list = DenyListAt { memory: &mut sandbox.denied, now };
        let mut introspector = IntrospectorAt { memory: &mut sandbox.answers, now };
        let mut circumstances = Circumstances {
            now,
            surroundings: &surroundings,
            body: &mut content::BodyOf(&mut request),
            acls: &mut acl::LinkedAcls,
            switch: &switch,
            counter: &mut counter,
            sources: Sources {
                keys: &mut keys,
                verdicts: &mut verdicts,
                deny_list: &mut deny_list,
                introspector: &mut introspector,
                replays: &mut used_proofs,
                nonces: gateway.nonces(),
            },
            elapsed: &elapsed,
        };
        let on_trial = sandbox.shadow.gateway(started).map(|gateway| (gateway, head.clone()));
        let decision = gateway.decide(head, &mut circumstances, &mut trail);
        trail.shadow_policy = on_trial.map(|(gateway, head)| {
            circumstances.counter = &mut trial_counter;
            circumstances.sources.replays = &mut trial_proofs;
            shadow::verdict(&gateway, head, &mut circumstances, &trail.request_id)
        });
        trail.keys = keys.note();
        decision
    });
    let response = match decided {
        Ok(Decision::Forward(grant)) => {
            let answer = passed_on(&grant, request, &mut trail);
            trail.step(Step::Forward, elapsed());
            answer
        }
        Ok(Decision::Preflight(fields)) => Some(respond::preflight(&fields)),
        Ok(Decision::Publish(publication)) => Some(respond::published(publication)),
        Ok(Decision::Refuse(problem)) => Some(respond::problem(&problem)),
        Err(closed) => Some(respond::problem(&refuse(&Refusal::from(closed), &mut trail))),
    };
    trail.status = response.as_ref().map_or(SWITCHING_PROTOCOLS, |response| response.get_status().as_u16());
    log::write(&trail);
    if let Some(response) = response {
        response.with_header("x-request-id", &trail.request_id).send_to_client();
    }
    sandbox.jwks.renew(now);
}

/// The origin's answer; none where the connection is now the origin's.
fn passed_on(grant: &Grant, request: Request, trail: &mut Trail) -> Option<Response> {
    let answer = if grant.opens_websocket() {
        forward::hand_over(grant).map(|()| None)
    } else {
        forward::forward(grant, request).map(Some)
    };
    match answer {
        Ok(answer) => answer.map(|answer| respond::passed_on(answer, grant.answer())),
        Err(error) => Some(respond::problem(&refuse(&error, trail).dressed(grant.answer().clone()))),
    }
}
