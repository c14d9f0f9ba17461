//! The top-level member `usage` of a JSON document of any length, without keeping the rest of it. What is valid JSON is read
//! as every parser reads it. For anything else, no more is promised than that it is not complete or has no `usage` that
//! JSON allows.

use crate::scan;

/// The greatest length of the member's value, in bytes.
const MAX_VALUE: usize = 64 * 1024;
/// The name as it is usually written.
const NAME: &[u8] = b"\"usage\"";
/// The length of the longest spelling of the name: each letter as `\u0075`, in quotation marks.
const MAX_NAME: usize = 5 * 6 + 2;

/// Reads one document.
#[derive(Debug, Default)]
pub(super) struct Document {
    place: Place,
    /// How many objects and arrays are open.
    depth: u64,
    in_text: bool,
    /// Whether the byte before, in a text, was a backslash that escapes the next one.
    escaped: bool,
    /// The name of the member of the outermost object, as written, at most one byte longer than `MAX_NAME`.
    name: Vec<u8>,
    captures: bool,
    /// The value of the member, at most one byte longer than `MAX_VALUE`.
    value: Vec<u8>,
    found: Found,
}

/// Where the next byte is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Start,
    /// Before or in a name of the outermost object.
    Name,
    Colon,
    /// In a value of the outermost object.
    Value,
    /// In the outermost array.
    Items,
    End,
    /// In something else than JSON.
    Broken,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Found {
    #[default]
    Nothing,
    Once,
    /// Several times.
    Unclear,
}

impl Document {
    /// Reads the next bytes.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let length = if self.in_text { self.text(bytes) } else { self.structure(bytes) };
            bytes = bytes.get(length..).unwrap_or_default();
        }
    }

    /// Whether the document came to its end, and the value of the member if it did and there is one.
    pub(super) fn end(self) -> (bool, Option<Vec<u8>>) {
        let complete = self.place == Place::End;
        let is_read = complete && self.found == Found::Once && self.value.len() <= MAX_VALUE;
        (complete, is_read.then_some(self.value))
    }

    /// Reads a part of a text. Returns its length.
    fn text(&mut self, bytes: &[u8]) -> usize {
        if self.escaped {
            self.escaped = false;
            self.keep(bytes, 1);
            return 1;
        }
        let Some(end) = scan::either(bytes, b'"', b'\\') else {
            self.keep(bytes, bytes.len());
            return bytes.len();
        };
        self.keep(bytes, end + 1);
        if bytes.get(end) == Some(&b'\\') {
            self.escaped = true;
        } else {
            self.in_text = false;
            if self.place == Place::Name {
                self.place = Place::Colon;
            }
        }
        end + 1
    }

    /// Reads up to the next byte that matters, which is not in a text. Returns the length.
    fn structure(&mut self, bytes: &[u8]) -> usize {
        let next = match self.place {
            Place::Broken => None,
            Place::Value if self.depth == 1 => {
                bytes.iter().position(|byte| matches!(byte, b'"' | b'[' | b']' | b'{' | b'}' | b','))
            }
            Place::Value | Place::Items => scan::structure(bytes),
            _ => bytes.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r')),
        };
        let found = next.and_then(|next| Some((next, *bytes.get(next)?)));
        let Some((next, byte)) = found else {
            self.keep(bytes, bytes.len());
            return bytes.len();
        };
        let ends_value = self.depth == 1 && matches!(byte, b',' | b'}' | b']');
        self.keep(bytes, if ends_value { next } else { next + 1 });
        match (self.place, byte) {
            (Place::Value | Place::Items, b'"') => self.in_text = true,
            (Place::Value | Place::Items, b'{' | b'[') => self.depth += 1,
            (Place::Value | Place::Items, b'}' | b']') if self.depth > 1 => self.depth -= 1,
            (Place::Start, b'{') => (self.place, self.depth) = (Place::Name, 1),
            (Place::Start, b'[') => (self.place, self.depth) = (Place::Items, 1),
            (Place::Items, b']') | (Place::Name | Place::Value, b'}') => self.leave(Place::End),
            (Place::Value, b',') => self.leave(Place::Name),
            (Place::Name, b'"') => {
                self.in_text = true;
                self.name.clear();
                self.name.push(b'"');
            }
            (Place::Colon, b':') => self.enter(),
            _ => self.leave(Place::Broken),
        }
        next + 1
    }

    /// A value of the outermost object begins.
    fn enter(&mut self) {
        self.place = Place::Value;
        if self.names_usage() {
            self.captures = self.found == Found::Nothing;
            self.found = if self.captures { Found::Once } else { Found::Unclear };
        }
    }

    fn leave(&mut self, place: Place) {
        self.place = place;
        self.captures = false;
    }

    fn names_usage(&self) -> bool {
        let spelled_otherwise = || {
            self.name.contains(&b'\\') && serde_json::from_slice::<String>(&self.name).is_ok_and(|name| name == "usage")
        };
        self.name == NAME || (self.name.len() <= MAX_NAME && spelled_otherwise())
    }

    /// Keeps the first `length` bytes if they belong to a name or to the value that is sought.
    fn keep(&mut self, bytes: &[u8], length: usize) {
        let (kept, most) = match self.place {
            Place::Name if self.in_text => (&mut self.name, MAX_NAME),
            Place::Value if self.captures => (&mut self.value, MAX_VALUE),
            _ => return,
        };
        let length = length.min((most + 1).saturating_sub(kept.len()));
        kept.extend_from_slice(bytes.get(..length).unwrap_or_default());
    }
}
