//! The rules at the edge, with clients at any address, checked by the responses and by the requests at the application.

mod agreement;
mod budgets;
mod diff;
mod gate;
mod inference;
mod limits;
mod mcp;
mod mcp_lists;
mod mcp_sessions;
mod places;
mod requests;
mod respond;
mod shadow;
mod shared;
mod signed_bodies;
mod uncounted;
mod who;
