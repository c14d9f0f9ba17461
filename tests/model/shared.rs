//! Shared by the two runs: the steps, their policies and tokens, and the reference.

pub(crate) mod policy;
pub(crate) mod reference;
pub(crate) mod seeds;
pub(crate) mod sequences;
pub(crate) mod steps;
pub(crate) mod timeline;
pub(crate) mod tokens;
