//! Paths that two templates share, found segment by segment, because no single example path represents all of them.

mod budget;
mod examples;
mod shared_texts;

pub(super) use budget::{Budget, BudgetExceeded};
pub(super) use examples::Examples;

use fastgate::policy::pattern::{Convertor, Parameter, PathTemplate, Segment};

/// How many paths are compared if two templates share many.
const MOST_PATHS: usize = 6;

/// Some of the decoded paths that both match; empty if there are none. Parameters have values from `examples`.
pub(super) fn shared_paths(
    one: &[Segment],
    two: &[Segment],
    examples: &Examples,
    budget: &mut Budget,
) -> Result<Vec<String>, BudgetExceeded> {
    let mut search = Search { examples, budget, segments: Vec::new(), found: Vec::new() };
    if search.ends_fit(one, two)? {
        search.follow(one, two, 2)?;
    }
    Ok(search.found)
}

struct Search<'search> {
    examples: &'search Examples,
    budget: &'search mut Budget,
    /// The segments of the current path.
    segments: Vec<String>,
    found: Vec<String>,
}

impl Search<'_> {
    /// Whether the segments after the `path` parameters fit, compared from the end. This rules out most pairs of long
    /// templates.
    fn ends_fit(&mut self, one: &[Segment], two: &[Segment]) -> Result<bool, BudgetExceeded> {
        for (one, two) in one.iter().rev().zip(two.iter().rev()) {
            if matches!(one, Segment::Rest(_)) || matches!(two, Segment::Rest(_)) {
                break;
            }
            if self.text(one, two)?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// `longer`: how many segments more than necessary two `path` parameters may take at the same time.
    fn follow(&mut self, one: &[Segment], two: &[Segment], longer: usize) -> Result<(), BudgetExceeded> {
        let (Some((first, after_first)), Some((second, after_second))) = (one.split_first(), two.split_first()) else {
            if one.is_empty() && two.is_empty() {
                self.budget.spend(self.segments.len())?;
                self.found.push(format!("/{}", self.segments.join("/")));
            }
            return Ok(());
        };
        let Some(text) = self.text(first, second)? else { return Ok(()) };
        self.segments.push(text);
        // A rest takes the other's segment and ends, or continues.
        let (stays, other_stays) = (matches!(first, Segment::Rest(_)), matches!(second, Segment::Rest(_)));
        let mut branches = vec![(after_first, after_second, longer)];
        if stays {
            branches.push((one, after_second, longer));
        }
        if other_stays {
            branches.push((after_first, two, longer));
        }
        if stays && other_stays && longer > 0 {
            branches.push((one, two, longer - 1));
        }
        for (one, two, longer) in branches {
            if self.found.len() < MOST_PATHS {
                self.follow(one, two, longer)?;
            }
        }
        self.segments.pop();
        Ok(())
    }

    /// A text that fits both, if there is one.
    fn text(&mut self, one: &Segment, two: &Segment) -> Result<Option<String>, BudgetExceeded> {
        self.budget.spend(1)?;
        Ok(match (one, two) {
            (Segment::Literal(one), Segment::Literal(two)) => (one == two).then(|| one.clone()),
            (Segment::Parameter(parameter), Segment::Literal(text))
            | (Segment::Literal(text), Segment::Parameter(parameter)) => {
                parameter.capture(text).is_some().then(|| text.clone())
            }
            (Segment::Parameter(one), Segment::Parameter(two)) if takes_all_of(one, two) => Some(self.example(two)),
            (Segment::Parameter(one), Segment::Parameter(two)) if takes_all_of(two, one) => Some(self.example(one)),
            (Segment::Parameter(one), Segment::Parameter(two)) => {
                shared_texts::shared_text(one, two, self.examples, self.budget)?
            }
            (Segment::Rest(_), Segment::Rest(_)) => Some(self.examples.any.clone()),
            (Segment::Rest(_), Segment::Literal(text)) | (Segment::Literal(text), Segment::Rest(_)) => {
                Some(text.clone())
            }
            (Segment::Rest(_), Segment::Parameter(parameter)) | (Segment::Parameter(parameter), Segment::Rest(_)) => {
                Some(self.example(parameter))
            }
        })
    }

    fn example(&self, parameter: &Parameter) -> String {
        let value = match parameter.convertor {
            Convertor::Str => &self.examples.any,
            Convertor::Int | Convertor::Float => &self.examples.digits,
            Convertor::Uuid => &self.examples.uuid,
        };
        format!("{}{value}{}", parameter.prefix, parameter.suffix)
    }
}

/// Whether `one` certainly matches every text that `two` matches.
fn takes_all_of(one: &Parameter, two: &Parameter) -> bool {
    let around = two.prefix.starts_with(&one.prefix) && two.suffix.ends_with(&one.suffix);
    let same = (&one.prefix, &one.suffix) == (&two.prefix, &two.suffix);
    let wider = one.convertor == two.convertor || (one.convertor, two.convertor) == (Convertor::Float, Convertor::Int);
    (around && one.convertor == Convertor::Str) || (same && wider)
}

/// Whether `one` certainly matches every path that `two` matches. `false` if that depends on how many segments a `path`
/// parameter of `two` takes.
pub(super) fn covers(one: &PathTemplate, two: &PathTemplate) -> bool {
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
        (Segment::Parameter(one), Segment::Parameter(two)) => takes_all_of(one, two),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use fastgate::policy::pattern::PathTemplate;

    use super::{Budget, Examples, covers, shared_paths};

    /// Whether there is a path that both match; each that is found is looked at.
    fn overlap(one: &PathTemplate, two: &PathTemplate) -> bool {
        let examples = Examples::unlike([one, two].into_iter());
        let found = shared_paths(one.segments(), two.segments(), &examples, &mut Budget::new()).unwrap_or_default();
        for path in &found {
            let segments: Vec<_> = path.split('/').skip(1).collect();
            assert!(one.captures(&segments).is_some() && two.captures(&segments).is_some(), "{one:?} {two:?} {path}");
        }
        !found.is_empty()
    }

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
