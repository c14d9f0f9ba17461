//! What other programs measure, and what the report says about the machine.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::machine::ROOT;

/// What a program prints. Its errors go to the terminal.
fn output(command: &mut Command) -> String {
    let output = command.current_dir(ROOT).stderr(std::process::Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// The tables of `make guest-cost`: for each, its lines; for each of those, its name and its cells. The first is the head.
pub(crate) type Tables = Vec<Vec<(String, Vec<String>)>>;

/// Runs the measurement in the guest alone.
pub(crate) fn guest_cost() -> Tables {
    eprintln!("single operations in the guest");
    let program = std::env::current_exe().unwrap().with_file_name("guest_cost");
    tables(&output(&mut Command::new(program)))
}

/// Every column of a table is twelve characters wide, and its head begins with the unit. Viceroy omits empty lines and
/// puts the name of the stream before the others.
pub(crate) fn tables(text: &str) -> Tables {
    let mut tables = Tables::new();
    for line in text.lines() {
        let cells: Vec<char> = line.strip_prefix("stdout :: ").unwrap_or(line).chars().collect();
        let mut cells = cells.chunks(12).map(|cell| cell.iter().collect::<String>().trim().to_owned());
        let first = cells.next().unwrap_or_default();
        if first == "µs" {
            tables.push(Vec::new());
        }
        if let Some(table) = tables.last_mut() {
            table.push((first, cells.collect()));
        }
    }
    tables
}

/// Runs the measurement of the package; the output is that of its option `--json`.
pub(crate) fn origin_bench() -> Value {
    eprintln!("the guard in an app");
    let python = Path::new(ROOT).join(".venv/bin/python");
    let text = output(Command::new(python).args(["origin/bench/verification.py", "--json"]));
    serde_json::from_str(&text).unwrap()
}

/// The date, as in ISO 8601.
pub(crate) fn date() -> String {
    output(Command::new("date").args(["-u", "+%Y-%m-%d"])).trim().to_owned()
}

/// How many processes wanted to run in the last minute, on average (proc(5), loadavg).
pub(crate) fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(f64::NAN)
}

/// The version of Viceroy.
pub(crate) fn viceroy() -> &'static str {
    let (_, entry) = include_str!("../../Cargo.lock").split_once("name = \"viceroy-lib\"\nversion = \"").unwrap();
    entry.split('"').next().unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_of_the_guest_are_read() {
        let head = format!("stdout :: {:12}{:>12}{:>12}\n", "µs", "read key", "later");
        let found = tables(&format!("{head}stdout :: {:12}{:12.1}{:12.1}\n{head}", "RS256 2048", 3.25, 215.0));
        assert_eq!(found.len(), 2);
        assert_eq!(found[0][0], ("µs".to_owned(), vec!["read key".to_owned(), "later".to_owned()]));
        assert_eq!(found[0][1], ("RS256 2048".to_owned(), vec!["3.2".to_owned(), "215.0".to_owned()]));
        assert!(viceroy().starts_with(|first: char| first.is_ascii_digit()));
    }
}
