//! Changes of a token, stage by stage.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::keys::{Signer, encoded, published};
use crate::random::Random;
use crate::tokens::{Draft, LEEWAY, Member};

/// Values of `alg`: names of other algorithms (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2), and malformed values.
const ALGORITHMS: [&str; 26] = [
    "\"none\"",
    "\"None\"",
    "\"NONE\"",
    "\"\"",
    "null",
    "1",
    "[\"ES256\"]",
    "{}",
    "true",
    "\"HS256\"",
    "\"HS512\"",
    "\"RS256\"",
    "\"RS384\"",
    "\"PS256\"",
    "\"ES256\"",
    "\"ES384\"",
    "\"ES512\"",
    "\"ES256K\"",
    "\"EdDSA\"",
    "\"Ed25519\"",
    "\"Ed25519\"",
    "\"Ed448\"",
    "\"es256\"",
    "\" ES256\"",
    "\"ES256\\u0000\"",
    "\"\\u0045S256\"",
];
const KEY_IDS: [&str; 17] = [
    "\"ec-1\"",
    "\"ec-2\"",
    "\"ed-1\"",
    "\"rsa-1\"",
    "\"ec-3\"",
    "\"\"",
    "\"EC-1\"",
    "\"ec-1 \"",
    "\"ec-1\\u0000\"",
    "\"\\u0065c-1\"",
    "null",
    "1",
    "[\"ec-1\"]",
    "{}",
    "true",
    "\"../ec-1\"",
    "\"\u{435}c-1\"",
];
const TYPES: [&str; 21] = [
    "\"at+jwt\"",
    "\"AT+JWT\"",
    "\"At+Jwt\"",
    "\"application/at+jwt\"",
    "\"APPLICATION/AT+JWT\"",
    "\"JWT\"",
    "\"jwt\"",
    "\"JOSE\"",
    "\"dpop+jwt\"",
    "\"logout+jwt\"",
    "\"secevent+jwt\"",
    "\"\"",
    "null",
    "1",
    "[\"at+jwt\"]",
    "{}",
    "\"at+jwt \"",
    "\"at+jwt;v=1\"",
    "\"application/x/at+jwt\"",
    "\"text/at+jwt\"",
    "\"a\\u0074+jwt\"",
];
const CRITICAL: [&str; 11] = [
    "[]",
    "[\"exp\"]",
    "[\"b64\"]",
    "[\"foo\"]",
    "[\"kid\"]",
    "[\"alg\"]",
    "\"exp\"",
    "[1]",
    "null",
    "{}",
    "[\"b64\",\"b64\"]",
];
const CONTENT_TYPES: [&str; 12] = [
    "\"JWT\"",
    "\"jwt\"",
    "\"application/jwt\"",
    "\"JOSE\"",
    "\"jose+json\"",
    "\"text/plain\"",
    "\"json\"",
    "\"\"",
    "1",
    "null",
    "[\"JWT\"]",
    "\"jwt; v=1\"",
];
/// Members about keys, about encryption, or without a meaning. They are ignored.
const IGNORED: [&str; 12] = ["jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256", "zip", "enc", "url", "nonce", "foo", "apu"];
const ANY: [&str; 21] = [
    "null",
    "true",
    "false",
    "0",
    "-1",
    "1.5",
    "1e3",
    "\"\"",
    "\"x\"",
    "\"DEF\"",
    "\"A256GCM\"",
    "[]",
    "[\"x\"]",
    "[1]",
    "[null]",
    "{}",
    "{\"a\":{\"a\":1}}",
    "\"\\ud83d\\ude00\"",
    "\"https://evil.test/\"",
    "\"\\u0000\"",
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}",
];
const AUDIENCES: [&str; 25] = [
    "\"api\"",
    "[\"api\"]",
    "[\"x\",\"api\"]",
    "[\"api\",\"x\"]",
    "[\"api\",\"api\"]",
    "[\"x\"]",
    "[]",
    "\"\"",
    "[\"\"]",
    "null",
    "1",
    "true",
    "{}",
    "{\"api\":1}",
    "[1]",
    "[\"api\",1]",
    "[null,\"api\"]",
    "[[\"api\"]]",
    "\"API\"",
    "\"api \"",
    "\"api/x\"",
    "\"ap\"",
    "\"\\u0061pi\"",
    "\"\u{430}pi\"",
    "\"api x\"",
];
const ISSUERS: [&str; 15] = [
    "\"https://idp.test\"",
    "\"https://idp.test/\"",
    "\"https://IDP.test\"",
    "\"https://idp.test.evil\"",
    "\"\"",
    "null",
    "1",
    "[\"https://idp.test\"]",
    "[\"https://evil.test\",\"https://idp.test\"]",
    "{}",
    "true",
    "\"https:\\/\\/idp.test\"",
    "\"https://idp.test\\u0000\"",
    "\"http://idp.test\"",
    "\"https://idp.t\u{435}st\"",
];
const SUBJECTS: [&str; 13] = [
    "\"ada\"",
    "\"\"",
    "null",
    "1",
    "true",
    "[\"ada\"]",
    "{}",
    "\"\\u0000\"",
    "\"a\\nb\"",
    "\"\\u007f\"",
    "\" \"",
    "\"\\ud83d\\ude00\"",
    "\"\u{85}\"",
];
const MARKS: [&str; 9] = ["nonce", "at_hash", "c_hash", "jti", "jti", "client_id", "azp", "scope", "roles"];

fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

/// Writes `value` for the member `name`: replaces it, or adds it.
fn set(members: &mut Vec<Member>, name: &str, value: &str) {
    let name = quoted(name);
    match members.iter_mut().find(|(known, _)| *known == name) {
        Some(member) => value.clone_into(&mut member.1),
        None => members.push((name, value.to_owned())),
    }
}

fn remove(members: &mut Vec<Member>, name: &str) {
    members.retain(|(known, _)| *known != quoted(name));
}

pub(crate) fn header(random: &mut Random, draft: &mut Draft) {
    let header = &mut draft.header;
    draft.made_by.push(match random.below(16) {
        0..4 => {
            set(header, "alg", random.pick(&ALGORITHMS));
            "alg"
        }
        4..6 => {
            set(header, "kid", random.pick(&KEY_IDS));
            "kid"
        }
        6..8 => {
            set(header, "typ", random.pick(&TYPES));
            "typ"
        }
        8 => {
            set(header, "crit", random.pick(&CRITICAL));
            if random.below(2) == 0 {
                set(header, "foo", "1");
            }
            "crit"
        }
        9 => {
            set(header, "b64", random.pick(&["true", "false", "null", "1"]));
            if random.below(2) == 0 {
                set(header, "crit", "[\"b64\"]");
            }
            "b64"
        }
        10 => {
            set(header, "cty", random.pick(&CONTENT_TYPES));
            "cty"
        }
        11..13 => {
            set(header, random.pick(&IGNORED), random.pick(&ANY));
            "ignored member"
        }
        13 => {
            let name = random.pick(&["alg", "kid", "typ"]);
            remove(header, name);
            "header member removed"
        }
        14 => {
            repeat(random, header);
            "header member repeated"
        }
        _ => {
            let length = random.pick(&[1_000, 5_000, 6_100, 6_500]);
            set(header, "x5c", &format!("[\"{}\"]", "A".repeat(length)));
            "long header"
        }
    });
}

