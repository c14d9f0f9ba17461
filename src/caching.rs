//! Step *cache*: may a stored response be sent, and may this one be stored? Input: [`Cleared`](crate::throttle::Cleared),
//! evidence that the caller is authorized, and the request as the origin receives it. Output: a [`Plan`], with which the
//! pipeline looks a response up ([`ResponseCache`]) and decides ([`choose`]).
//!
//! The rules are those of a shared cache (RFC 9111), with one exception: what is stored is for one declared audience, and
//! the key contains everything that the origin learns of the caller. So `private` and `Authorization` need no rules of
//! their own: a response that the origin calls `private` is not stored for any audience.
//!
//! `key.rs` derives the key, `directives.rs` reads `Cache-Control`, `freshness.rs` decides what is stored and for how long,
//! `entry.rs` is the form in which it is stored, `choice.rs` decides what to do with what was found, `storage.rs` with the
//! origin's response, and `served.rs` makes the client's. `tags.rs` derives the surrogate keys, and `invalidation.rs` names
//! those that an unsafe request purges.

mod choice;
mod directives;
mod entry;
mod freshness;
mod generations;
mod invalidation;
mod key;
mod plan;
mod served;
mod site;
mod status;
mod storage;
mod tags;

pub use choice::{Choice, NoResponses, ResponseCache, Selection, choose};
pub use freshness::{MAX_CONTENT_BYTES, NotStored};
pub use generations::Generations;
pub use invalidation::{Invalidation, REFERENCES};
pub use key::CacheKey;
pub use plan::{Plan, has_body, shared_by};
pub use served::Served;
pub use storage::{FromOrigin, Insertion, Stale, Storage};
pub use tags::{PURGE_FIELD, Tags};
