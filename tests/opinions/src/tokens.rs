//! Nearly valid tokens. A token is made in four stages, each of which may introduce a fault: members, JSON texts,
//! encoded segments, and the whole.

use crate::keys::{Signer, encoded};
use crate::mutations;
use crate::random::Random;

/// The permitted difference of clocks, in seconds.
pub(crate) const LEEWAY: u64 = 60;
pub(crate) const ISSUER: &str = "https://idp.test";
pub(crate) const AUDIENCE: &str = "api";

/// A token, the time of the judgement, and the changes.
#[derive(Debug)]
#[expect(dead_code, reason = "shown if a test fails")]
pub(crate) struct Token {
    pub(crate) number: u64,
    pub(crate) made_by: Vec<&'static str>,
    pub(crate) now: u64,
    /// Whether a published key has signed exactly these octets.
    pub(crate) is_signed: bool,
    pub(crate) texts: [String; 2],
    pub(crate) compact: String,
}

/// A member of a JSON object: its name and value as JSON text.
pub(crate) type Member = (String, String);

/// An unfinished token.
pub(crate) struct Draft {
    pub(crate) now: u64,
    pub(crate) signer: Signer,
    pub(crate) header: Vec<Member>,
    pub(crate) claims: Vec<Member>,
    pub(crate) is_signed: bool,
    pub(crate) made_by: Vec<&'static str>,
}

impl Draft {
    /// The members of a good token.
    fn good(now: u64, signer: Signer) -> Self {
        let text = |text: &str| format!("\"{text}\"");
        let member = |(name, value): (&str, String)| (text(name), value);
        let header =
            [("alg", text(signer.algorithm())), ("typ", text("at+jwt")), ("kid", text(signer.kid()))].map(member);
        let claims = [
            ("iss", text(ISSUER)),
            ("aud", text(AUDIENCE)),
            ("sub", text("ada")),
            ("client_id", text("shop")),
            ("iat", (now - 60).to_string()),
            ("exp", (now + 600).to_string()),
            ("scope", text("orders:read")),
        ]
        .map(member);
        let is_signed = signer != Signer::Stranger;
        Self { now, signer, header: header.into(), claims: claims.into(), is_signed, made_by: Vec::new() }
    }
}

/// Token `number`, for the time `now`; another time changes only the times in the token.
pub(crate) fn token(number: u64, now: u64) -> Token {
    let mut random = Random(number);
    let signer = match random.below(40) {
        0..22 => Signer::EcOne,
        22..27 => Signer::EcTwo,
        27..37 => Signer::Ed,
        37..39 => Signer::Rsa,
        _ => Signer::Stranger,
    };
    let mut draft = Draft::good(now, signer);
    let changes = [0, 1, 1, 1, 1, 1, 1, 1, 2, 3][random.below(10)];
    let stages: Vec<usize> = (0..changes).map(|_| random.below(20)).collect();
    let at = |stages: &[usize], from, to| stages.iter().filter(|stage| (from..to).contains(*stage)).count();
    for _ in 0..at(&stages, 0, 5) {
        mutations::header(&mut random, &mut draft);
    }
    for _ in 0..at(&stages, 5, 9) {
        mutations::claim(&mut random, &mut draft);
    }
    for _ in 0..at(&stages, 9, 13) {
        mutations::time(&mut random, &mut draft);
    }
    let mut texts = [object(&draft.header), object(&draft.claims)];
    for _ in 0..at(&stages, 13, 16) {
        let which = random.below(2);
        mutations::text(&mut random, &mut texts[which], &mut draft.made_by);
    }
    let shown = texts.each_ref().map(|text| String::from_utf8_lossy(text).into_owned());
    let mut segments = texts.map(encoded);
    for _ in 0..at(&stages, 16, 17) {
        let which = random.below(2);
        mutations::segment(&mut random, &mut segments[which], &mut draft.made_by);
    }
    let content = segments.join(".");
    let signature = draft.signer.sign(content.as_bytes());
    let mut compact = format!("{content}.{}", encoded(&signature));
    for _ in 0..at(&stages, 17, 19) {
        compact = mutations::signature(&mut random, &content, &signature, &mut draft);
    }
    if at(&stages, 19, 20) > 0 {
        mutations::whole(&mut random, &mut compact, &mut draft);
    }
    Token { number, made_by: draft.made_by, now, is_signed: draft.is_signed, texts: shown, compact }
}

fn object(members: &[Member]) -> Vec<u8> {
    let members: Vec<_> = members.iter().map(|(name, value)| format!("{name}:{value}")).collect();
    format!("{{{}}}", members.join(",")).into_bytes()
}