pub(crate) fn claim(random: &mut Random, draft: &mut Draft) {
    let claims = &mut draft.claims;
    draft.made_by.push(match random.below(15) {
        0..3 => {
            set(claims, "aud", random.pick(&AUDIENCES));
            "aud"
        }
        3 => {
            let many: Vec<_> = (0..300).map(|number| format!("\"a{number}\"")).collect();
            set(claims, "aud", &format!("[{},\"api\"]", many.join(",")));
            "many aud"
        }
        4..6 => {
            set(claims, "iss", random.pick(&ISSUERS));
            "iss"
        }
        6..8 => {
            set(claims, "sub", random.pick(&SUBJECTS));
            "sub"
        }
        8 => {
            let length = random.pick(&[254, 255, 256, 10_000]);
            set(claims, "sub", &quoted(&"s".repeat(length)));
            "long sub"
        }
        9..11 => {
            set(claims, random.pick(&MARKS), random.pick(&ANY));
            "another claim"
        }
        11 => {
            let name = random.pick(&["iss", "aud", "sub", "client_id", "iat", "exp", "scope"]);
            remove(claims, name);
            "claim removed"
        }
        12 => {
            repeat(random, claims);
            "claim repeated"
        }
        13 => {
            let depth = random.pick(&[2, 100, 125, 126, 127, 128, 200, 900, 3_000]);
            let (open, close) = random.pick(&[("[", "]"), ("{\"a\":", "}")]);
            set(claims, "deep", &format!("{}1{}", open.repeat(depth), close.repeat(depth)));
            "deep claim"
        }
        _ => {
            let length = random.pick(&[3_000, 20_000, 23_500, 25_000]);
            set(claims, "long", &quoted(&"x".repeat(length)));
            "long claim"
        }
    });
}

/// Repeats a member, with the same value or another one, unchanged or spelled with an escape, at the end or in a claim.
fn repeat(random: &mut Random, members: &mut Vec<Member>) {
    let Some((name, value)) = members.get(random.below(members.len().max(1))).cloned() else { return };
    let value = if random.below(2) == 0 { value } else { random.pick(&ANY).to_owned() };
    let escaped = format!("\"\\u{:04x}{}", name.as_bytes()[1], &name[2..]);
    match random.below(4) {
        0 => members.push((escaped, value)),
        1 => members.push((quoted("within"), format!("{{{name}:1,{name}:{value}}}"))),
        2 => members.insert(0, (name, value)),
        _ => members.push((name, value)),
    }
}

/// A `NumericDate` (RFC 7519 §2) near the accepted range, or a malformed one.
pub(crate) fn time(random: &mut Random, draft: &mut Draft) {
    let now = draft.now;
    let (claim, edge) = random.pick(&[
        ("exp", now - LEEWAY),
        ("exp", now - LEEWAY),
        ("exp", now),
        ("nbf", now + LEEWAY),
        ("nbf", now),
        ("iat", now + LEEWAY),
        ("iat", now),
    ]);
    let near = edge + random.pick(&[0, 1, 2, 3, 4]) - 2;
    let value = match random.below(24) {
        0..9 => near.to_string(),
        9 => format!("{near}.0"),
        10 => format!("{near}.5"),
        11 => format!("{near}.25"),
        12 => format!("{near}.999999"),
        13 => format!("{near}e0"),
        14 => format!("{near}0E-1"),
        15 => quoted(&near.to_string()),
        16 => quoted(&format!("{near}.5")),
        17 => format!("[{near}]"),
        18 => random.pick(&["null", "true", "false", "{}", "\"\"", "\"now\"", "\"1e300\""]).to_owned(),
        19 => random.pick(&["0", "-0", "-0.0", "0.0", "1", "-1", "-1.5", "-0.5", "1e-5"]).to_owned(),
        20 => random.pick(&["253402300799", "253402300799.5", "253402300800", "1e300", "1.0E12"]).to_owned(),
        21 => {
            random.pick(&["4294967296", "9007199254740993", "9223372036854775808", "18446744073709551615"]).to_owned()
        }
        22 => random.pick(&["18446744073709551616", "1e19", "1e400", "-1e400", "NaN", "Infinity"]).to_owned(),
        _ => random.pick(&["01", "+1", ".5", "1.", "0x10", "1_000", "1e", "--1", "-"]).to_owned(),
    };
    set(&mut draft.claims, claim, &value);
    draft.made_by.push("time");
}

