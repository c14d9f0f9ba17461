//! What the two runs have in common: the steps, the policies and tokens that they are made of, and the reference.

pub(crate) mod policy;
pub(crate) mod reference;
pub(crate) mod seeds;
pub(crate) mod sequences;
pub(crate) mod steps;
pub(crate) mod timeline;
pub(crate) mod tokens;
