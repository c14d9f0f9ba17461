//! The gate on Fastly Compute: the only code that calls Fastly's SDK. It receives a request, lets the library decide,
//! forwards or responds, and logs. A sandbox serves many requests; the library's [`Sandbox`] holds what is kept between
//! them, none of which belongs to a single request.

mod abi;
mod http;
mod log;
mod platform;

use std::time::{Duration, Instant};

use fastgate::budget::{Settlement, Spent};
use fastgate::gateway::{Decision, refuse};
use fastgate::mint::Grant;
use fastgate::problem::Problem;
use fastgate::refusal::{OriginError, Refusal};
use fastgate::respond::RespondError;
use fastgate::sandbox::{LONGEST_WAIT, ReceivedRequest, Sandbox};
use fastgate::trail::{Step, Trail};
use fastly::handle::{BodyHandle, RequestHandle, client_request_and_body};
use http::body::ReceivedBody;
use http::client::{Locator, anonymizers};
use http::forward::Exchange;
use http::receive::RequestIds;
use http::respond::Response;
use http::{cached, charged, forward, listed, receive, respond};
use log::Log;
use platform::files::StoredFiles;
use platform::responses::StoredResponses;
use platform::{FASTLY, acls};

/// The age at which a sandbox takes no further request, so that none outlasts a deployment by much.
const LIFETIME: Duration = Duration::from_mins(5);
/// The memory above which a sandbox takes no further request, in pages of 64 KiB: 96 MiB; the platform ends it at 128.
const MEMORY: usize = 96 * 16;
/// The size of the buffer for fields, in bytes. It grows if a request needs more.
const BUFFER: usize = 16 * 1024;

/// The status that is logged when the origin has taken the connection over.
const SWITCHING_PROTOCOLS: u16 = 101;

/// What is kept between the requests of a sandbox. None of it belongs to a single request.
struct Server {
    sandbox: Sandbox,
    started: Instant,
    locator: Locator,
    log: Log,
    ids: RequestIds,
    /// For the fields of messages; its content has no meaning between two uses.
    buffer: Vec<u8>,
}

/// Serves requests until the platform sends no more to this sandbox.
pub(crate) fn serve() {
    let mut server = Server {
        sandbox: Sandbox::default(),
        started: Instant::now(),
        locator: Locator::default(),
        log: Log::default(),
        ids: RequestIds::default(),
        buffer: vec![0; BUFFER],
    };
    let mut next = Some(client_request_and_body());
    while let Some((request, body)) = next {
        let uptime = server.handle(&request, body);
        drop(request);
        let may_go_on = uptime < LIFETIME && core::arch::wasm32::memory_size(0) <= MEMORY;
        next = if may_go_on { abi::next_request(LONGEST_WAIT) } else { None };
    }
}

