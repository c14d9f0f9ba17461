//! Step *respond*: what does the edge respond itself, if the route has no origin? Input: [`Cleared`], evidence that the
//! caller is authorized, and the request. Output: an [`OwnResponse`], which ends the pipeline.
//!
//! `choice.rs` derives the keys under which a file may be stored, `media_type.rs` knows media types by extension, and
//! `description.rs` reads what the store knows about a file.

mod choice;
mod description;
mod media_type;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::conditional::{Conditions, Part, Reduced, is_precondition_failed};
use crate::digest::sha256;
use crate::headers::Headers;
use crate::policy::{Access, Captures, Respond};
use crate::request::Target;
use crate::throttle::Cleared;
use choice::{Candidates, Coding};
use description::Description;

/// The longest file that is read whole, in bytes, because the store has no entity tag for it.
pub const MAX_DIGESTED: usize = 8 * 1024 * 1024;

/// `Cache-Control` of what only some callers may get: no cache gives it to another caller.
const PRIVATE: &str = "private, no-cache";
const OK: u16 = 200;
const NO_CONTENT: u16 = 204;
const PRECONDITION_FAILED: u16 = 412;

/// The media type of a file without metadata, by the extension of its name.
#[must_use]
pub fn media_type(name: &str) -> &'static str {
    media_type::of(name)
}

/// The files that the edge responds with.
pub trait Files {
    /// Opens the first of the files under these keys that exists; `None` if none of them does. All lookups are sent before
    /// the first is awaited.
    ///
    /// # Errors
    /// A [`FilesError`] if the store does not say.
    fn open(&mut self, keys: &[String]) -> Result<Option<OpenFile>, FilesError>;

    /// SHA-256 of the content of the file that was opened last, which is read for it, and its length. It has at most
    /// [`MAX_DIGESTED`] bytes.
    ///
    /// # Errors
    /// A [`FilesError`] if the content is longer or cannot be read.
    fn digest(&mut self) -> Result<([u8; 32], u64), FilesError>;
}

/// A file that was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenFile {
    /// The number of its key in the list.
    pub number: usize,
    /// What the store knows about it: JSON, or nothing.
    pub metadata: Vec<u8>,
    /// Its length in bytes, if that is known before it is read.
    pub length: Option<u64>,
}

/// The store gave no usable response. The text is for the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FilesError(pub String);

/// Files for a pipeline that must not read the store: each exists, without content.
pub struct AssumedFiles;

impl Files for AssumedFiles {
    fn open(&mut self, keys: &[String]) -> Result<Option<OpenFile>, FilesError> {
        Ok(keys.len().checked_sub(1).map(|number| OpenFile { number, ..OpenFile::default() }))
    }

    fn digest(&mut self) -> Result<([u8; 32], u64), FilesError> {
        Ok((sha256(""), 0))
    }
}

/// Why the edge has no response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RespondError {
    /// There is no such file.
    #[error("there is no file \"{name}\"")]
    NoFile {
        /// Its name.
        name: String,
    },
    /// The store gives no file.
    #[error("the file \"{name}\" cannot be read: {cause}")]
    Unreadable {
        /// Its name.
        name: String,
        /// The cause, for the log.
        cause: String,
    },
}

impl RespondError {
    /// The code for logs, metrics and tests.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoFile { .. } => "file-missing",
            Self::Unreadable { .. } => "file-unreadable",
        }
    }
}

/// A response of the edge itself, after the conditions of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnResponse {
    /// Its status.
    pub status: u16,
    /// Its fields, before the edits of the route.
    pub fields: Headers,
    /// Its content.
    pub content: Content,
    /// The value of `Content-Length`, if it is known and the response has one.
    pub length: Option<u64>,
}

/// The content of a response of the edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// These bytes.
    Bytes(Vec<u8>),
    /// A part of the file that was opened last.
    File(Part),
}

impl fmt::Display for OwnResponse {
    /// The response, for `fastgate explain`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the edge responds with {}", self.status)?;
        match self.fields.all("location").next() {
            Some(location) => write!(formatter, " to {}", String::from_utf8_lossy(location)),
            None => Ok(()),
        }
    }
}

