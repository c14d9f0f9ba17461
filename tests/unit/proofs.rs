//! Tokens that are bound to a key or a certificate, at the desk: the library's own walk, without a guest.

mod binding;
mod certificates;
mod desk;
mod dpop;
mod nonces;
mod replays;
mod resource;
