//! Requests that the edge itself makes, to issuers. Responses are bounded in size and in time, and no redirect is
//! followed.

use fastgate::ports::storage::{Backends, Incoming, Outgoing};
use fastly::Request;
use fastly::http::{StatusCode, Url};

use super::bounded;

/// The backends that the service declares.
pub(super) struct DeclaredBackends;

impl Backends for DeclaredBackends {
    fn send(&self, request: &Outgoing<'_>) -> Result<Incoming, String> {
        let url = Url::parse(request.url).map_err(|_| "not a URL".to_owned())?;
        let outgoing = match &request.form {
            None => Request::get(url),
            Some((client, form)) => Request::post(url)
                .with_header("authorization", client.expose().as_str())
                .with_header("content-type", "application/x-www-form-urlencoded")
                .with_body(form.expose().as_str()),
        };
        let outgoing = outgoing.with_header("accept", "application/json").with_pass(true);
        // Only the cause is read, because the error as a whole prints what was sent.
        let mut response = outgoing.send(request.backend).map_err(|error| error.root_cause().to_string())?;
        let field = |name: &str| response.get_header_str(name).map(str::to_owned);
        let (cache_control, age) = (field("cache-control"), field("age"));
        let body = match response.get_status() {
            StatusCode::OK => {
                let body = bounded::read(response.take_body(), request.max_bytes, bounded::RESPONSE);
                body.map_err(|cause| format!("its response {cause}"))?
            }
            _ => Vec::new(),
        };
        Ok(Incoming { status: response.get_status().as_u16(), cache_control, age, body })
    }
}
