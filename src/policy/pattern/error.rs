//! What can be wrong with a path template.

/// The most segments that a template may have. Each is a level of the tree of routes, which is searched and freed by
/// recursion.
pub const MAX_SEGMENTS: usize = 128;

/// Why a text is no path template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It does not begin with `/`.
    #[error("a path begins with \"/\"")]
    NotRooted,
    /// Two slashes follow each other, or a segment is `.` or `..`: no canonical path looks like that.
    #[error("it holds an empty or a dot segment, which no request can match")]
    Unreachable,
    /// A brace has no partner, or a parameter no valid name.
    #[error("a parameter is written {{name}} or {{name:convertor}}")]
    MalformedParameter,
    /// The convertor is none of Starlette's.
    #[error("there is no convertor \"{0}\"; there are str, int, float, uuid and path")]
    UnknownConvertor(String),
    /// There are two parameters in one segment, a `path` parameter shares its segment, or there are two of those.
    #[error("one parameter a segment, one path parameter a template, and that one alone in its segment")]
    Ambiguous,
    /// Two parameters have the same name.
    #[error("the parameter \"{0}\" stands there twice")]
    RepeatedName(String),
    /// More than [`MAX_SEGMENTS`].
    #[error("it has {0} segments, 128 are read")]
    TooManySegments(usize),
    /// A percent-encoded byte: templates are matched with decoded paths.
    #[error("it holds a percent-encoded byte, and is matched with decoded paths")]
    PercentEncoded,
    /// A character that a canonical path never holds.
    #[error("it holds a control character, a backslash, \"?\" or \"#\"")]
    ForbiddenCharacter,
}
