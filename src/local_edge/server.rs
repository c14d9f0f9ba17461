//! The server: a request goes to the guest that is in force when it arrives, or to the page.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, PoisonError, RwLock};

use hyper::server::conn::AddrStream;
use hyper::service::{make_service_fn, service_fn};
use hyper::{Request, Response, Server};
use viceroy_lib::body::Body;
use viceroy_lib::{Error, ExecuteCtx};

use crate::page::{self, Page};

/// A guest, and the page beside it.
pub(crate) struct LocalEdge {
    context: RwLock<Arc<ExecuteCtx>>,
    page: Option<Page>,
}

impl LocalEdge {
    /// Serves the guest of this context, and a page if there is one.
    pub(crate) fn new(context: Arc<ExecuteCtx>, page: Option<Page>) -> Arc<Self> {
        Arc::new(Self { context: RwLock::new(context), page })
    }

    /// Serves the requests that arrive from now on with another context. Those that are in progress keep theirs.
    pub(crate) fn replace(&self, context: Arc<ExecuteCtx>) {
        *self.context.write().unwrap_or_else(PoisonError::into_inner) = context;
    }

    async fn respond(
        self: Arc<Self>,
        request: Request<hyper::Body>,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Result<Response<Body>, Error> {
        if let Some(page) = self.page.as_ref().filter(|_| page::is_for(request.uri().path())) {
            return Ok(page.respond(request).await);
        }
        let context = Arc::clone(&self.context.read().unwrap_or_else(PoisonError::into_inner));
        context.handle_request(request, local, remote).await.map(|(response, _)| response)
    }
}

/// Serves requests until the process ends.
///
/// # Errors
/// The listener cannot be used.
pub(crate) async fn serve(listener: TcpListener, edge: Arc<LocalEdge>) -> Result<(), hyper::Error> {
    let connections = make_service_fn(move |stream: &AddrStream| {
        let (edge, local, remote) = (Arc::clone(&edge), stream.local_addr(), stream.remote_addr());
        async move { Ok::<_, Infallible>(service_fn(move |request| Arc::clone(&edge).respond(request, local, remote))) }
    });
    // Head and content of a response are written apart: without this the second part of a short one waits for the
    // client's delayed acknowledgement.
    Server::from_tcp(listener)?.tcp_nodelay(true).serve(connections).await
}
