//! Words of commands that a person may copy into a shell.

use std::borrow::Cow;

/// A text as one word of a POSIX shell: in quotes unless it needs none. A shell expands nothing in them.
pub(super) fn word(text: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._/:@%+,=".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("'{}'", text.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use super::word;

    #[test]
    fn a_text_is_one_word() {
        for (text, quoted) in [
            ("policy@0f", "policy@0f"),
            ("", "''"),
            ("a b", "'a b'"),
            ("$(x)", "'$(x)'"),
            ("a'; touch x; '", r"'a'\''; touch x; '\'''"),
            ("~", "'~'"),
        ] {
            assert_eq!(word(text), quoted);
        }
    }
}
