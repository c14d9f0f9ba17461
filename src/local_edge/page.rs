//! The page of `fastgate dev`: the paths below `/__fastgate/` of the local edge. Another process on this machine serves
//! them, and refuses requests of other machines and other sites; here they are only passed on. The guest never gets them.

use std::net::SocketAddr;

use hyper::client::HttpConnector;
use hyper::header::CONTENT_TYPE;
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

    /// Returns what the process responds; 502 if it does not.
    pub(crate) async fn respond(&self, mut request: Request<hyper::Body>) -> Response<Body> {
        *request.uri_mut() = self.uri(request.uri().path_and_query());
        match self.client.request(request).await {
            Ok(response) => response.map(Body::from),
            Err(error) => unreachable(&error),
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

fn unreachable(error: &hyper::Error) -> Response<Body> {
    let mut response =
        Response::new(Body::from(format!("the page of `fastgate dev` cannot be reached: {error}\n").into_bytes()));
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
