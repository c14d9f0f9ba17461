//! The rules at the edge: the real guest under Viceroy, and what the application behind it saw.

#[path = "../rules/desk.rs"]
mod desk;
mod gate;
#[path = "../support/guest.rs"]
mod guest;
mod limits;
mod places;
mod who;
