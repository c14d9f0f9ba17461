//! The page of `fastgate dev`: the paths below `/__fastgate/` of the local edge. Another process on this machine serves
//! them, and refuses requests of other machines and other sites; here they are only passed on. The guest never gets them.

use std::net::SocketAddr;

use hyper::client::HttpConnector;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::http::uri::{Authority, PathAndQuery, Scheme, Uri};
use hyper::{Client, Request, Response, StatusCode};
use viceroy_lib::body::Body;

const PATH: &str = "/__fastgate";

/// Whether the page serves this path.
pub(crate) fn is_for(path: &str) -> bool {
    path.strip_prefix(PATH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The process that serves the page.
pub(crate) struct Page {
    address: SocketAddr,
    client: Client<HttpConnector>,
}

impl Page {
    /// A page that is served at this address.
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, client: Client::new() }
    }

    /// Returns what the process responds; 502 if it does not, and 400 without one host.
    pub(crate) async fn respond(&self, mut request: Request<hyper::Body>) -> Response<Body> {
        if !has_one_host(&request) {
            return plain(
                StatusCode::BAD_REQUEST,
                "send one Host, and the same one in an absolute target\n".to_owned(),
            );
        }
        *request.uri_mut() = self.uri(request.uri().path_and_query());
        match self.client.request(request).await {
            Ok(response) => response.map(Body::from),
            Err(error) => {
                plain(StatusCode::BAD_GATEWAY, format!("the page of `fastgate dev` cannot be reached: {error}\n"))
            }
        }
    }

    fn uri(&self, target: Option<&PathAndQuery>) -> Uri {
        let authority = Authority::try_from(self.address.to_string());
        let mut parts = hyper::http::uri::Parts::default();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = authority.ok();
        parts.path_and_query = Some(target.cloned().unwrap_or_else(|| PathAndQuery::from_static("/")));
        Uri::from_parts(parts).unwrap_or_default()
    }
}

/// Whether a request names its host once. The process behind looks at `Host` only, and hyper's client adds a missing one.
fn has_one_host(request: &Request<hyper::Body>) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    request.uri().authority().is_none_or(|authority| authority.as_str().as_bytes() == host.as_bytes())
}

fn plain(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text.into_bytes()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
