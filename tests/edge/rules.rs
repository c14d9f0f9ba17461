//! The rules at the edge: the guest asked as from any address, and what the application behind it saw.

mod agreement;
mod diff;
mod gate;
mod limits;
mod places;
mod requests;
mod shadow;
mod shared;
mod signed_bodies;
mod uncounted;
mod who;
