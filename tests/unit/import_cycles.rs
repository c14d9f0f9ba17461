//! No two files of `src/` import each other, directly or indirectly: each file can be understood with only its imports.
//! `mod name;` is not an import; a re-export (`pub use`) is one.

use std::collections::{BTreeMap, BTreeSet};

use crate::architecture::{code, sources};

type Imports = BTreeMap<String, BTreeSet<String>>;

#[test]
fn no_two_files_import_each_other() {
    let found = cycles(&imports(&sources()));
    assert!(found.is_empty(), "these files import each other:\n{}", describe(&found));
}

#[test]
fn every_way_to_import_is_noticed() {
    for (upper, lower, found) in [
        ("mod lower; use lower::Part;", "use super::Whole;", true),
        ("mod lower; pub use lower::{Part, Piece};", "use crate::upper::Whole;", true),
        ("mod lower; fn f() { lower::part() }", "fn f() -> super::Whole { todo() }", true),
        ("mod lower; use self::lower as part;", "use crate::{other, upper::{Whole, Half}};", true),
        ("mod lower; use crate::upper::lower::*;", "use super::*;", true),
        ("mod lower;", "use super::Whole;", false),
        ("mod lower; use lower::part;", "pub(in crate::upper) fn part() {}", false),
        ("mod lower; use lower::Part;", "// use super::Whole;\nfn f() {}", false),
        ("mod lower; use lower::Part;", "fn f() {}\n#[cfg(test)]\nmod tests { use super::super::Whole; }", false),
        ("mod lower; use lower::Part;", "use super::super::other::Thing; use std::upper::Whole;", false),
    ] {
        let files = [("upper.rs", upper), ("upper/lower.rs", lower), ("other.rs", ""), ("lib.rs", "pub mod upper;")];
        let files = files.into_iter().map(|(file, text)| (file.to_owned(), text.to_owned())).collect();
        let expected = if found { vec![vec!["upper.rs".to_owned(), "upper/lower.rs".to_owned()]] } else { Vec::new() };
        assert_eq!(cycles(&imports(&files)), expected, "{upper:?} {lower:?}");
    }
}

/// The files that each file refers to.
fn imports(files: &BTreeMap<String, String>) -> Imports {
    let modules: BTreeMap<Vec<&str>, &String> = files.keys().map(|file| (module_path(file), file)).collect();
    let named = |file: &String, text: &String| {
        let own = module_path(file);
        let target = |path: Vec<String>| {
            let path = absolute(&path, &own, |path| modules.contains_key(path))?;
            let deepest = (1..=path.len()).rev().find_map(|length| modules.get(&path[..length]))?;
            (*deepest != file).then(|| (*deepest).clone())
        };
        paths(&code(text)).into_iter().filter_map(target).collect()
    };
    files.iter().map(|(file, text)| (file.clone(), named(file, text))).collect()
}

/// `["policy", "fault"]` for `policy/fault.rs`; the file of the crate itself is its own module.
pub(crate) fn module_path(file: &str) -> Vec<&str> {
    file.trim_end_matches(".rs").split('/').collect()
}

/// A path from the crate's root; `None` if it leads to another crate.
pub(crate) fn absolute<'path>(
    path: &'path [String],
    own: &[&'path str],
    is_module: impl Fn(&[&str]) -> bool,
) -> Option<Vec<&'path str>> {
    let mut base = own.to_vec();
    let mut rest = path.iter().map(String::as_str).peekable();
    match rest.peek().copied()? {
        "crate" => {
            base.clear();
            rest.next();
        }
        "self" => drop(rest.next()),
        "super" => {
            while rest.next_if_eq(&"super").is_some() {
                base.pop();
            }
        }
        first => {
            base.push(first);
            let is_child = is_module(&base);
            base.pop();
            if !is_child {
                return None;
            }
        }
    }
    base.extend(rest);
    Some(base)
}

/// Every path in the code, `a::b::c`, that has at least two names, and every one that a `use` brings in.
pub(crate) fn paths(code: &str) -> Vec<Vec<String>> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        if token == "use" {
            at = tree(&tokens, at + 1, &[], &mut found);
        } else if is_name(token) {
            let before = at.checked_sub(1).map_or("", |before| tokens[before].as_str());
            let mut path = vec![token.clone()];
            while tokens.get(at + 1).is_some_and(|token| token == "::")
                && tokens.get(at + 2).is_some_and(|token| is_name(token))
            {
                path.push(tokens[at + 2].clone());
                at += 2;
            }
            // `pub(in crate::policy)` is a visibility and not an import.
            if path.len() > 1 && before != "in" {
                found.push(path);
            }
        }
        at += 1;
    }
    found
}

/// Reads one branch of a `use` tree that begins at `at`; returns where it ends.
fn tree(tokens: &[String], mut at: usize, prefix: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let mut path = prefix.to_vec();
    while let Some(token) = tokens.get(at) {
        match token.as_str() {
            "{" => loop {
                at = tree(tokens, at + 1, &path, found);
                if tokens.get(at).is_none_or(|token| token != ",") {
                    return at + 1;
                }
            },
            "as" => at += 1,
            ";" | "," | "}" => break,
            token if is_name(token) => path.push(token.to_owned()),
            _ => {}
        }
        at += 1;
    }
    if path.len() > prefix.len() {
        found.push(path);
    }
    at
}

fn is_name(token: &str) -> bool {
    token.starts_with(|letter: char| letter.is_alphabetic() || letter == '_')
}

/// Names, `::`, and every other character that is not white space by itself.
fn tokens(code: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut before = ' ';
    for letter in code.chars() {
        let in_word = |letter: char| letter.is_alphanumeric() || letter == '_';
        match tokens.last_mut() {
            Some(last) if in_word(letter) && in_word(before) => last.push(letter),
            Some(last) if letter == ':' && before == ':' && last == ":" => last.push(letter),
            _ if letter.is_whitespace() => {}
            _ => tokens.push(letter.to_string()),
        }
        before = letter;
    }
    tokens
}

/// The groups of files in which each file reaches every other.
fn cycles(imports: &Imports) -> Vec<Vec<String>> {
    let reached: Imports = imports.keys().map(|file| (file.clone(), reachable(file, imports))).collect();
    let group = |file: &String| {
        let mutual = reached[file].iter().filter(|other| reached[*other].contains(file));
        mutual.cloned().collect::<Vec<_>>()
    };
    let groups: BTreeSet<_> = imports.keys().map(group).filter(|group| group.len() > 1).collect();
    groups.into_iter().collect()
}

fn reachable(file: &str, imports: &Imports) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut open = vec![file];
    while let Some(next) = open.pop() {
        for imported in &imports[next] {
            if reached.insert(imported.clone()) {
                open.push(imported);
            }
        }
    }
    reached
}

fn describe(groups: &[Vec<String>]) -> String {
    groups.iter().map(|files| files.join(", ")).collect::<Vec<_>>().join("\n")
}
