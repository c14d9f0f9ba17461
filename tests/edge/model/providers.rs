//! Providers behind sockets. Each lane has its own, under a path.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::{Arc, Mutex};

use serde_json::json;

use super::shared::policy::Names;
use super::shared::steps::{Key, SOURCES, first_keys};
use super::shared::tokens::{claims, jwks};
use crate::support::origin::{Origin, Received, response};
use crate::support::tokens::now;

/// The state of the providers of one lane.
pub(super) struct Manner {
    pub(super) published: Vec<Vec<Key>>,
    pub(super) reachable: Vec<bool>,
    pub(super) endpoint: bool,
    pub(super) active: [bool; 3],
}

/// The servers of all providers.
pub(super) struct Providers {
    servers: BTreeMap<&'static str, Origin>,
    manners: Manners,
}

type Manners = Arc<Mutex<BTreeMap<String, Manner>>>;

impl Providers {
    pub(super) fn start() -> Self {
        let manners = Manners::default();
        let start = |name: &'static str| {
            let manners = Arc::clone(&manners);
            (
                name,
                Origin::start(move |request, stream| {
                    if let Some(body) = respond(name, request, &manners) {
                        let _ = stream.write_all(&response("200 OK", &[("content-type", "application/json")], &body));
                    }
                }),
            )
        };
        Self { servers: ["first", "second", "detour", "endpoint"].map(start).into(), manners }
    }

    /// Creates the providers of a lane and returns their names.
    pub(super) fn names(&self, lane: &str) -> Names {
        let manner = Manner {
            published: (0..SOURCES).map(first_keys).collect(),
            reachable: vec![true; SOURCES],
            endpoint: true,
            active: [true, true, false],
        };
        self.manners.lock().unwrap().insert(lane.to_owned(), manner);
        let hosts = ["first", "second", "endpoint"].map(|name| format!("http://{}", self.servers[name].address));
        Names { lane: lane.to_owned(), hosts }
    }

    pub(super) fn backends(&self) -> Vec<(String, String)> {
        self.servers.iter().map(|(name, server)| ((*name).to_owned(), server.address.to_string())).collect()
    }

    pub(super) fn change(&self, lane: &str, change: impl FnOnce(&mut Manner)) {
        change(self.manners.lock().unwrap().get_mut(lane).unwrap());
    }

    /// Whether a shadow policy of this lane introspected a token without being allowed to.
    pub(super) fn was_asked_silently(&self, lane: &str) -> bool {
        let url = format!("/{lane}/silent");
        self.servers["endpoint"].everything().iter().any(|request| request.request_line().contains(&url))
    }
}

fn respond(server: &str, request: &Received, manners: &Manners) -> Option<String> {
    let path = request.request_line().split(' ').nth(1)?.to_owned();
    let (lane, rest) = path.strip_prefix('/')?.split_once('/')?;
    let manners = manners.lock().unwrap();
    let manner = manners.get(lane)?;
    if server == "endpoint" {
        let form = String::from_utf8_lossy(&request.body).into_owned();
        let number: usize = form.strip_prefix("token=opaque-")?.split('&').next()?.parse().ok()?;
        let mut response = claims("", u8::try_from(number).ok()?, now());
        response.as_object_mut()?.remove("iss");
        response["active"] = json!(manner.active[number]);
        return manner.endpoint.then(|| response.to_string());
    }
    let source = match (server, rest) {
        ("first", "keys") => 0,
        ("second", "keys" | ".well-known/openid-configuration") => 1,
        ("first", "other-keys") => 2,
        ("detour", "keys") => 3,
        _ => return None,
    };
    if !manner.reachable[source] {
        return None;
    }
    if rest.starts_with('.') {
        let iss = format!("http://{}/{lane}", request.all("host").first()?);
        return Some(json!({ "issuer": iss, "jwks_uri": format!("{iss}/keys") }).to_string());
    }
    Some(jwks(&manner.published[source]))
}
