//! Fastgate: an identity-aware gate for FastAPI that runs on Fastly Compute.
//!
//! A request passes through a pipeline of steps, in this order. Each step either refuses, with a named reason, or
//! returns a value that a later step requires, so that no later step runs without it.
//! [`Gateway::decide`](gateway::Gateway::decide), in `gateway.rs`, runs steps 2 to 19; the log names the steps as
//! [`Step`](trail::Step) does.
//!
//! 1. *configure* reads the policy, the signing keys and the kill switch: [`Sandbox`](sandbox::Sandbox)
//! 2. *normalize* brings the request into one canonical form: [`Target`](request::Target)
//! 3. *cors* responds to preflights, and once the route is found checks the `Origin` of a WebSocket handshake:
//!    [`OriginChecked`](cors::OriginChecked)
//! 4. *match* finds the route of the policy: [`Route`](policy::Route), in [`route`]
//! 5. *availability* checks that the route is neither closed for maintenance nor switched off:
//!    [`Available`](availability::Available)
//! 6. *place* checks where the client is: [`Admitted`](place::Admitted). For a request with a route, the flood limit
//!    is counted after this step.
//! 7. *identify* identifies the caller: [`Caller`](identity::Caller)
//! 8. *authorize* checks the caller against the route's scopes and conditions: [`Permit`](authorize::Permit)
//! 9. *inspect* checks the form of the request: [`Inspected`](inspect::Inspected)
//! 10. *throttle* counts the request against the route's limits: [`Cleared`](throttle::Cleared)
//! 11. *respond* makes the response, if the route has no origin: [`OwnResponse`](respond::OwnResponse). It ends the
//!     pipeline.
//! 12. *rewrite* gives the request the form that the origin receives: [`OriginTarget`](rewrite::OriginTarget)
//! 13. *content* reads the body, if the route limits its length or signs it: [`ReadBody`](content::ReadBody)
//! 14. *inference* judges the body, if the route is for requests to models: [`CheckedBody`](inference::CheckedBody)
//! 15. *mcp* judges the body and the session, if the route is for an MCP server: [`JudgedBody`](mcp_request::JudgedBody),
//!     [`Session`](mcp_request::Session)
//! 16. *select* assigns region and version, and after *cache* chooses the backend: [`Candidates`](backend::Candidates)
//! 17. *cache* looks a stored response up, if those of the route are stored: [`Choice`](caching::Choice). One that may be
//!     sent ends the pipeline.
//! 18. *budget* reserves what a request can cost, if the route of a model or the entry of a tool has budgets: [`Reserved`](budget::Reserved)
//! 19. *mint* signs the identity header: [`Grant`](mint::Grant), the request that is forwarded
//! 20. *forward* sends it to the origin, in the binary's `compute` module. Responses with lists of an MCP server pass through
//!     a [`ListFilter`](mcp_list::ListFilter), which *mcp* makes.
//!
//! The modules are in three groups.
//!
//! - *Pipeline*: the steps above; [`gateway`], which runs them; [`policy`], which they read: one file for each section of
//!   policy.json, issuers' presets in `policy/issuer/preset.rs`; [`sandbox`], which keeps state between the requests of
//!   one instance; [`ports`], the effects in the middle of the pipeline: `ports/keys.rs` fetches and caches issuers' keys,
//!   `ports/counter.rs` counts requests, `ports/deny_list.rs` reads revocations, `ports/health.rs` keeps which backends failed, `ports/used_proofs.rs` detects replayed
//!   proofs, `ports/cache_space.rs` lists what is cached.
//! - *Outcome*: [`refusal`], the reasons; [`problem`], what the client sees of them: `problem/table.rs` chooses the problem
//!   type of a refusal, `problem/kind.rs` has the status of each type; [`response`], edits of responses; [`trail`], the facts of
//!   a request, which become its log line.
//! - *Foundations*: [`client`], the facts about a client; [`conditional`], conditional requests and ranges; [`headers`]; `json_form`; [`mcp_session`], ids of sessions with a MAC; [`store_keys`], every name in the stores; [`secret`];
//!   [`strict_json`]; `digest`; [`content_form`], the form of the content of a response; `event_stream`, server-sent events; `scan`, searches in bytes; [`time`]; [`usage`], what a response of a model cost.
//!
//! The library does no I/O and reads no clock: the caller passes in both. Only the binary's `compute` module calls Fastly's SDK,
//! and only its `cli` module prints to a terminal. The FastAPI package begins at `origin/src/fastgate/__init__.py`.

pub mod authorize;
pub mod availability;
pub mod backend;
pub mod budget;
pub mod caching;
pub mod client;
pub mod conditional;
pub mod content;
pub mod content_form;
pub mod cors;
mod digest;
mod event_stream;
pub mod gateway;
pub mod headers;
pub mod identity;
pub mod inference;
pub mod inspect;
pub mod json_body;
mod json_form;
pub mod mcp_list;
pub mod mcp_request;
pub mod mcp_session;
pub mod mint;
pub mod place;
pub mod policy;
pub mod ports;
pub mod problem;
pub mod refusal;
pub mod request;
pub mod respond;
pub mod response;
pub mod rewrite;
pub mod route;
pub mod sandbox;
mod scan;
pub mod secret;
pub mod store_keys;
pub mod strict_json;
pub mod throttle;
pub mod time;
pub mod trail;
pub mod usage;
