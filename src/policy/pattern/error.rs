//! Why a path template is refused.

/// The greatest number of segments of a template. Each is a level of the route tree, which is searched and dropped
/// recursively.
pub const MAX_SEGMENTS: usize = 128;

/// Why a text is not a path template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It does not begin with `/`.
    #[error("a path begins with \"/\"")]
    NotRooted,
    /// A segment is empty, `.` or `..`. Canonical paths have no such segments.
    #[error("it holds an empty or a dot segment, which no request can match")]
    Unreachable,
    /// A brace is not closed or not opened, or a parameter has no valid name.
    #[error("a parameter is written {{name}} or {{name:convertor}}")]
    MalformedParameter,
    /// Starlette has no such convertor.
    #[error("there is no convertor \"{0}\"; there are str, int, float, uuid and path")]
    UnknownConvertor(String),
    /// There are two parameters in one segment, a `path` parameter shares its segment, or there are two `path`
    /// parameters.
    #[error("a segment has at most one parameter; a template has at most one path parameter, alone in its segment")]
    Ambiguous,
    /// Two parameters have the same name.
    #[error("the parameter \"{0}\" is repeated")]
    RepeatedName(String),
    /// More than [`MAX_SEGMENTS`].
    #[error("it has {0} segments; at most 128 are accepted")]
    TooManySegments(usize),
    /// A percent-encoded byte: templates are matched with decoded paths.
    #[error("it holds a percent-encoded byte, and is matched with decoded paths")]
    PercentEncoded,
    /// A character that canonical paths never contain.
    #[error("it holds a control character, a backslash, \"?\" or \"#\"")]
    ForbiddenCharacter,
}
