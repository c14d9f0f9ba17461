//! Public routes that take requests which a protected one seems to stand for. Templates are compared segment by segment: no
//! example path stands for all of them.

use fastgate::policy::pattern::{Convertor, Parameter, PathTemplate, Segment};
use fastgate::policy::{MethodName, Route};

/// What is left open where a public route and a protected one match some of the same paths. A public route all of whose
/// paths are the protected one's is an exception that somebody has named.
pub(super) fn left_open(public: &Route, protected: &Route) -> Option<String> {
    if !overlap(&public.template, &protected.template) {
        return None;
    }
    let within = covers(&protected.template, &public.template);
    if within && !covers(&public.template, &protected.template) {
        return None;
    }
    let goes_first = public.template.cmp_specificity(&protected.template).is_gt();
    let left = named(public, |method| {
        public.websocket != protected.websocket || goes_first || !protected.methods.contains(method)
    })?;
    Some(format!("lets everybody use {left} on the paths of the protected route \"{}\"", protected.id))
}

/// What a public route takes because a convertor of the protected route does not match it, although an application may read
/// it as a value that this convertor stands for.
pub(super) fn spelled_otherwise(public: &Route, protected: &Route) -> Option<String> {
    // That such a route takes everything is said of it already.
    if public.websocket != protected.websocket || matches!(public.template.segments(), [Segment::Rest(_)]) {
        return None;
    }
    let shared = named(public, |method| protected.methods.contains(method))?;
    let mut spellings = protected.template.segments().iter().enumerate().flat_map(|(index, segment)| {
        let other = move |text: &&str| Some((index, respelled(segment, text)?));
        others(segment).iter().filter_map(other)
    });
    spellings.find_map(|(index, text)| {
        let segments = protected.template.segments().iter().enumerate();
        let segments: Vec<_> =
            segments.map(|(at, segment)| if at == index { text.clone() } else { segment.clone() }).collect();
        let Segment::Literal(shown) = &text else { return None };
        paths_overlap(&segments, public.template.segments()).then(|| {
            format!(
                "lets everybody use {shared} where the path has \"{shown}\", which the protected route \"{}\" does not match \
                 and an application may read as the same value",
                protected.id
            )
        })
    })
}

fn named(public: &Route, is_meant: impl Fn(&MethodName) -> bool) -> Option<String> {
    let name = |method: &MethodName| if public.websocket { "WebSockets" } else { method.as_str() };
    let names: Vec<_> = public.methods.iter().filter(|method| is_meant(method)).map(name).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// Texts that Python reads as a value of the convertor, and that the convertor does not match.
const fn others(segment: &Segment) -> &'static [&'static str] {
    match segment {
        Segment::Parameter(Parameter { convertor: Convertor::Int, .. }) => &["+7", "7.0"],
        Segment::Parameter(Parameter { convertor: Convertor::Float, .. }) => &["+7", "7e0"],
        Segment::Parameter(Parameter { convertor: Convertor::Uuid, .. }) => {
            &["urn:uuid:00000000-0000-0000-0000-000000000000"]
        }
        Segment::Parameter(_) | Segment::Literal(_) | Segment::Rest(_) => &[],
    }
}

fn respelled(segment: &Segment, text: &str) -> Option<Segment> {
    let Segment::Parameter(Parameter { prefix, suffix, .. }) = segment else { return None };
    Some(Segment::Literal(format!("{prefix}{text}{suffix}")))
}

/// Whether there is a path that both match.
fn overlap(one: &PathTemplate, two: &PathTemplate) -> bool {
    paths_overlap(one.segments(), two.segments())
}

fn paths_overlap(one: &[Segment], two: &[Segment]) -> bool {
    let (Some((first, after_first)), Some((second, after_second))) = (one.split_first(), two.split_first()) else {
        return one.is_empty() && two.is_empty();
    };
    // A rest takes the other's segment and stays for more, or is done with it.
    match (first, second) {
        (Segment::Rest(_), Segment::Rest(_)) => {
            paths_overlap(after_first, after_second)
                || paths_overlap(one, after_second)
                || paths_overlap(after_first, two)
        }
        (Segment::Rest(_), _) => paths_overlap(after_first, after_second) || paths_overlap(one, after_second),
        (_, Segment::Rest(_)) => paths_overlap(after_first, after_second) || paths_overlap(after_first, two),
        _ => segments_overlap(first, second) && paths_overlap(after_first, after_second),
    }
}

