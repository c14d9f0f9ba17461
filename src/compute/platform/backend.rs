//! The backends: requests that the edge itself makes, to issuers, and what the platform's checks say of their health. Responses are bounded in size and in time, and no redirect is
//! followed.

use fastgate::ports::storage::{Incoming, Outgoing, PlatformBackends};
use fastly::handle::{BodyHandle, CacheOverride, RequestHandle, ResponseHandle};

use super::bounded;
use crate::compute::abi::{self, AbiError};

/// The backends that the service declares.
pub(super) struct DeclaredBackends;

/// The size in bytes of the buffer for a field of a response; it grows if a field is longer.
const BUFFER: usize = 1024;

impl PlatformBackends for DeclaredBackends {
    fn send(&self, request: &Outgoing<'_>) -> Result<Incoming, String> {
        let outgoing = to_request(request).map_err(|AbiError| "the request cannot be expressed".to_owned())?;
        let body = match &request.form {
            None => BodyHandle::new(),
            Some((_, form)) => BodyHandle::from(form.expose().as_str()),
        };
        let (response, body) = outgoing.send(body, request.backend).map_err(|cause| cause.to_string())?;
        let unreadable = |AbiError| "the fields of its response cannot be read".to_owned();
        let cache_control = field(&response, "cache-control").map_err(unreadable)?;
        let age = field(&response, "age").map_err(unreadable)?;
        let status = response.get_status().as_u16();
        let body = match status {
            200 => bounded::read(body, request.max_bytes, bounded::RESPONSE)
                .map_err(|cause| format!("its response {cause}"))?,
            _ => Vec::new(),
        };
        Ok(Incoming { status, cache_control, age, body })
    }

    fn is_unhealthy(&self, backend: &str) -> bool {
        abi::is_unhealthy(backend)
    }
}

fn to_request(request: &Outgoing<'_>) -> Result<RequestHandle, AbiError> {
    let mut outgoing = RequestHandle::new();
    abi::set_url(&outgoing, request.url)?;
    if let Some((client, _)) = &request.form {
        abi::set_method(&outgoing, "POST")?;
        abi::append(&outgoing, "authorization", client.expose().as_bytes())?;
        abi::append(&outgoing, "content-type", b"application/x-www-form-urlencoded")?;
    }
    abi::append(&outgoing, "accept", b"application/json")?;
    outgoing.set_cache_override(&CacheOverride::Pass);
    Ok(outgoing)
}

/// The first value of a field; `None` if there is none, or if it is not text.
fn field(response: &ResponseHandle, name: &str) -> Result<Option<String>, AbiError> {
    let mut found = None;
    abi::values(response, name, &mut vec![0; BUFFER], |value| {
        if found.is_none() {
            found = Some(String::from_utf8(value.to_vec()).ok());
        }
    })?;
    Ok(found.flatten())
}
