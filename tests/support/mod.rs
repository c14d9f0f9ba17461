//! The building blocks of the tests against the real guest.

pub(crate) mod child;
pub(crate) mod edge;
pub(crate) mod guest;
#[path = "../../src/local_edge/hostcalls.rs"]
pub(crate) mod hostcalls;
pub(crate) mod http;
pub(crate) mod origin;
pub(crate) mod provider;
pub(crate) mod tokens;
#[path = "../../src/local_edge/viceroy.rs"]
pub(crate) mod viceroy;
pub(crate) mod world;
