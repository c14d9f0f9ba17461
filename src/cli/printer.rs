//! All output of the tool. Policies, logs and tokens come from others and may have characters that control a terminal
//! or disguise a text. Such characters are printed as escapes.

use std::borrow::Cow;
use std::fmt::{Display, Write as _};
use std::io::{self, ErrorKind, Write};
use std::process::{ExitCode, exit};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use serde_json::Value;

/// Whether the command writes to a service, and so goes on although its output is closed.
static GOES_ON: AtomicBool = AtomicBool::new(false);
/// Whether some output was lost.
static LOST: AtomicBool = AtomicBool::new(false);

/// Says that the command writes to a service: it ends its writes although nobody reads its output, and fails then.
pub(super) fn go_on() {
    GOES_ON.store(true, Relaxed);
}

/// Whether some output was lost.
pub(super) fn is_lost() -> bool {
    LOST.load(Relaxed)
}

/// The exit code of the tool, whose command ended with `code`: a success without its output is none.
pub(super) fn finished(code: ExitCode) -> ExitCode {
    if is_lost() && code == ExitCode::SUCCESS { ExitCode::from(2) } else { code }
}

/// Prints one line to standard output.
pub(super) fn line(text: impl Display) {
    print(io::stdout(), &escaped(&text.to_string()));
}

/// Prints one line to standard error.
pub(super) fn error(text: impl Display) {
    print(io::stderr(), &escaped(&text.to_string()));
}

/// Prints JSON to standard output, in one line.
pub(super) fn json(value: &Value) {
    print(io::stdout(), &escaped_json(&value.to_string()));
}

/// Prints JSON to standard output, in lines that a person can read.
pub(super) fn indented_json(value: &Value) {
    print(io::stdout(), &escaped_json(&format!("{value:#}")));
}

/// Prints a line. If the output is closed, as in `fastgate diff … | head`, a command that only reads exits with code 2,
/// because not all findings were printed; one that writes to a service goes on. A reader that went away needs no word.
fn print(mut to: impl Write, line: &str) {
    let Err(error) = writeln!(to, "{line}") else { return };
    if !LOST.swap(true, Relaxed) && error.kind() != ErrorKind::BrokenPipe {
        let _ = writeln!(io::stderr(), "the output cannot be written: {error}"); // there is nowhere else to say it
    }
    if !GOES_ON.load(Relaxed) {
        exit(2);
    }
}

/// A text that is JSON as [`json`] prints it.
pub(super) fn shown_json(text: &str) -> Cow<'_, str> {
    escaped_json(text)
}

/// One line of text: `\n` for a line break, `\u{1b}` for a character that controls a terminal.
fn escaped(text: &str) -> Cow<'_, str> {
    replaced(text, is_control, |character, into| into.extend(character.escape_default()))
}

/// The same JSON, in which such characters are escaped as `\u202e` (RFC 8259 §7). `text` is JSON, so outside of strings
/// the only such characters are the line breaks between values.
fn escaped_json(text: &str) -> Cow<'_, str> {
    let hidden = |character| character != '\n' && is_control(character);
    replaced(text, hidden, |character, into| {
        for unit in character.encode_utf16(&mut [0; 2]) {
            let _ = write!(into, "\\u{unit:04x}"); // writing to a String cannot fail
        }
    })
}

fn replaced(text: &str, which: impl Fn(char) -> bool, write: impl Fn(char, &mut String)) -> Cow<'_, str> {
    if !text.contains(&which) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if which(character) { write(character, &mut escaped) } else { escaped.push(character) }
    }
    Cow::Owned(escaped)
}

/// Whether a character controls a terminal (C0, DEL, C1) or the direction of a text (Unicode Standard Annex #9), or is
/// invisible.
fn is_control(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::{escaped, escaped_json, is_control};
    use serde_json::{Value, json};

    /// Clears a screen, sets a title, the same by C1, ends a line, turns a text around, isolates it, hides.
    const HOSTILE: &str =
        "a\u{1b}[2Jb\u{1b}]0;t\u{7}c\u{9b}2Jd\r\ne\u{202e}f\u{2066}g\u{7f}h\u{200b}i\u{e0041}j\u{61c}";

    #[test]
    fn what_controls_a_terminal_is_printed_as_an_escape() {
        assert!(!escaped(HOSTILE).contains(is_control));
        assert_eq!(escaped("a\u{1b}[2J\n\u{202e}b"), "a\\u{1b}[2J\\n\\u{202e}b");
        for plain in ["", "Bestellungen für Köln → 注文 ✓ שלום", "a\\u{1b}\"'`"] {
            assert_eq!(escaped(plain), plain);
        }
    }

    #[test]
    fn json_stays_the_same_json() {
        let value = json!({ HOSTILE: [HOSTILE, "Köln", "a\\u{1b}"], "b": { "c": "\u{10ffff}" } });
        for text in [value.to_string(), format!("{value:#}")] {
            let printed = escaped_json(&text);
            assert!(!printed.replace('\n', "").contains(is_control), "{printed}");
            assert_eq!(serde_json::from_str::<Value>(&printed).ok(), Some(value.clone()), "{printed}");
            assert_eq!(printed.lines().count(), text.lines().count());
        }
        assert_eq!(escaped_json("{\n  \"a\": \"\u{202e}\u{e0041}\"\n}"), "{\n  \"a\": \"\\u202e\\udb40\\udc41\"\n}");
    }
}
