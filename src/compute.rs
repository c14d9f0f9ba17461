//! The gate on Fastly Compute: the only code that calls Fastly's SDK. It receives a request, lets the library decide,
//! forwards or responds, and logs. A sandbox serves many requests; the library's [`Sandbox`] holds what is kept between
//! them, none of which belongs to a single request.

mod http;
mod log;
mod platform;

use std::time::{Duration, Instant};

use fastgate::gateway::{Decision, refuse};
use fastgate::mint::Grant;
use fastgate::refusal::Refusal;
use fastgate::sandbox::{ReceivedRequest, Sandbox};
use fastgate::trail::{Step, Trail};
use fastly::http::serve::Serve;
use fastly::{Request, Response};
use http::body::ReceivedBody;
use http::{client, forward, receive, respond};
use platform::{FASTLY, acls};

/// How long a sandbox waits for its next request. Waiting is billed as memory times time.
const IDLE: Duration = Duration::from_secs(2);
/// How long a sandbox lives at most, so that none outlasts a deployment by much.
const LIFETIME: Duration = Duration::from_mins(5);
/// The memory in MiB above which a sandbox takes no further request; the platform ends it at 128.
const MEMORY: u32 = 96;

/// The status that is logged when the origin has taken the connection over.
const SWITCHING_PROTOCOLS: u16 = 101;

/// Serves requests until the platform sends no more to this sandbox.
pub(crate) fn serve() {
    let started = Instant::now();
    Serve::new()
        .with_timeout(IDLE)
        .with_max_lifetime(LIFETIME)
        .with_max_memory(MEMORY)
        .run_with_context(|request, sandbox| handle(request, sandbox, started), &mut Sandbox::default());
}

/// One request: receive, decide, forward or respond, log; then, after the response, do the work that no request has to
/// wait for.
fn handle(mut request: Request, sandbox: &mut Sandbox, sandbox_started: Instant) {
    let started = Instant::now();
    let elapsed = move || u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    let request_id = receive::request_id();
    let mut trail = Trail::new(receive::now(), request_id.as_deref().unwrap_or("none"), request.get_method_str());
    let head = receive::head(&request);
    let client = client::of(&request);
    trail.country.clone_from(&client.country);
    trail.pop.clone_from(&client.pop);
    let mut body = ReceivedBody::of(&mut request);

    let decided = request_id.and_then(|_| {
        let received = ReceivedRequest {
            head,
            client: &client,
            body: &mut body,
            acls: &mut acls::LinkedAcls,
            elapsed: &elapsed,
            uptime: started.duration_since(sandbox_started),
        };
        sandbox.decide(received, &FASTLY, &mut trail)
    });
    let response = match decided {
        Ok(Decision::Forward(grant)) => {
            let response = forwarded(&grant, body, &mut trail);
            trail.step(Step::Forward, elapsed());
            response
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
    sandbox.renew(&FASTLY);
}

/// The origin's response; `None` if the origin has taken the connection over.
fn forwarded(grant: &Grant, body: ReceivedBody, trail: &mut Trail) -> Option<Response> {
    let response = if grant.opens_websocket() {
        forward::hand_off(grant).map(|()| None)
    } else {
        forward::forward(grant, body).map(Some)
    };
    match response {
        Ok(response) => response.map(|response| respond::from_origin(response, grant.response())),
        Err(error) => Some(respond::problem(&refuse(&error, trail).with_fields(grant.response().clone()))),
    }
}