fn segments_overlap(one: &Segment, two: &Segment) -> bool {
    match (one, two) {
        (Segment::Literal(one), Segment::Literal(two)) => one == two,
        (Segment::Parameter(parameter), Segment::Literal(text))
        | (Segment::Literal(text), Segment::Parameter(parameter)) => parameter.capture(text).is_some(),
        (Segment::Parameter(one), Segment::Parameter(two)) => {
            words(one).iter().any(|left| words(two).iter().any(|right| words_overlap(left, right)))
        }
        (Segment::Rest(_), _) | (_, Segment::Rest(_)) => true,
    }
}

/// Whether `one` surely matches every path that `two` matches. No, where that depends on how many segments a `path`
/// parameter of `two` takes.
fn covers(one: &PathTemplate, two: &PathTemplate) -> bool {
    let (ours, theirs) = (one.segments(), two.segments());
    for (index, segment) in ours.iter().enumerate() {
        if matches!(segment, Segment::Rest(_)) && index + 1 == ours.len() {
            return theirs.len() > index;
        }
        if !theirs.get(index).is_some_and(|other| segment_covers(segment, other)) {
            return false;
        }
    }
    ours.len() == theirs.len()
}

fn segment_covers(one: &Segment, two: &Segment) -> bool {
    match (one, two) {
        (Segment::Literal(one), Segment::Literal(two)) => one == two,
        (Segment::Parameter(one), Segment::Literal(text)) => one.capture(text).is_some(),
        (Segment::Parameter(one), Segment::Parameter(two)) => {
            let around = two.prefix.starts_with(&one.prefix) && two.suffix.ends_with(&one.suffix);
            let same = (&one.prefix, &one.suffix) == (&two.prefix, &two.suffix);
            let wider =
                one.convertor == two.convertor || (one.convertor, two.convertor) == (Convertor::Float, Convertor::Int);
            (around && one.convertor == Convertor::Str) || (same && wider)
        }
        _ => false,
    }
}

