//! The versions of MCP (modelcontextprotocol.io/specification/versioning).

/// The version without sessions, in which the body has the version, too.
pub(super) const MODERN: &str = "2026-07-28";
/// The versions of MCP whose messages are judged, from the newest.
pub const VERSIONS: [&str; 5] = [MODERN, "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