/// The response of the edge to an authorized request.
///
/// # Errors
/// A [`RespondError`] if the file does not exist or cannot be read.
pub fn respond(
    respond: &Respond,
    cleared: &Cleared<'_>,
    target: &Target,
    captures: &Captures,
    files: &mut dyn Files,
) -> Result<OwnResponse, RespondError> {
    match respond {
        Respond::Text { status, content_type, body } => Ok(text(*status, content_type, body, cleared, target)),
        Respond::Redirect { status, location } => {
            let mut fields: Headers = [("location", location.fill(captures))].into_iter().collect();
            if !is_public(cleared) {
                fields.append("cache-control", PRIVATE);
            }
            Ok(OwnResponse { status: *status, fields, content: Content::Bytes(Vec::new()), length: Some(0) })
        }
        Respond::File(name) => file(&[name], cleared, target, files),
        Respond::Files { folder, parameter, fallback } => {
            let rest = captures.value(parameter).unwrap_or_default();
            let name = format!("{folder}{rest}");
            let fallback =
                fallback.as_ref().filter(|_| !choice::has_extension(rest)).map(|name| format!("{folder}{name}"));
            match &fallback {
                Some(fallback) => file(&[&name, fallback], cleared, target, files),
                None => file(&[&name], cleared, target, files),
            }
        }
    }
}

fn text(status: u16, content_type: &str, body: &str, cleared: &Cleared<'_>, target: &Target) -> OwnResponse {
    let mut fields = Headers::default();
    if !is_public(cleared) {
        fields.append("cache-control", PRIVATE);
    }
    if !body.is_empty() {
        fields.append("content-type", content_type);
    }
    if status == OK {
        fields.append("etag", entity_tag(&sha256(body)));
    }
    let length = u64::try_from(body.len()).ok().filter(|_| status != NO_CONTENT);
    let Reduced { status, fields, part, length } = reduce(status, fields, length, target);
    let content = match part {
        Part::Whole => body.as_bytes(),
        Part::Nothing => &[],
        Part::Range { first, last } => {
            let bound = |at: u64| usize::try_from(at).ok();
            bound(first)
                .zip(bound(last))
                .and_then(|(first, last)| body.as_bytes().get(first..=last))
                .unwrap_or_default()
        }
    };
    OwnResponse { status, fields, content: Content::Bytes(content.to_vec()), length }
}

/// The response with the first of these files that exists.
fn file(
    names: &[&String],
    cleared: &Cleared<'_>,
    target: &Target,
    files: &mut dyn Files,
) -> Result<OwnResponse, RespondError> {
    for name in names {
        let unreadable = |FilesError(cause)| RespondError::Unreadable { name: (*name).clone(), cause };
        let Some(candidates) = Candidates::of(name, target) else { continue };
        let Some(opened) = files.open(candidates.keys()).map_err(unreadable)? else { continue };
        let coding = candidates.coding(opened.number);
        let description = Description::read(&opened.metadata);
        let (tag, length) = if let Some(tag) = description.etag {
            (coding.map_or_else(|| tag.clone(), |coding| entity_tag_of_form(&tag, coding)), opened.length)
        } else {
            let (digest, length) = files.digest().map_err(unreadable)?;
            (entity_tag(&digest), Some(length))
        };
        let mut fields = Headers::default();
        let content_type = description.content_type.unwrap_or_else(|| media_type::of(name).to_owned());
        fields.append("content-type", content_type);
        fields.append("etag", tag);
        fields.append("cache-control", if is_public(cleared) { "no-cache" } else { PRIVATE });
        if let Some(coding) = coding.map(Coding::as_str) {
            fields.append("content-encoding", coding);
        }
        if candidates.vary() {
            fields.append("vary", "Accept-Encoding");
        }
        if length.is_some() {
            fields.append("accept-ranges", "bytes");
        }
        let Reduced { status, fields, part, length } = reduce(OK, fields, length, target);
        return Ok(OwnResponse { status, fields, content: Content::File(part), length });
    }
    Err(RespondError::NoFile { name: names.first().map(|name| (*name).clone()).unwrap_or_default() })
}

/// A strong entity tag (RFC 9110 §8.8.3) of content with this SHA-256.
fn entity_tag(digest: &[u8; 32]) -> String {
    format!("\"{}\"", URL_SAFE_NO_PAD.encode(digest))
}

/// The tag of a compressed form of a file: the store may have the same tag for all of them, and a part of one form must not
/// be joined to a part of another (RFC 9110 §8.8.3.3).
fn entity_tag_of_form(tag: &str, coding: Coding) -> String {
    format!("{}-{}\"", tag.strip_suffix('"').unwrap_or(tag), coding.as_str())
}

/// What the conditions of the request leave of the response.
fn reduce(status: u16, fields: Headers, length: Option<u64>, target: &Target) -> Reduced {
    if status == OK && is_precondition_failed(target.headers(), &fields) {
        let fields = Headers::default();
        return Reduced { status: PRECONDITION_FAILED, fields, part: Part::Nothing, length: Some(0) };
    }
    Conditions::of(target.headers()).reduce(status, fields, length, target.method() == "HEAD")
}

fn is_public(cleared: &Cleared<'_>) -> bool {
    cleared.route().access == Access::Public
}
