//! What is taken from a request before any route is looked for: its target, its fields, its credentials.

mod credentials;
mod fields;
mod normalize;