/// Changes a text that was a JSON object.
pub(crate) fn text(random: &mut Random, text: &mut Vec<u8>, made_by: &mut Vec<&'static str>) {
    let mut within = |json: &str| {
        text.pop();
        text.extend(format!(",\"more\":{json}}}").into_bytes());
    };
    made_by.push(match random.below(14) {
        0 => {
            within(random.pick(&["\"\\ud800\"", "\"\\udc00\\ud800\"", "[\"x\\ud800\"]", "{\"\\udfff\":1}"]));
            "lone surrogate"
        }
        1 => {
            within(random.pick(&["NaN", "Infinity", "-Infinity", "[NaN]", "nan", "undefined", "'x'"]));
            "no JSON value"
        }
        2 => {
            let digits = "9".repeat(random.pick(&[20, 300, 308, 310, 4_000, 5_000]));
            within(random.pick(&["1e400", "-1e999", "1e-999", "1E308", &digits, "0.1e1", "12345678901234567890123"]));
            "odd number"
        }
        3 => {
            within(random.pick(&["01", "1.", "+1", "[1,]", "\"\\x\"", "\"\t\"", "/**/1", "\"\\u12\"", "tru", "1 2"]));
            "no JSON"
        }
        4 => {
            let space = random.pick(&[" ", "\n", "\t", "\r\n", "\u{a0}", "\u{feff}", "\u{c}", "\u{b}", "\0"]);
            text.splice(0..0, space.bytes());
            "before the JSON"
        }
        5 => {
            text.extend(
                random.pick(&[" ", "\n", "\t\r\n", "\0", "\u{a0}", "{}", "x", ",", "}", "//", "\u{c}"]).bytes(),
            );
            "after the JSON"
        }
        6 => {
            let space = random.pick(&[" ", "\n", "\t \r\n", "\u{a0}", "\u{c}", "/**/"]);
            text.splice(1..1, space.bytes());
            "in the JSON"
        }
        7 => {
            let odd: [&[u8]; 6] = [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc3\xa9", b"\x80"];
            text.pop();
            text.extend([b",\"more\":\"".as_slice(), random.pick(&odd), b"\"}"].concat());
            "octets"
        }
        8 => {
            let whole = ["[]", "null", "1", "\"x\"", "", "{}", "true", "{", "}", "[{}]"];
            *text = random.pick(&whole).as_bytes().to_vec();
            "another JSON value"
        }
        9 => {
            *text = [b"[".as_slice(), text, b"]"].concat();
            "in a list"
        }
        10 => {
            let words = String::from_utf8_lossy(text).into_owned();
            *text = match random.below(3) {
                0 => words.encode_utf16().flat_map(u16::to_le_bytes).collect(),
                1 => words.encode_utf16().flat_map(u16::to_be_bytes).collect(),
                _ => words.chars().flat_map(|letter| u32::from(letter).to_le_bytes()).collect(),
            };
            "UTF-16 or UTF-32"
        }
        11 => {
            text.pop();
            "cut off"
        }
        12 => {
            within(random.pick(&ANY));
            "more"
        }
        // Digits are not changed: a time with a changed digit would have a result that depends on the current time.
        _ => {
            let places: Vec<usize> = (0..text.len()).filter(|place| !text[*place].is_ascii_digit()).collect();
            let place = random.pick(&places);
            text[place] = random.pick(b" \"\\:,{}[]x\x00\x7f\x1f");
            "an octet changed"
        }
    });
}

/// Changes the encoding of a text, before it is signed.
pub(crate) fn segment(random: &mut Random, segment: &mut String, made_by: &mut Vec<&'static str>) {
    let place = random.below(segment.len() + 1);
    made_by.push(match random.below(8) {
        0 => {
            while !segment.len().is_multiple_of(4) {
                segment.push('=');
            }
            "padded"
        }
        1 => {
            segment.push_str(random.pick(&["=", "==", "===", "A", "AA", "AAA"]));
            "longer segment"
        }
        2 => {
            segment.insert_str(place, random.pick(&[" ", "\n", "\r\n", "\t", "%3D", "+", "/", "\0", "\u{e9}", "="]));
            "in the segment"
        }
        3 => {
            segment.clear();
            "empty segment"
        }
        4 => {
            segment.insert_str(0, random.pick(&[" ", "\n", "=", "."]));
            "before the segment"
        }
        5 => {
            segment.push_str(random.pick(&[" ", "\n", "."]));
            "after the segment"
        }
        6 => {
            let bits = spare_bits(segment);
            *segment = bits;
            "spare bits"
        }
        _ => {
            segment.pop();
            "segment cut off"
        }
    });
}

/// The same octets with other unused bits in the last character (RFC 4648 §3.5).
fn spare_bits(segment: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = segment.chars().last().and_then(|last| ALPHABET.find(last));
    match (segment.len() % 4, last) {
        (2 | 3, Some(number)) => format!("{}{}", &segment[..segment.len() - 1], &ALPHABET[number + 1..number + 2]),
        _ => segment.to_owned(),
    }
}

/// The token with another signature.
pub(crate) fn signature(random: &mut Random, content: &str, signature: &[u8], draft: &mut Draft) -> String {
    let mut octets = signature.to_vec();
    let half = octets.len() / 2;
    let made = match random.below(14) {
        0 => {
            let place = random.below(octets.len());
            octets[place] ^= 1 << random.below(8);
            "a bit of the signature flipped"
        }
        1 => {
            octets.truncate(random.pick(&[0, 1, 32, 63]));
            "signature cut off"
        }
        2 => {
            octets.push(0);
            "signature longer"
        }
        3 => {
            octets.insert(0, 0);
            "a zero before the signature"
        }
        4 => {
            octets.fill(0);
            "zeros for a signature"
        }
        5 => {
            octets.rotate_left(half);
            "halves of the signature swapped"
        }
        6 => {
            octets = der(&octets[..half], &octets[half..]);
            "signature in DER"
        }
        7 => {
            octets = Signer::Stranger.sign(content.as_bytes());
            "signed with another key"
        }
        8 => {
            let key = published()[0].to_string();
            octets = hmac_sha256::HMAC::mac(content.as_bytes(), key.as_bytes()).to_vec();
            "HMAC with the public key"
        }
        9 => {
            octets = draft.signer.sign(format!("{content}.").as_bytes());
            "another message signed"
        }
        // The same octets in another spelling: a published key has signed these.
        same => {
            draft.is_signed = draft.signer != Signer::Stranger;
            draft.made_by.push("signature written in another way");
            return match same {
                10 => format!("{content}.{}=", encoded(&octets)),
                11 => format!("{content}.{}==", encoded(&octets)),
                12 => format!("{content}.+{}", &STANDARD_NO_PAD.encode(&octets)[1..]),
                _ => format!("{content}.{}", spare_bits(&encoded(&octets))),
            };
        }
    };
    draft.is_signed = false;
    draft.made_by.push(made);
    format!("{content}.{}", encoded(octets))
}

/// `r` and `s` in the encoding of X.509.
fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| {
        let number = if number[0] < 0x80 { number.to_vec() } else { [&[0], number].concat() };
        [&[2, u8::try_from(number.len() & 0x7f).unwrap()], number.as_slice()].concat()
    };
    let both = [integer(r), integer(s)].concat();
    [&[0x30, u8::try_from(both.len() & 0x7f).unwrap()], both.as_slice()].concat()
}

/// Changes the token as a whole.
pub(crate) fn whole(random: &mut Random, compact: &mut String, draft: &mut Draft) {
    draft.made_by.push(match random.below(7) {
        0 => {
            compact.insert_str(0, random.pick(&[" ", "\n", ".", "\u{feff}", "Bearer ", "\0"]));
            "before the token"
        }
        1 => {
            compact.push_str(random.pick(&[" ", "\n", ".", ".AAAA", "\0", "\r\n", ",x"]));
            "after the token"
        }
        2 => {
            *compact = compact.replacen('.', "..", 1);
            "two dots"
        }
        3 => {
            *compact = compact.rsplit_once('.').map_or_else(String::new, |(content, _)| content.to_owned());
            draft.is_signed = false;
            "no signature"
        }
        4 => {
            *compact = compact.rsplit_once('.').map_or_else(String::new, |(content, _)| format!("{content}."));
            draft.is_signed = false;
            "empty signature"
        }
        5 => {
            compact.make_ascii_lowercase();
            draft.is_signed = false;
            "lower case"
        }
        _ => {
            // The signature depends on the time, and so does its spelling.
            *compact = compact.replace(['-', '_'], "+") + "+/";
            draft.is_signed = false;
            "another alphabet"
        }
    });
}