/// The texts of one parameter, as steps through them.
type Word = Vec<(Letter, Times)>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Letter {
    Any,
    One(char),
    Digit,
    HexDigit,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Times {
    Once,
    OnceOrMore,
    OnceOrNever,
}

fn words(parameter: &Parameter) -> Vec<Word> {
    let digits = (Letter::Digit, Times::OnceOrMore);
    let values: Vec<Word> = match parameter.convertor {
        Convertor::Str => vec![vec![(Letter::Any, Times::OnceOrMore)]],
        Convertor::Int => vec![vec![digits]],
        Convertor::Float => vec![vec![digits], vec![digits, (Letter::One('.'), Times::Once), digits]],
        Convertor::Uuid => {
            let groups = [8, 4, 4, 4, 12].map(|length| vec![(Letter::HexDigit, Times::Once); length]);
            vec![groups.join(&(Letter::One('-'), Times::OnceOrNever))]
        }
    };
    let text = |text: &str| text.chars().map(|letter| (Letter::One(letter), Times::Once)).collect::<Word>();
    values.into_iter().map(|value| [text(&parameter.prefix), value, text(&parameter.suffix)].concat()).collect()
}

/// Whether a text fits both: a search through the pairs of steps that one text can reach.
fn words_overlap(one: &Word, two: &Word) -> bool {
    let mut reached = std::collections::BTreeSet::new();
    let mut waiting = vec![(0, 0)];
    while let Some((left, right)) = waiting.pop() {
        if (left, right) == (one.len(), two.len()) {
            return true;
        }
        if !reached.insert((left, right)) {
            continue;
        }
        let (ours, theirs) = (one.get(left), two.get(right));
        if ours.is_some_and(|(_, times)| *times == Times::OnceOrNever) {
            waiting.push((left + 1, right));
        }
        if theirs.is_some_and(|(_, times)| *times == Times::OnceOrNever) {
            waiting.push((left, right + 1));
        }
        let (Some(ours), Some(theirs)) = (ours, theirs) else { continue };
        if !share_a_letter(ours.0, theirs.0) {
            continue;
        }
        for next_left in after(left, ours.1) {
            waiting.extend(after(right, theirs.1).map(|next_right| (next_left, next_right)));
        }
    }
    false
}

/// The steps at which a text may be after a letter of this one.
fn after(step: usize, times: Times) -> impl Iterator<Item = usize> {
    let stays = (times == Times::OnceOrMore).then_some(step);
    stays.into_iter().chain([step + 1])
}

fn share_a_letter(one: Letter, two: Letter) -> bool {
    match (one, two) {
        (Letter::One(one), Letter::One(two)) => one == two,
        (Letter::One(letter), Letter::Digit) | (Letter::Digit, Letter::One(letter)) => letter.is_ascii_digit(),
        (Letter::One(letter), Letter::HexDigit) | (Letter::HexDigit, Letter::One(letter)) => letter.is_ascii_hexdigit(),
        (Letter::Any | Letter::Digit | Letter::HexDigit, _) | (Letter::One(_), Letter::Any) => true,
    }
}

#[cfg(test)]
mod tests {
    use fastgate::policy::pattern::PathTemplate;

    use super::{covers, overlap};

    #[test]
    fn templates_overlap_where_one_path_fits_both() {
        let uuid = "/{x:uuid}";
        for (one, two, expected) in [
            ("/admin/{x}", "/{tenant}/docs", true),
            ("/admin/{x}/y", "/{tenant}/docs", false),
            ("/a", "/b", false),
            ("/{x:int}", "/{y}", true),
            ("/{x:int}", "/{y:float}", true),
            ("/{x:int}", "/{y:uuid}", true),
            ("/{x:int}", "/v{y}", false),
            ("/{x}.csv", "/v{y}", true),
            ("/{x}.csv", "/{y}.txt", false),
            ("/{x:int}.5", "/{y:float}", true),
            ("/{x:int}.a", "/{y:float}", false),
            ("/{x:int}", "/7a", false),
            (uuid, "/0123456789ab{y}", true),
            (uuid, "/01234567-{y}", true),
            (uuid, "/0123-{y}", false),
            ("/{p:path}", "/a/b", true),
            ("/a/{p:path}", "/a", false),
            ("/a/{p:path}/z", "/{x}/{y}/{z}", true),
            ("/a/{p:path}/z", "/{x}/z", false),
            ("/{p:path}/a", "/b/{p:path}", true),
            ("/{p:path}/a", "/b/{p:path}/c", false),
            ("/a/", "/{x}/{y}", false),
            ("/a/", "/a/{p:path}", true),
        ] {
            let (Ok(left), Ok(right)) = (PathTemplate::parse(one), PathTemplate::parse(two)) else {
                panic!("{one} {two}")
            };
            assert_eq!(overlap(&left, &right), expected, "{one} {two}");
            assert_eq!(overlap(&right, &left), expected, "{two} {one}");
        }
    }

    #[test]
    fn a_template_covers_another_where_it_surely_matches_all_of_it() {
        for (one, two, expected) in [
            ("/users/{x}", "/users/login", true),
            ("/users/login", "/users/{x}", false),
            ("/{x}", "/{y:int}", true),
            ("/{x:float}", "/{y:int}", true),
            ("/{x:int}", "/{y}", false),
            ("/{x}.csv", "/a{y}.csv", true),
            ("/{x:int}.csv", "/a{y:int}.csv", false),
            ("/{p:path}", "/a/{x}", true),
            ("/{p:path}", "/{q:path}/a", true),
            ("/a/{p:path}", "/a", false),
            ("/{x}/b", "/a/{y}", false),
        ] {
            let (Ok(left), Ok(right)) = (PathTemplate::parse(one), PathTemplate::parse(two)) else {
                panic!("{one} {two}")
            };
            assert_eq!(covers(&left, &right), expected, "{one} {two}");
        }
    }
}
