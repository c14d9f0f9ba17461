//! `respond` of a route: the response that the edge makes itself, in place of an origin. Input: a [`RespondDocument`].
//! Output: a [`Respond`].

pub(super) mod fault;
mod location;

use fault::RespondFault;
pub use location::Location;
use serde::Deserialize;

use super::fault::{Fault, Faults};
use super::pattern::{PathTemplate, Segment};
use crate::json_form::objects;

objects!(RespondDocument);

/// The longest name of a file or folder, in bytes. Keys of the KV store have at most 1024.
const MAX_NAME: usize = 900;
/// The statuses of redirects (RFC 9110 §15.4).
const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];
/// The statuses of responses without content (RFC 9110 §15.3.5, §15.3.6).
const WITHOUT_CONTENT: [u16; 2] = [204, 205];
/// The statuses with which the edge answers conditions and ranges of requests (RFC 9110 §13.2.2, §14.2).
const OF_CONDITIONS: [u16; 4] = [206, 304, 412, 416];
const DEFAULT_REDIRECT: u16 = 308;
const DEFAULT_STATUS: u16 = 200;
const DEFAULT_TYPE: &str = "text/plain; charset=utf-8";

/// The response that the edge makes itself: a text, a redirect, a file, or files of a folder. Files are in the KV store,
/// under keys that begin with `files/`.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(not(target_os = "wasi"), derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct RespondDocument {
    /// The status: 200 to 599 of a text (default: 200); 301, 302, 303, 307 or 308 of a redirect (default: 308). Files have
    /// none.
    #[serde(default)]
    pub status: Option<u16>,
    /// The text. Default: none.
    #[serde(default)]
    pub body: Option<String>,
    /// The media type of the text. Default: `text/plain; charset=utf-8`.
    #[serde(default)]
    pub content_type: Option<String>,
    /// Where to redirect to: a path, or an absolute `https` URL. `{name}` is the value of that parameter of the route's
    /// path, percent-encoded. The query of the request is not repeated.
    #[serde(default)]
    pub redirect: Option<String>,
    /// The name of a file: `robots.txt` is under the key `files/robots.txt`.
    #[serde(default)]
    pub file: Option<String>,
    /// The name of a folder, with a slash at its end: `assets/`. The rest of the name is the value of the parameter
    /// `{path:path}` of the route's path.
    #[serde(default)]
    pub files: Option<String>,
    /// The file of that folder for paths without an extension that name no file: `index.html` of an application that runs
    /// in the browser. Default: they get 404.
    #[serde(default)]
    pub fallback: Option<String>,
}

/// The response that the edge makes itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Respond {
    /// A text.
    Text {
        /// The status.
        status: u16,
        /// Its media type.
        content_type: String,
        /// The text.
        body: String,
    },
    /// A redirect.
    Redirect {
        /// The status.
        status: u16,
        /// Where to.
        location: Location,
    },
    /// One file, by its name.
    File(String),
    /// The files of a folder.
    Files {
        /// The name of the folder, with a slash at its end.
        folder: String,
        /// The parameter of the path with the rest of the name.
        parameter: String,
        /// The name of the file for paths without an extension that name no file.
        fallback: Option<String>,
    },
}

