//! What the tests against the real guest are built from.

pub(crate) mod child;
pub(crate) mod edge;
pub(crate) mod guest;
pub(crate) mod http;
pub(crate) mod origin;
pub(crate) mod provider;
pub(crate) mod tokens;
pub(crate) mod world;
