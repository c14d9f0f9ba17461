//! The list of attacks, `docs/attacks.md`, compared with the tests: every cited test exists, and every row that a test
//! cites is in the list and cites the file of that test. The tests that `docs/concepts/threat-model.md` cites exist,
//! too.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const ATTACKS: &str = "docs/attacks.md";
/// The documents that cite tests.
const DOCUMENTS: [&str; 2] = [ATTACKS, "docs/concepts/threat-model.md"];

/// One row of the list.
#[derive(Debug)]
struct Row {
    /// The files of the tests that it cites.
    files: BTreeSet<String>,
    /// Whether it says that a test is missing, or that a part of it is not tested.
    open: bool,
}

#[test]
fn every_test_that_the_documents_cite_exists() {
    for document in DOCUMENTS {
        let text = read(document);
        let missing: Vec<_> =
            cited_tests(&text).into_iter().filter(|(file, name)| !is_test(&read(file), name)).collect();
        assert!(missing.is_empty(), "{document} cites tests that do not exist: {missing:#?}");
        assert!(cited_tests(&text).len() > 10, "{document} cites hardly any tests");
    }
}

#[test]
fn every_row_has_a_test_or_is_open() {
    let rows = rows(&read(ATTACKS));
    let bare: Vec<_> = rows.iter().filter(|(_, row)| row.files.is_empty() && !row.open).map(|(id, _)| id).collect();
    assert!(bare.is_empty(), "name a test or write **open**: {bare:?}");
    assert!(rows.len() > 150, "{}", rows.len());
}