impl Respond {
    /// Reads the section at `at`, for a route with this path; `None` if there is a fault that leaves no response.
    pub(super) fn read(
        document: RespondDocument,
        template: &PathTemplate,
        at: &str,
        faults: &mut Faults,
    ) -> Option<Self> {
        let RespondDocument { status, body, content_type, redirect, file, files, fallback } = document;
        let mut misplaced = |is_misplaced: bool, member: &'static str, with: &'static str| {
            faults.add_if(is_misplaced, format_args!("{at}.{member}"), RespondFault::Misplaced { with }.into());
        };
        let is_text = redirect.is_none() && file.is_none() && files.is_none();
        misplaced(content_type.is_some() && !is_text, "content_type", "body");
        misplaced(fallback.is_some() && files.is_none(), "fallback", "files");
        misplaced(status.is_some() && (file.is_some() || files.is_some()), "status", "body\" or \"redirect");
        let kinds = [body.is_some(), redirect.is_some(), file.is_some(), files.is_some()];
        let is_empty = is_text && body.is_none() && status.is_none();
        if kinds.into_iter().filter(|is_kind| *is_kind).count() > 1 || is_empty {
            faults.add(at, RespondFault::NotOne.into());
            return None;
        }
        if let Some(text) = redirect {
            let status = status.unwrap_or(DEFAULT_REDIRECT);
            let is_other = !REDIRECTS.contains(&status);
            faults.add_if(is_other, format_args!("{at}.status"), RespondFault::NotARedirect.into());
            let location = Location::read(&text, template, &format!("{at}.redirect"), faults)?;
            return Some(Self::Redirect { status, location });
        }
        if let Some(name) = file {
            faults.add_if(!is_file_name(&name), format_args!("{at}.file"), RespondFault::NotAFileName.into());
            return Some(Self::File(name));
        }
        if let Some(folder) = files {
            let is_folder = folder.strip_suffix('/').is_some_and(is_file_name);
            faults.add_if(!is_folder, format_args!("{at}.files"), RespondFault::NotAFolder.into());
            let is_named = fallback.as_deref().is_none_or(is_file_name);
            faults.add_if(!is_named, format_args!("{at}.fallback"), RespondFault::NotAFileName.into());
            let rest = template.segments().iter().find_map(|segment| match segment {
                Segment::Rest(name) => Some(name.clone()),
                _ => None,
            });
            faults.add_if(rest.is_none(), format_args!("{at}.files"), RespondFault::NoPathParameter.into());
            return Some(Self::Files { folder, parameter: rest?, fallback });
        }
        let (status, body) = (status.unwrap_or(DEFAULT_STATUS), body.unwrap_or_default());
        faults.range(status, 200, 599, format_args!("{at}.status"));
        let is_of_conditions = OF_CONDITIONS.contains(&status);
        faults.add_if(is_of_conditions, format_args!("{at}.status"), RespondFault::OfConditions.into());
        let is_refused = !body.is_empty() && WITHOUT_CONTENT.contains(&status);
        faults.add_if(is_refused, format_args!("{at}.body"), RespondFault::NoContent.into());
        let content_type = content_type.unwrap_or_else(|| DEFAULT_TYPE.to_owned());
        faults.add_if(!is_content_type(&content_type), format_args!("{at}.content_type"), Fault::NotAMediaType);
        Some(Self::Text { status, content_type, body })
    }

    /// Whether requests may have any method. All others are answered to GET and HEAD only.
    pub(super) const fn takes_any_method(&self) -> bool {
        matches!(self, Self::Redirect { .. })
    }
}

/// Whether `name` names a file: segments with a slash between them, none of them empty or with a dot at its end (so none is
/// a dot segment), and no character that a key of the KV store cannot have.
#[must_use]
pub fn is_file_name(name: &str) -> bool {
    let is_plain = |segment: &str| !segment.is_empty() && !segment.ends_with('.');
    let is_refused = |letter: char| letter.is_control() || matches!(letter, '\\' | '#' | ';' | '?' | '^' | '|');
    name.len() <= MAX_NAME && name.split('/').all(is_plain) && !name.contains(is_refused)
}

/// Whether `text` is a value of `Content-Type` (RFC 9110 §8.3.1).
#[must_use]
pub fn is_content_type(text: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    let media_type = text.split(';').next().unwrap_or_default().trim_end();
    let is_printable = text.bytes().all(|byte| matches!(byte, 0x20..=0x7e));
    is_printable && media_type.split_once('/').is_some_and(|(kind, subtype)| is_name(kind) && is_name(subtype))
}
