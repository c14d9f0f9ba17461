//! Searches in bytes, eight at a time: most bytes of a response are only looked at here.

const ONES: u64 = u64::MAX / 255;
const HIGHEST: u64 = ONES << 7;

/// Marks the bytes of a word that equal `byte`, by their highest bit. The lowest mark is right. Above it, a byte that
/// differs may be marked as well.
const fn marks(word: u64, byte: u8) -> u64 {
    let difference = word ^ (ONES * byte as u64);
    difference.wrapping_sub(ONES) & !difference & HIGHEST
}

/// The place of the lowest mark.
const fn lowest(marks: u64) -> usize {
    (marks.trailing_zeros() / 8) as usize
}

/// The place of the first byte that is one of two.
pub(crate) fn either(bytes: &[u8], one: u8, other: u8) -> Option<usize> {
    first(bytes, |word| marks(word, one) | marks(word, other), |byte| byte == one || byte == other)
}

/// The place of the first quotation mark, bracket or brace.
pub(crate) fn structure(bytes: &[u8]) -> Option<usize> {
    // This bit is all that `[` and `{` differ in, and likewise `]` and `}`. A quotation mark has it.
    let folded = |word: u64| word | (ONES * 0x20);
    first(
        bytes,
        |word| marks(word, b'"') | marks(folded(word), b'{') | marks(folded(word), b'}'),
        |byte| matches!(byte, b'"' | b'[' | b']' | b'{' | b'}'),
    )
}

fn first(bytes: &[u8], marks: impl Fn(u64) -> u64, is_sought: impl Fn(u8) -> bool) -> Option<usize> {
    let (words, rest) = bytes.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let found = marks(u64::from_le_bytes(*word));
        if found != 0 {
            return Some(number * 8 + lowest(found));
        }
    }
    rest.iter().position(|byte| is_sought(*byte)).map(|place| bytes.len() - rest.len() + place)
}

/// What follows `"name":` for the first time, if `quoted` is `"name"`. A quotation mark within a text of JSON has a
/// backslash before it, so this is the name of a member, at any depth.
pub(crate) fn member<'bytes>(mut bytes: &'bytes [u8], quoted: &[u8]) -> Option<&'bytes [u8]> {
    let second = *quoted.get(1)?;
    loop {
        let candidate = bytes.get(pair(bytes, second)?..)?;
        let value = candidate.strip_prefix(quoted).and_then(|rest| rest.trim_ascii_start().strip_prefix(b":"));
        if let Some(value) = value {
            return Some(value.trim_ascii_start());
        }
        bytes = candidate.get(1..)?;
    }
}

/// A place that is not after the first quotation mark that `second` follows. There may be something else.
fn pair(bytes: &[u8], second: u8) -> Option<usize> {
    let mut start = 0;
    while let Some(window) = bytes.get(start..start + 9) {
        let (Some(here), Some(next)) = (window.first_chunk(), window.last_chunk()) else { break };
        let found = marks(u64::from_le_bytes(*here), b'"') & marks(u64::from_le_bytes(*next), second);
        if found != 0 {
            return Some(start + lowest(found));
        }
        start += 8;
    }
    let rest = bytes.get(start..)?;
    rest.windows(2).position(|pair| pair == [b'"', second]).map(|place| start + place)
}
