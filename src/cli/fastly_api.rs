//! Fastly's HTTP API, as far as publishing a policy needs it: the requests, and what went wrong with them in words that
//! say what to do next.
//!
//! `client.rs` has the token and the errors, `agent.rs` sends a request, `reached.rs` knows what time it is there,
//! `active_version.rs` reads which stores a service opens, `service.rs` finds those of a command, `kv_store.rs` reads and
//! writes items, `secret_store.rs` creates and deletes secrets, `live_service.rs` reads what else the active version has,
//! `published.rs` reads what anybody may read, without the token, `lists.rs` reads lists, and `path.rs` encodes parts of paths.

mod active_version;
mod agent;
mod client;
mod kv_store;
mod lists;
mod live_service;
mod path;
mod published;
mod reached;
mod secret_store;
mod service;

pub(super) use active_version::{ActiveVersion, StoreKind};
pub(super) use client::{Api, ApiError};
pub(super) use kv_store::{Generation, Item, KvStore};
pub(super) use live_service::LiveService;
pub(super) use published::{check_url, published};
pub(super) use secret_store::{ListedSecret, SecretStore};
pub(super) use service::{Place, PlaceError, Places};
