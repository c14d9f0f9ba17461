//! The parts of a request that are read before routing: its target, its fields, its credentials.

mod credentials;
mod fields;
mod normalize;