#[test]
fn every_row_that_a_test_cites_is_in_the_list_and_cites_its_file() {
    let list = read(ATTACKS);
    let found: Vec<_> = test_files().iter().flat_map(|(file, text)| faults(file, text, &list)).collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn a_wrong_citation_is_noticed() {
    let list =
        "## A. Paths\n| A1 | x | 400 | `tests/a.rs` `one_two`, `three_four` |\n| A2 | `a_b` | 400 | **open** |\n";
    let names = cited_tests(list).into_iter().map(|(_, name)| name).collect::<Vec<_>>();
    assert_eq!(names, ["one_two", "three_four"]);
    assert!(is_test("    #[test]\n    #[ignore = \"slow\"]\n    fn one_two() {}", "one_two"));
    assert!(is_test("async def test_one(edge: Edge) -> None:", "test_one"));
    for text in ["fn one_two() {}", "#[test]\nfn one_two_three() {}", "// #[test]\n// fn one_two() {}", "one_two"] {
        assert!(!is_test(text, "one_two"), "{text}");
    }
    for (file, text, complaint) in [
        ("tests/a.rs", "//! Row A1 of docs/attacks.md.", ""),
        ("tests/a.rs", "//! Section A of docs/attacks.md.\n// A1, A2: paths\nlet x = \"// A7\";", ""),
        ("tests/a.rs", "//! Rows A1 to A3 of docs/attacks.md.", "row A3, which is not in"),
        ("tests/a.rs", "//! Sections A and B of docs/attacks.md.", "section B, which is not in"),
        ("tests/a.rs", "// A1: paths", "does not name docs/attacks.md"),
        ("tests/b.rs", "//! Row A1 of docs/attacks.md.", "row A1, which does not cite"),
        ("tests/b.py", "\"\"\"A check.\"\"\"\n\n# Time (docs/attacks.md, row A1).", "row A1, which does not cite"),
        ("tests/b.rs", "// caf%C3%A9 and `C16`", ""),
    ] {
        let found = faults(file, text, list).join("\n");
        assert!(found.contains(complaint) && complaint.is_empty() == found.is_empty(), "{file}: {text}: {found}");
    }
}

/// The faults of the rows that the comments of a test file cite.
fn faults(file: &str, text: &str, list: &str) -> Vec<String> {
    let (rows, comments) = (rows(list), comments(text));
    let (ids, sections) = (cited_rows(&comments), cited_sections(&comments));
    let mut found = Vec::new();
    let cites = !ids.is_empty() || !sections.is_empty();
    if cites && !comments.contains(ATTACKS) {
        found.push(format!("{file} cites rows and does not name {ATTACKS}"));
    }
    for id in ids {
        match rows.get(&id) {
            None => found.push(format!("{file} cites row {id}, which is not in {ATTACKS}")),
            Some(row) if row.open || row.files.contains(file) => {}
            Some(_) => found.push(format!("{file} cites row {id}, which does not cite {file}")),
        }
    }
    let known = |section: &String| list.contains(&format!("## {section}. "));
    let unknown = sections.into_iter().filter(|section| !known(section));
    found.extend(unknown.map(|section| format!("{file} cites section {section}, which is not in {ATTACKS}")));
    found
}

/// The rows of the list, by id.
fn rows(list: &str) -> BTreeMap<String, Row> {
    let mut rows = BTreeMap::new();
    for line in list.lines().filter_map(|line| line.strip_prefix("| ")) {
        let id = line.split(' ').next().unwrap_or_default();
        if is_id(id) {
            let files = cited_tests(line).into_iter().map(|(file, _)| file).collect();
            let earlier = rows.insert(id.to_owned(), Row { files, open: line.contains("**open**") });
            assert!(earlier.is_none(), "{id} is repeated");
        }
    }
    rows
}

/// The tests that a document cites: a file in backticks, then names in backticks with nothing but commas in between.
fn cited_tests(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut file = None;
    for pair in text.split('`').collect::<Vec<_>>().chunks(2) {
        let [between, code] = pair else { continue };
        if !matches!(between.trim(), "" | ",") {
            file = None;
        }
        let folder = ["tests/", "origin/tests/", "src/"].iter().any(|folder| code.starts_with(folder));
        match file {
            _ if folder && is_source(code) => file = Some((*code).to_owned()),
            Some(ref file) => found.push((file.clone(), (*code).to_owned())),
            None => {}
        }
    }
    found
}

/// Whether a source has a test of this name.
fn is_test(source: &str, name: &str) -> bool {
    let lines: Vec<_> = source.lines().map(str::trim).collect();
    let declared = |line: &str, keyword: &str| {
        let rest = line.strip_prefix("async ").unwrap_or(line).strip_prefix(keyword);
        rest.and_then(|rest| rest.strip_prefix(name)).is_some_and(|rest| rest.starts_with('('))
    };
    let marked =
        |at: usize| lines[..at].iter().rev().take_while(|line| line.starts_with("#[")).any(|l| *l == "#[test]");
    (0..lines.len()).any(|at| declared(lines[at], "def ") || (declared(lines[at], "fn ") && marked(at)))
}

/// The comments of a source that have lines of their own, and its first line.
fn comments(text: &str) -> String {
    let of_its_own = |line: &&str| {
        let line = line.trim();
        line.starts_with("//") || (line.starts_with('#') && !line.starts_with("#["))
    };
    let first = text.lines().next().filter(|line| line.starts_with("\"\"\""));
    first.into_iter().chain(text.lines().filter(of_its_own)).collect::<Vec<_>>().join("\n")
}

/// The ids in comments; `C9 to C12` are four.
fn cited_rows(comments: &str) -> BTreeSet<String> {
    let words: Vec<_> =
        comments.split_whitespace().map(|word| word.trim_matches(['(', ')', ',', '.', ':', ';'])).collect();
    let mut found: BTreeSet<_> = words.iter().filter(|word| is_id(word)).map(|word| (*word).to_owned()).collect();
    for window in words.windows(3) {
        if let [first, "to", last] = window
            && is_id(first)
            && is_id(last)
        {
            let number = |id: &str| id[1..].parse::<u32>().unwrap();
            found.extend((number(first)..=number(last)).map(|number| format!("{}{number}", &first[..1])));
        }
    }
    found
}

/// The sections in comments: `Sections B, C and D of …`.
fn cited_sections(comments: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for rest in comments.split("Section").skip(1) {
        let words = rest.trim_start_matches('s').split_whitespace().map(|word| word.trim_matches(','));
        let is_letter = |word: &&str| word.len() == 1 && word.starts_with(|letter: char| letter.is_ascii_uppercase());
        found.extend(words.take_while(|word| *word == "and" || is_letter(word)).filter(is_letter).map(str::to_owned));
    }
    found
}

/// The id of a row: the letter of a section and a number.
fn is_id(word: &str) -> bool {
    let mut letters = word.chars();
    letters.next().is_some_and(|letter| ('A'..='P').contains(&letter))
        && (2..=3).contains(&word.len())
        && letters.all(|letter| letter.is_ascii_digit())
}

fn is_source(file: &str) -> bool {
    Path::new(file).extension().is_some_and(|extension| extension == "rs" || extension == "py")
}

fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The sources of all tests but this one, by path.
fn test_files() -> BTreeMap<String, String> {
    fn collect(folder: &str, found: &mut BTreeMap<String, String>) {
        for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{folder}/{}", entry.file_name().to_str().unwrap());
            if entry.path().is_dir() {
                collect(&name, found);
            } else if is_source(&name) && !file!().ends_with(&name) {
                found.insert(name.clone(), read(&name));
            }
        }
    }
    let mut found = BTreeMap::new();
    for folder in ["tests", "origin/tests"] {
        collect(folder, &mut found);
    }
    assert!(found.len() > 100, "the tests were not found");
    found
}
