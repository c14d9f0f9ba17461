//! The rules by which Fastgate disagrees with other verifiers. Each has a name and a source, and is a predicate over
//! the leniently read token.

use fastgate::identity::token::TokenError;

use crate::others::Other;
use crate::reading::{Json, Reading, depth};
use crate::tokens::{LEEWAY, Token};

/// One rule.
pub(crate) struct Rule {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) source: &'static str,
    pub(crate) why: &'static str,
    /// The error of Fastgate; `None` if Fastgate accepts the token.
    pub(crate) refuses: Option<fn(&TokenError) -> bool>,
    applies: fn(&Reading<'_>, u64) -> bool,
    /// The verifiers that disagree.
    by: &'static [Other],
}

/// The verdict of Fastgate.
#[derive(Clone, Copy)]
pub(crate) enum Side<'error> {
    Refuses(&'error TokenError),
    Accepts,
}

/// The rule by which Fastgate and `other` disagree.
pub(crate) fn explanation(token: &Token, side: Side<'_>, other: Other) -> Option<&'static str> {
    let reading = Reading::of(&token.compact);
    let fits = |rule: &&Rule| {
        let on_this_side = match (rule.refuses, side) {
            (Some(is_said), Side::Refuses(error)) => is_said(error),
            (None, Side::Accepts) => true,
            _ => false,
        };
        on_this_side && rule.by.contains(&other) && (rule.applies)(&reading, token.now)
    };
    RULES.iter().find(fits).map(|rule| rule.name)
}

const BOTH: &[Other] = &[Other::JsonWebToken, Other::PyJwt];
const CRATE: &[Other] = &[Other::JsonWebToken];
const PYTHON: &[Other] = &[Other::PyJwt];

const MALFORMED: Option<fn(&TokenError) -> bool> = Some(|error| *error == TokenError::Malformed);
const EXTENSION: Option<fn(&TokenError) -> bool> = Some(|error| matches!(error, TokenError::Extension { .. }));

/// All of them.
pub(crate) const RULES: &[Rule] = &[
    Rule {
        name: "no-padding",
        what: "`=` at the end of a segment",
        source: "RFC 7515 §2",
        why: "base64url in a JWS has no padding: one token, one spelling",
        refuses: MALFORMED,
        applies: |reading, _| reading.compact.split('.').any(|segment| segment.ends_with('=')),
        by: PYTHON,
    },
    Rule {
        name: "unique-members",
        what: "a member name that occurs twice in one object",
        source: "RFC 7515 §4, RFC 7519 §4",
        why: "two parsers that keep different ones read two different tokens",
        refuses: MALFORMED,
        applies: |reading, _| reading.both().any(Json::repeats),
        by: BOTH,
    },
    Rule {
        name: "json-numbers",
        what: "`NaN`, `Infinity` or `-Infinity`",
        source: "RFC 8259 §6",
        why: "they are not JSON",
        refuses: MALFORMED,
        applies: |reading, _| {
            reading.outside_literals().iter().any(|text| text.contains("NaN") || text.contains("Infinity"))
        },
        by: PYTHON,
    },
    Rule {
        name: "number-range",
        what: "a number beyond the range of IEEE 754 double precision",
        source: "RFC 8259 §6, RFC 7493 §2.2",
        why: "implementations read different numbers, or infinity",
        refuses: MALFORMED,
        applies: |reading, _| reading.outside_literals().iter().any(|text| has_number_out_of_range(text)),
        by: PYTHON,
    },
    Rule {
        name: "depth",
        what: "lists and objects nested deeper than 127",
        source: "RFC 8259 §9",
        why: "the cost of an unverified token is limited",
        refuses: MALFORMED,
        applies: |reading, _| reading.outside_literals().iter().any(|text| depth(text) > 127),
        by: PYTHON,
    },
    Rule {
        name: "utf-8",
        what: "a text that is not UTF-8, or begins with a byte order mark",
        source: "RFC 7519 §3, RFC 8259 §8.1",
        why: "a token whose encoding is guessed can be read as two",
        refuses: MALFORMED,
        applies: |reading, _| {
            let odd = |text: &Vec<u8>| {
                std::str::from_utf8(text).map_or(true, |text| text.starts_with('\u{feff}') || text.contains('\0'))
            };
            reading.texts.iter().any(odd)
        },
        by: PYTHON,
    },
    Rule {
        name: "unicode",
        what: "an escape that is half a surrogate pair",
        source: "RFC 8259 §8.2, RFC 7493 §2.1",
        why: "it is not a character, and programs treat it differently in headers and logs",
        refuses: MALFORMED,
        applies: |reading, _| reading.texts.iter().any(|text| has_lone_surrogate(&String::from_utf8_lossy(text))),
        by: PYTHON,
    },
    Rule {
        name: "kid-is-text",
        what: "`kid` that is there and is not text",
        source: "RFC 7515 §4.1.4",
        why: "a key id that cannot be compared is not the same as none",
        refuses: MALFORMED,
        applies: |reading, _| reading.header("kid").is_some_and(|kid| kid.text().is_none()),
        by: CRATE,
    },
    Rule {
        name: "short-header",
        what: "a JOSE header of more than 8192 characters",
        source: "RFC 7515 §10",
        why: "the cost of an unverified token is limited",
        refuses: Some(|error| matches!(error, TokenError::TooLong { most: 8192, .. })),
        applies: |reading, _| reading.compact.find('.').is_some_and(|length| length > 8192),
        by: BOTH,
    },
    Rule {
        name: "short-token",
        what: "a token of more than 32 KiB",
        source: "RFC 7515 §10",
        why: "the cost of an unverified token is limited",
        refuses: Some(|error| matches!(error, TokenError::TooLong { most: 32_768, .. })),
        applies: |reading, _| reading.compact.len() > 32_768,
        by: BOTH,
    },
    Rule {
        name: "crit",
        what: "`crit`, whatever it lists",
        source: "RFC 7515 §4.1.11",
        why: "no extension is understood; an empty list, or one with names of registered members, is not permitted",
        refuses: EXTENSION,
        applies: |reading, _| reading.header("crit").is_some(),
        by: BOTH,
    },
    Rule {
        name: "b64",
        what: "`b64`, whatever it says",
        source: "RFC 7797 §3, §6",
        why: "it must be listed in `crit`, and no extension is understood",
        refuses: EXTENSION,
        applies: |reading, _| reading.header("b64").is_some(),
        by: BOTH,
    },
    Rule {
        name: "cty",
        what: "`cty` that names a token within the token, or that is not text",
        source: "RFC 7519 §5.2, RFC 7515 §4.1.10",
        why: "the payload is then not the claims",
        refuses: EXTENSION,
        applies: |reading, _| {
            let nested = |text: &str| text.to_lowercase().contains("jwt") || text.to_lowercase().contains("jose");
            reading.header("cty").is_some_and(|cty| cty.text().is_none_or(nested))
        },
        by: BOTH,
    },
    Rule {
        name: "typ",
        what: "`typ` other than `at+jwt`, or none",
        source: "RFC 8725 §3.11, RFC 9068 §4",
        why: "the same keys sign tokens of other kinds",
        refuses: Some(|error| *error == TokenError::Type),
        applies: |reading, _| {
            let typ = reading.header("typ").and_then(Json::text).unwrap_or_default().to_lowercase();
            typ != "at+jwt" && typ != "application/at+jwt"
        },
        by: BOTH,
    },
    Rule {
        name: "iss-is-text",
        what: "`iss` that is a list",
        source: "RFC 7519 §4.1.1",
        why: "a token has one issuer",
        refuses: Some(|error| matches!(error, TokenError::ClaimMalformed { claim: "iss" })),
        applies: |reading, _| matches!(reading.claim("iss"), Some(Json::List(_))),
        by: CRATE,
    },
    Rule {
        name: "exp-has-come",
        what: "`exp`, with the leeway, is this very second",
        source: "RFC 7519 §4.1.4",
        why: "a token is not accepted \"on or after\" `exp`",
        refuses: Some(|error| matches!(error, TokenError::Expired { .. })),
        applies: |reading, now| {
            let second = seconds(now - LEEWAY);
            let exp = reading.claim("exp").and_then(Json::number);
            exp.is_some_and(|exp| exp < second + 1.0 && exp.round() >= second)
        },
        by: CRATE,
    },
    Rule {
        name: "iat-is-past",
        what: "`iat` that lies in the future by more than the leeway",
        source: "RFC 7519 §4.1.6, RFC 8725 §3.8",
        why: "such a token was not issued yet: the clocks differ by more than the leeway",
        refuses: Some(|error| matches!(error, TokenError::NotYetValid { claim: "iat" })),
        applies: |reading, now| {
            reading.claim("iat").and_then(Json::number).is_some_and(|iat| iat > seconds(now + LEEWAY))
        },
        by: CRATE,
    },
    Rule {
        name: "numeric-date",
        what: "`exp`, `nbf` or `iat` that is not a number, is negative, or lies beyond the year 9999",
        source: "RFC 7519 §2, §4.1",
        why: "a claim that is not a date is not the same as none",
        refuses: Some(|error| matches!(error, TokenError::ClaimMalformed { claim: "exp" | "nbf" | "iat" })),
        applies: |reading, _| {
            let is_date =
                |value: &Json| value.number().is_some_and(|number| (0.0..=253_402_300_799.0).contains(&number));
            ["exp", "nbf", "iat"].iter().any(|name| reading.claim(name).is_some_and(|value| !is_date(value)))
        },
        by: BOTH,
    },
    Rule {
        name: "sub-is-a-name",
        what: "`sub` that is empty, longer than 255 bytes, or has control characters",
        source: "OpenID Connect Core §2, RFC 7519 §4.1.2",
        why: "it names a caller or client in headers and logs",
        refuses: Some(|error| matches!(error, TokenError::ClaimMalformed { claim: "sub" })),
        applies: |reading, _| reading.claim("sub").is_some_and(|sub| !is_name(sub)),
        by: BOTH,
    },
    Rule {
        name: "client-is-a-name",
        what: "`client_id`, or without it `azp`, that is not such a name",
        source: "RFC 9068 §2.2, RFC 8693 §4.3",
        why: "it names a caller or client in headers and logs",
        refuses: Some(|error| matches!(error, TokenError::ClaimMalformed { claim: "client_id" | "azp" })),
        applies: |reading, _| {
            let client = reading.claim("client_id").or_else(|| reading.claim("azp"));
            client.is_some_and(|client| !is_name(client))
        },
        by: BOTH,
    },
    Rule {
        name: "no-id-token",
        what: "`nonce`, `at_hash` or `c_hash`",
        source: "RFC 8725 §3.12, OpenID Connect Core §2, §3.3.2.11",
        why: "only ID tokens have them, and they are for clients",
        refuses: Some(|error| matches!(error, TokenError::OtherKind { .. })),
        applies: |reading, _| ["nonce", "at_hash", "c_hash"].iter().any(|name| reading.claim(name).is_some()),
        by: BOTH,
    },
    Rule {
        name: "ed25519",
        what: "`alg` `Ed25519`",
        source: "RFC 9864 §2.2",
        why: "the newer name of `EdDSA` with such a key",
        refuses: None,
        applies: |reading, _| reading.header("alg").and_then(Json::text) == Some("Ed25519"),
        by: BOTH,
    },
    Rule {
        name: "ignored-members",
        what: "a header member that nothing depends on, with a value of another type than registered",
        source: "RFC 7515 §4, §4.1.2 to §4.1.8",
        why: "such members are ignored, whatever their values",
        refuses: None,
        applies: |reading, _| {
            const TEXTS: [&str; 8] = ["jku", "x5u", "x5t", "x5t#S256", "zip", "enc", "url", "nonce"];
            let is_odd = |name: &&str| reading.header(name).is_some_and(|value| value.text().is_none());
            TEXTS.iter().any(|name| is_odd(&name)) || reading.header("jwk").is_some() || reading.header("x5c").is_some()
        },
        by: CRATE,
    },
    Rule {
        name: "whole-seconds",
        what: "`nbf` with a fraction of a second that is cut off",
        source: "RFC 7519 §2",
        why: "times are compared in whole seconds",
        refuses: None,
        applies: |reading, _| reading.claim("nbf").and_then(Json::number).is_some_and(|time| time.fract() != 0.0),
        by: CRATE,
    },
    Rule {
        name: "jti",
        what: "`jti` that is not text",
        source: "RFC 7519 §4.1.7",
        why: "it has no effect without a deny-list",
        refuses: None,
        applies: |reading, _| reading.claim("jti").is_some_and(|id| id.text().is_none()),
        by: PYTHON,
    },
];

#[expect(clippy::cast_precision_loss, reason = "times are far below 2^52")]
fn seconds(time: u64) -> f64 {
    time as f64
}

/// Text that is safe in a header and a log.
fn is_name(value: &Json) -> bool {
    value.text().is_some_and(|text| (1..=255).contains(&text.len()) && !text.chars().any(char::is_control))
}

/// Whether a number is not a finite double.
fn has_number_out_of_range(outside_literals: &str) -> bool {
    let is_part = |letter: char| letter.is_ascii_digit() || "+-.eE".contains(letter);
    let numerals = outside_literals.split(|letter| !is_part(letter));
    numerals.filter_map(|numeral| numeral.parse::<f64>().ok()).any(f64::is_infinite)
}

fn has_lone_surrogate(text: &str) -> bool {
    let units: Vec<_> = text
        .match_indices("\\u")
        .filter_map(|(at, _)| Some((at, u32::from_str_radix(text.get(at + 2..at + 6)?, 16).ok()?)))
        .collect();
    let is =
        |range: std::ops::Range<u32>, at: usize| units.iter().any(|(place, unit)| *place == at && range.contains(unit));
    units.iter().any(|(at, unit)| match unit {
        0xd800..0xdc00 => !is(0xdc00..0xe000, at + 6),
        0xdc00..0xe000 => at.checked_sub(6).is_none_or(|before| !is(0xd800..0xdc00, before)),
        _ => false,
    })
}
