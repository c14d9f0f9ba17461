//! The building blocks of the tests against the real guest.

pub(crate) mod child;
pub(crate) mod edge;
pub(crate) mod guest;
pub(crate) mod hostcalls;
pub(crate) mod http;
pub(crate) mod origin;
pub(crate) mod provider;
pub(crate) mod tokens;
pub(crate) mod world;
