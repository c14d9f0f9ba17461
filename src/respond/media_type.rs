//! Media types by the extension of a file's name, for files without metadata.

/// Extension, media type, and whether such files are worth compressing.
const TYPES: [(&str, &str, bool); 26] = [
    ("avif", "image/avif", false),
    ("css", "text/css; charset=utf-8", true),
    ("csv", "text/csv; charset=utf-8", true),
    ("gif", "image/gif", false),
    ("htm", "text/html; charset=utf-8", true),
    ("html", "text/html; charset=utf-8", true),
    ("ico", "image/vnd.microsoft.icon", false),
    ("jpeg", "image/jpeg", false),
    ("jpg", "image/jpeg", false),
    ("js", "text/javascript; charset=utf-8", true),
    ("json", "application/json", true),
    ("map", "application/json", true),
    ("md", "text/markdown; charset=utf-8", true),
    ("mjs", "text/javascript; charset=utf-8", true),
    ("mp4", "video/mp4", false),
    ("pdf", "application/pdf", false),
    ("png", "image/png", false),
    ("svg", "image/svg+xml", true),
    ("txt", "text/plain; charset=utf-8", true),
    ("wasm", "application/wasm", true),
    ("webm", "video/webm", false),
    ("webmanifest", "application/manifest+json", true),
    ("webp", "image/webp", false),
    ("woff", "font/woff", false),
    ("woff2", "font/woff2", false),
    ("xml", "application/xml", true),
];
const UNKNOWN: &str = "application/octet-stream";

/// The media type of the file with this name.
pub(super) fn of(name: &str) -> &'static str {
    row(name).map_or(UNKNOWN, |(_, media_type, _)| media_type)
}

/// Whether the file with this name may also be stored compressed.
pub(super) fn is_compressible(name: &str) -> bool {
    row(name).is_some_and(|(_, _, is_compressible)| is_compressible)
}

fn row(name: &str) -> Option<(&'static str, &'static str, bool)> {
    let (_, extension) = name.rsplit('/').next()?.rsplit_once('.')?;
    TYPES.into_iter().find(|(known, ..)| extension.eq_ignore_ascii_case(known))
}