impl Server {
    /// One request: receive, decide, forward or respond, log; then, after the response, do the work that no request has
    /// to wait for. Returns how long the sandbox had lived when the request arrived.
    fn handle(&mut self, request: &RequestHandle, body: BodyHandle) -> Duration {
        let started = Instant::now();
        let uptime = started.duration_since(self.started);
        let elapsed = move || u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let request_id = self.ids.next();
        let head = receive::head(request, &mut self.buffer);
        let mut trail = Trail::new(receive::now(), request_id.as_deref().unwrap_or("none"), &head.method);
        let mut body = ReceivedBody::new(body, &head.headers);
        let mut responses = StoredResponses::default();
        let mut files = StoredFiles::default();
        let mut renews = None;
        let mut charge = None;
        let client = self.locator.client(request);
        trail.country.clone_from(&client.country);
        trail.pop.clone_from(&client.pop);

        let decided = request_id.and_then(|_| {
            let received = ReceivedRequest {
                head,
                client,
                anonymizers: &|| anonymizers(request),
                body: &mut body,
                responses: &mut responses,
                files: &mut files,
                acls: &mut acls::LinkedAcls,
                elapsed: &elapsed,
                uptime,
            };
            self.sandbox.decide(received, &FASTLY, &mut trail)
        });
        let response = match decided {
            Ok(Decision::Forward(grant)) => {
                let (response, spent) = self.forwarded(&grant, body, &mut responses, &mut trail);
                trail.step(Step::Forward, elapsed());
                charge = grant.charge().filter(|charge| charge.is_counted()).map(|charge| (charge.clone(), spent));
                response
            }
            Ok(Decision::Send(served, renewal)) => {
                renews = renewal;
                Some(cached::stored(&served, &responses).unwrap_or_else(|| respond::problem(&lost(&mut trail))))
            }
            Ok(Decision::Respond(own)) => {
                Some(respond::own(&own, &mut files).unwrap_or_else(|| respond::problem(&unreadable(&mut trail))))
            }
            Ok(Decision::Preflight(fields)) => Some(respond::preflight(&fields)),
            Ok(Decision::Publish(publication)) => Some(respond::published(&publication)),
            Ok(Decision::Refuse(problem)) => Some(respond::problem(&problem)),
            Err(closed) => Some(respond::problem(&refuse(&Refusal::from(closed), &mut trail))),
        };
        trail.status = response.as_ref().map_or(SWITCHING_PROTOCOLS, |response| response.status);
        self.log.write_line(&trail.to_line());
        let observed = response.and_then(|response| response.send(&trail.request_id));
        if let Some((charge, spent)) = charge {
            let spent = observed.unwrap_or(spent);
            let unsettled = self.sandbox.settle(&charge, spent, &FASTLY);
            self.log.write_line(&Settlement::of(&trail, &charge, spent, unsettled).to_line());
        }
        if let Some(grant) = renews {
            cached::renew(&grant, &mut responses, &mut self.exchange(&mut trail));
        }
        // The time of the last step, for which the clock was read.
        self.sandbox.renew(&FASTLY, uptime.saturating_add(Duration::from_micros(trail.measured())));
        uptime
    }

    const fn exchange<'server>(&'server mut self, trail: &'server mut Trail) -> Exchange<'server> {
        Exchange { sandbox: &mut self.sandbox, buffer: &mut self.buffer, trail }
    }

    /// The response for the client, and what it says about the cost of the request; `None` if the origin has taken the
    /// connection over.
    fn forwarded(
        &mut self,
        grant: &Grant,
        body: ReceivedBody,
        responses: &mut StoredResponses,
        trail: &mut Trail,
    ) -> (Option<Response>, Spent) {
        let response = if grant.opens_websocket() {
            forward::hand_off(grant).map(|()| (None, Spent::Unknown))
        } else if let Some(storage) = grant.storage() {
            let response = cached::fetched(grant, storage, body, responses, &mut self.exchange(trail));
            response.map(|(response, spent)| (Some(response), spent))
        } else {
            let received = forward::forward(grant, body, &mut self.exchange(trail));
            let response = received.and_then(|origin| match grant.lists() {
                Some(filter) => {
                    let response = listed::response(origin, grant, filter, &mut self.buffer)?;
                    Ok((response, Spent::Unknown))
                }
                None => charged::response(origin, grant, &mut self.buffer),
            });
            response.map(|(response, spent)| (Some(response), spent))
        };
        response.unwrap_or_else(|error| {
            let problem = refuse(&error, trail).for_clients_of(grant.api()).for_mcp_clients(grant.mcp());
            let response = respond::problem(&problem.with_fields(grant.response().clone()));
            (Some(response), charged::without_response(&error))
        })
    }
}

/// The problem for a stored response whose content cannot be read.
fn lost(trail: &mut Trail) -> Problem {
    let cause = "the content of the stored response cannot be read".to_owned();
    refuse(&OriginError::Unreachable(cause).into(), trail)
}

/// The problem for a file whose content cannot be read.
fn unreadable(trail: &mut Trail) -> Problem {
    let cause = "its content breaks off".to_owned();
    refuse(&RespondError::Unreadable { name: "that was opened".to_owned(), cause }.into(), trail)
}
