//! Texts that two parameters of one segment share.

use fastgate::policy::pattern::{Convertor, Parameter};

use super::budget::{Budget, BudgetExceeded};
use super::examples::Examples;

/// The budget of one step of the search.
const STEP: usize = 4;

/// The texts of one parameter, as a sequence of letters.
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

/// A text that fits both parameters, if there is one.
pub(super) fn shared_text(
    one: &Parameter,
    two: &Parameter,
    examples: &Examples,
    budget: &mut Budget,
) -> Result<Option<String>, BudgetExceeded> {
    let (before, after) = ((&one.prefix, &two.prefix), (&one.suffix, &two.suffix));
    let one_begins = before.0.starts_with(before.1.as_str()) || before.1.starts_with(before.0.as_str());
    let one_ends = after.0.ends_with(after.1.as_str()) || after.1.ends_with(after.0.as_str());
    if !one_begins || !one_ends {
        return Ok(None);
    }
    for one in words(one) {
        for two in words(two) {
            budget.spend(one.len() + two.len())?;
            if let Some(text) = text_of_both(&one, &two, examples, budget)? {
                return Ok(Some(text));
            }
        }
    }
    Ok(None)
}

/// A text that fits both: a search through the pairs of positions that one text can reach.
fn text_of_both(
    one: &Word,
    two: &Word,
    examples: &Examples,
    budget: &mut Budget,
) -> Result<Option<String>, BudgetExceeded> {
    // The pairs that were reached, each with the text that reached it and the pair before it.
    let mut reached = std::collections::BTreeMap::new();
    let mut waiting = vec![((0, 0), String::new(), None)];
    while let Some(((left, right), text, earlier)) = waiting.pop() {
        if reached.contains_key(&(left, right)) {
            continue;
        }
        budget.spend(STEP)?;
        reached.insert((left, right), (text, earlier));
        if (left, right) == (one.len(), two.len()) {
            return Ok(Some(written(&reached, (left, right))));
        }
        let here = Some((left, right));
        let (ours, theirs) = (one.get(left), two.get(right));
        if ours.is_some_and(|(_, times)| *times == Times::OnceOrNever) {
            waiting.push(((left + 1, right), String::new(), here));
        }
        if theirs.is_some_and(|(_, times)| *times == Times::OnceOrNever) {
            waiting.push(((left, right + 1), String::new(), here));
        }
        let (Some(ours), Some(theirs)) = (ours, theirs) else { continue };
        let Some(letter) = shared_letter(ours.0, theirs.0) else { continue };
        let text = match (ours, theirs) {
            ((Letter::Any, Times::OnceOrMore), (Letter::Any, Times::OnceOrMore)) => examples.any.clone(),
            ((_, Times::OnceOrMore), (_, Times::OnceOrMore)) => examples.digits.clone(),
            _ => letter.to_string(),
        };
        for next_left in after(left, ours.1) {
            waiting.extend(after(right, theirs.1).map(|next_right| ((next_left, next_right), text.clone(), here)));
        }
    }
    Ok(None)
}

type Steps = (usize, usize);

fn written(reached: &std::collections::BTreeMap<Steps, (String, Option<Steps>)>, end: Steps) -> String {
    let mut parts = Vec::new();
    let mut at = Some(end);
    while let Some((text, earlier)) = at.and_then(|at| reached.get(&at)) {
        parts.push(text.as_str());
        at = *earlier;
    }
    parts.reverse();
    parts.concat()
}

/// The positions after a letter at this one.
fn after(step: usize, times: Times) -> impl Iterator<Item = usize> {
    let stays = (times == Times::OnceOrMore).then_some(step);
    stays.into_iter().chain([step + 1])
}

/// A letter that matches both.
const fn shared_letter(one: Letter, two: Letter) -> Option<char> {
    match (one, two) {
        (Letter::One(letter), other) | (other, Letter::One(letter)) => match other {
            Letter::Any => Some(letter),
            Letter::One(other) if letter == other => Some(letter),
            Letter::Digit if letter.is_ascii_digit() => Some(letter),
            Letter::HexDigit if letter.is_ascii_hexdigit() => Some(letter),
            _ => None,
        },
        (Letter::Any, Letter::Any) => Some('x'),
        (Letter::Digit | Letter::HexDigit | Letter::Any, _) => Some('7'),
    }
}
