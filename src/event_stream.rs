//! Server-sent events: where one ends in a stream, and what it says (WHATWG HTML §9.2).

use std::borrow::Cow;

use crate::scan;

const LINE_FEED: u8 = b'\n';
const RETURN: u8 = b'\r';
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Finds the ends of events. Lines end in LF, CR or CRLF, also if CR and LF are in different pieces.
#[derive(Debug, Default)]
pub(crate) struct Framing {
    /// Whether the current line has bytes.
    has_begun: bool,
    /// Whether the byte before was CR, so that LF belongs to the same end of a line.
    after_return: bool,
}

impl Framing {
    /// Whether these bytes begin with the second half of the end of a line.
    pub(crate) fn continues_line_end(&self, bytes: &[u8]) -> bool {
        self.after_return && bytes.first() == Some(&LINE_FEED)
    }

    /// The length up to the end of the current event, including its blank line, and of what follows. `None` if it does not
    /// end in these bytes, all of which are read then.
    pub(crate) fn end_of_event(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut start = 0;
        if !bytes.is_empty() {
            start = usize::from(self.continues_line_end(bytes));
            self.after_return = false;
        }
        while let Some(rest) = bytes.get(start..).filter(|rest| !rest.is_empty()) {
            let had_begun = self.has_begun;
            let (length, end) = self.end_of_line(rest)?;
            start += end;
            if length == 0 && !had_begun {
                return Some(start);
            }
        }
        None
    }

    /// The length up to the end of the current line, without its end and with it. `None` if it does not end in these bytes.
    pub(crate) fn end_of_line(&mut self, bytes: &[u8]) -> Option<(usize, usize)> {
        let length = scan::either(bytes, LINE_FEED, RETURN);
        self.after_return &= bytes.is_empty();
        self.has_begun = length.is_none() && (self.has_begun || !bytes.is_empty());
        let length = length?;
        let mut end = length + 1;
        if bytes.get(length) == Some(&RETURN) {
            match bytes.get(end) {
                None => self.after_return = true,
                Some(next) => end += usize::from(*next == LINE_FEED),
            }
        }
        Some((length, end))
    }
}

/// What an event says.
#[derive(Debug, Default)]
pub(crate) struct Event<'raw> {
    /// Its type; empty if it has none.
    pub(crate) name: &'raw [u8],
    /// Its data: the values of all `data` lines, joined by LF.
    pub(crate) data: Cow<'raw, [u8]>,
}

impl<'raw> Event<'raw> {
    /// Reads the lines of one event. `is_first` is for the first of a stream, which may begin with a byte order mark.
    pub(crate) fn read(raw: &'raw [u8], is_first: bool) -> Self {
        let mut rest = raw;
        if is_first {
            rest = raw.strip_prefix(BYTE_ORDER_MARK).unwrap_or(raw);
        }
        let mut event = Self::default();
        let mut has_data = false;
        while !rest.is_empty() {
            // Between CR and LF this finds an empty line, which says nothing within an event.
            let end = scan::either(rest, LINE_FEED, RETURN).unwrap_or(rest.len());
            let line = rest.get(..end).unwrap_or_default();
            rest = rest.get(end + 1..).unwrap_or_default();
            if let Some(value) = value(line, b"data") {
                if has_data {
                    let data = event.data.to_mut();
                    data.push(LINE_FEED);
                    data.extend_from_slice(value);
                } else {
                    event.data = Cow::Borrowed(value);
                    has_data = true;
                }
            } else if let Some(value) = value(line, b"event") {
                event.name = value;
            }
        }
        event
    }
}

/// The event with these data: its other lines stay as they are. `is_first` is as for [`Event::read`].
pub(crate) fn rewritten(raw: &[u8], is_first: bool, data: &[u8]) -> Vec<u8> {
    let mut changed = Vec::with_capacity(raw.len());
    let mut rest = raw;
    if let Some(after) = raw.strip_prefix(BYTE_ORDER_MARK).filter(|_| is_first) {
        changed.extend_from_slice(BYTE_ORDER_MARK);
        rest = after;
    }
    let mut has_data = false;
    while !rest.is_empty() {
        let end = scan::either(rest, LINE_FEED, RETURN).unwrap_or(rest.len());
        let (line, behind) = rest.split_at_checked(end).unwrap_or((rest, b""));
        let feed: &[u8] = match behind {
            [RETURN, LINE_FEED, ..] => b"\r\n",
            [RETURN, ..] => b"\r",
            [LINE_FEED, ..] => b"\n",
            _ => b"",
        };
        rest = behind.get(feed.len()..).unwrap_or_default();
        if value(line, b"data").is_none() {
            changed.extend_from_slice(line);
            changed.extend_from_slice(feed);
        } else if !has_data {
            has_data = true;
            for (number, part) in data.split(|byte| *byte == LINE_FEED).enumerate() {
                if number > 0 && feed.is_empty() {
                    changed.push(LINE_FEED);
                }
                changed.extend_from_slice(b"data: ");
                changed.extend_from_slice(part);
                changed.extend_from_slice(feed);
            }
        }
    }
    changed
}

/// The value of this field, if the line has it: what follows the colon and at most one space.
fn value<'raw>(line: &'raw [u8], field: &[u8]) -> Option<&'raw [u8]> {
    let rest = line.strip_prefix(field)?;
    if rest.is_empty() {
        return Some(rest);
    }
    let value = rest.strip_prefix(b":")?;
    Some(value.strip_prefix(b" ").unwrap_or(value))
}
