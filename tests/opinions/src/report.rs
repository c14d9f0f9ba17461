//! `docs/reference/token-opinions.md`: the rules, and how many disagreements each explains.

use std::fmt::Write as _;

use crate::Tally;
use crate::others::Other;
use crate::rules::RULES;

/// The path of the document.
pub(crate) const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/token-opinions.md");

/// The document.
pub(crate) fn document(tally: &Tally, count: u64) -> String {
    let mut text = format!(
        "# Where Fastgate and other verifiers disagree about tokens\n\n\
         For security engineers: the same tokens, judged by three implementations.\n\n\
         `make opinions` makes {count} tokens that are good or nearly good, the same ones in every run, and has each\n\
         judged by Fastgate, by the Rust crate `jsonwebtoken` (11, with its `rust_crypto` backend) and by PyJWT, all\n\
         told to accept the same algorithms, keys, issuer, audience, leeway and required claims. Fastgate accepts {}\n\
         and refuses {}. The others disagree only where one of the rules below says why: each is a predicate over\n\
         the token that shares no code with Fastgate, and a disagreement without a rule fails the test. `make test`\n\
         runs the first 3000 of them. This page is written by the test (`OPINIONS_WRITE=1 make opinions`).\n\n\
         No disagreement is about a signature: no verifier accepts a token that no published key has signed.\n",
        tally.accepted, tally.refused
    );
    for (heading, refuses) in [("Fastgate refuses, others accept", true), ("Fastgate accepts, others refuse", false)] {
        write!(text, "\n## {heading}\n\n| rule | what | source | why | `jsonwebtoken` | PyJWT |\n").unwrap();
        text.push_str("| --- | --- | --- | --- | ---: | ---: |\n");
        for rule in RULES.iter().filter(|rule| rule.refuses.is_some() == refuses) {
            let found = |other| tally.explained.get(&(rule.name, other)).copied().unwrap_or(0);
            let (one, two) = (found(Other::JsonWebToken), found(Other::PyJwt));
            let (name, what, source, why) = (rule.name, rule.what, rule.source, rule.why);
            writeln!(text, "| `{name}` | {what} | {source} | {why} | {one} | {two} |").unwrap();
        }
    }
    text
}

/// The document without the numbers, which depend on the number of tokens.
pub(crate) fn without_counts(document: &str) -> String {
    let masked = |line: &str| match line.rsplitn(4, " | ").collect::<Vec<_>>().as_slice() {
        [_, _, rest @ ..] if line.starts_with("| `") => rest.join(" "),
        _ => line.split(' ').filter(|word| !word.starts_with(|letter: char| letter.is_ascii_digit())).collect(),
    };
    document.lines().map(masked).collect::<Vec<_>>().join("\n")
}

/// The first of many lines.
pub(crate) fn counted(lines: &[String]) -> String {
    lines.iter().take(12).map(|line| format!("{line:.900}\n")).collect()
}
