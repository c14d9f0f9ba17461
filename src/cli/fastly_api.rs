//! Fastly's HTTP API, as far as publishing a policy needs it: the requests, and what went wrong with them in words that
//! say what to do next.
//!
//! `client.rs` has the token and the errors, `agent.rs` sends a request, `service.rs` finds the KV store of a service,
//! `kv_store.rs` reads and writes its items, `live_service.rs` reads what the active version has.

mod agent;
mod client;
mod kv_store;
mod live_service;
mod service;

pub(super) use client::{Api, ApiError};
pub(super) use kv_store::{Item, KvStore};
pub(super) use live_service::LiveService;
pub(super) use service::Place;
