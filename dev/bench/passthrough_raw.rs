//! The least that any gate on Compute costs without the SDK: a guest that passes the handles of each request on, by
//! `fastly_sys` alone, and that reuses its sandbox.

#![cfg_attr(target_os = "wasi", expect(unsafe_code, reason = "the ABI consists of foreign functions"))]

#[cfg(target_os = "wasi")]
fn main() {
    const BACKEND: &str = "origin";
    const INVALID: u32 = u32::MAX;
    /// The bit that keeps a request away from the cache.
    const PASS: u32 = 1;
    use fastly_sys::fastly_http_downstream::{
        NextRequestOptions, NextRequestOptionsMask, next_request, next_request_wait,
    };
    use fastly_sys::{fastly_abi, fastly_http_req, fastly_http_resp};

    let options = NextRequestOptions { timeout_ms: 2000 };
    let (mut request, mut body) = (INVALID, INVALID);
    // SAFETY: the pointers are valid for the time of each call. Sending closes the handles that it is given.
    unsafe {
        let _ = fastly_abi::init(fastly_shared::FASTLY_ABI_VERSION);
        let mut received = fastly_http_req::body_downstream_get(&raw mut request, &raw mut body).is_ok();
        while received {
            let (mut response, mut content) = (INVALID, INVALID);
            let mut detail = fastly_http_req::SendErrorDetail::uninitialized_all();
            let sent = fastly_http_req::cache_override_v2_set(request, PASS, 0, 0, core::ptr::null(), 0).is_ok()
                && fastly_http_req::send_v2(
                    request,
                    body,
                    BACKEND.as_ptr(),
                    BACKEND.len(),
                    &raw mut detail,
                    &raw mut response,
                    &raw mut content,
                )
                .is_ok()
                && fastly_http_resp::send_downstream(response, content, 0).is_ok();
            assert!(sent, "the origin of the bench is always there");
            let mut promise = INVALID;
            received = next_request(NextRequestOptionsMask::TIMEOUT, &raw const options, &raw mut promise).is_ok()
                && next_request_wait(promise, &raw mut request, &raw mut body).is_ok();
        }
    }
}

#[cfg(not(target_os = "wasi"))]
fn main() {}
