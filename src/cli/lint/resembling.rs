//! Claims in the audience of stored responses that resemble a word of it: `"role"` is a claim, `"roles"` are the roles. The
//! package refuses the same names (`origin/src/fastgate/audience.py`).

use serde_json::Value;

use super::hint::Lint;

/// The words of a list, and the one that stands alone.
const WORDS: [&str; 5] = ["tenant", "roles", "groups", "caller", PUBLIC];
const PUBLIC: &str = "public";

/// The hints about the texts in audiences of the policy `document`. Only the document tells them from claims that are
/// written as such, on purpose.
pub(in crate::cli) fn resembling(document: &Value) -> Vec<Lint> {
    let routes = document.get("routes").and_then(Value::as_array);
    let routes = routes.into_iter().flatten().enumerate();
    let entries = routes.flat_map(|(route, document)| {
        let audience = document.pointer("/cache/audience").and_then(Value::as_array);
        audience.into_iter().flatten().enumerate().map(move |(entry, value)| (route, entry, value))
    });
    let hint = |(route, entry, value): (usize, usize, &Value)| {
        let name = value.as_str()?;
        let word = if name == PUBLIC { PUBLIC } else { meant_word(name)? };
        let instead = match word {
            PUBLIC => "\"audience\": \"public\", without a list, is for all callers".to_owned(),
            _ => format!("\"{word}\" is the word for what callers have in common"),
        };
        Some(Lint {
            at: format!("$.routes[{route}].cache.audience[{entry}]"),
            what: format!("is the claim \"{name}\"; {instead}"),
            remedy: "write the word, or {\"claim\": …} with this name if the claim is meant",
        })
    };
    entries.filter_map(hint).collect()
}

/// The word that a text resembles; `None` for a word itself, and for other texts.
fn meant_word(text: &str) -> Option<&'static str> {
    if WORDS.contains(&text) {
        return None;
    }
    let folded: Vec<char> =
        text.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    if ["sub", "subject"].iter().any(|name| name.chars().eq(folded.iter().copied())) {
        return Some("caller");
    }
    WORDS.into_iter().find(|word| {
        let word: Vec<char> = word.chars().collect();
        let letters = word.len().saturating_add(folded.len());
        // At least four of five letters are the same: one other letter in five, or an additional one.
        let is_similar = || shared_letters(&word, &folded).saturating_mul(5) >= letters.saturating_mul(2);
        word.len().abs_diff(folded.len()) <= 1 && is_similar()
    })
}

/// How many letters two texts share: those of the longest part that both have, and of what is before and after it in both.
fn shared_letters(one: &[char], other: &[char]) -> usize {
    let (mut longest, mut start, mut start_of_other) = (0, 0, 0);
    for from in 0..one.len() {
        for from_other in 0..other.len() {
            let pairs = one.iter().skip(from).zip(other.iter().skip(from_other));
            let length = pairs.take_while(|(left, right)| left == right).count();
            if length > longest {
                (longest, start, start_of_other) = (length, from, from_other);
            }
        }
    }
    if longest == 0 {
        return 0;
    }
    let part = |text: &[char], until: usize| text.get(..until).unwrap_or_default().to_vec();
    let rest = |text: &[char], from: usize| text.get(from.saturating_add(longest)..).unwrap_or_default().to_vec();
    let before = shared_letters(&part(one, start), &part(other, start_of_other));
    let after = shared_letters(&rest(one, start), &rest(other, start_of_other));
    longest.saturating_add(before).saturating_add(after)
}

#[cfg(test)]
mod tests {
    use super::meant_word;

    /// As `meant_word` of the package says.
    #[test]
    fn the_package_finds_the_same_words() {
        for (text, word) in [
            ("role", Some("roles")),
            ("Role", Some("roles")),
            ("rolles", Some("roles")),
            ("rules", Some("roles")),
            ("group", Some("groups")),
            ("Groups", Some("groups")),
            ("grupos", Some("groups")),
            ("tenants", Some("tenant")),
            ("ten-ant", Some("tenant")),
            ("tenat", Some("tenant")),
            ("tennent", None),
            ("sub", Some("caller")),
            ("subject", Some("caller")),
            ("Sub", Some("caller")),
            ("call", None),
            ("callers", Some("caller")),
            ("caler", Some("caller")),
            ("collar", None),
            ("public", None),
            ("Public", Some("public")),
            ("publics", Some("public")),
            ("publc", Some("public")),
            ("org", None),
            ("plan", None),
            ("email", None),
            ("tid", None),
            ("user", None),
            ("roles", None),
            ("tenant", None),
            ("ortnet", None),
            ("lores", None),
            ("élan", None),
        ] {
            assert_eq!(meant_word(text), word, "{text}");
        }
    }
}
