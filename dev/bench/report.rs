//! Writes what was measured into the documents: templates with `{{names}}` for the figures.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::chart;
use crate::machine::ROOT;
use crate::measure::{BATCH, PAIRS, RATE, RATE_CONNECTIONS, RATE_SECONDS, RATE_TIMES, Row};
use crate::programs::{self, Tables};
use crate::{origin, streams};

const COSTS: &str = include_str!("costs.template.md");
const README: &str = include_str!("readme.template.md");
/// What is between these lines of the README is written here.
const BEGIN: &str = "<!-- `make bench` writes this section -->\n";
const END: &str = "<!-- end of what `make bench` writes -->\n";
/// The rows that the README shows.
const SHOWN: [&str; 5] = [
    "public route, EdDSA header",
    "token seen before, EdDSA header",
    "token seen before, MAC header",
    "new RS256 token",
    "expired token",
];

/// Everything that was measured.
pub(crate) struct Report {
    pub(crate) rows: Vec<Row>,
    pub(crate) streams: Vec<streams::Row>,
    pub(crate) guest: Tables,
    pub(crate) app: Value,
    /// Of the machine, before the measurement.
    pub(crate) load: f64,
}

impl Report {
    /// Writes the documents of this repository.
    pub(crate) fn write(&self) {
        let write = |name: &str, text: &str| {
            std::fs::write(Path::new(ROOT).join(name), text).unwrap();
            eprintln!("wrote {name}");
        };
        write("docs/reference/costs.md", &self.costs());
        write("docs/reference/costs.svg", &chart::svg(&self.rows));
        let readme = std::fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap();
        write("README.md", &replaced(&readme, &self.readme()));
    }

    fn costs(&self) -> String {
        let cores = std::thread::available_parallelism().unwrap().get();
        let public = self.ratio("public route, EdDSA header");
        let warm = self.ratio("token seen before, EdDSA header");
        let wide = "token seen before, EdDSA header, wide arithmetic";
        let stored_more = self.ratio("stored response, MAC header") - self.ratio("expired token");
        let mac_adds = self.app["apps"]["MAC"]["adds"].as_f64().unwrap();
        let wide_more = self.ratio("new RS256 token, wide arithmetic") - self.ratio(wide);
        filled(
            COSTS,
            &[
                ("date", programs::date()),
                ("cores", cores.to_string()),
                ("load", format!("{:.1}", self.load)),
                ("viceroy", programs::viceroy().to_owned()),
                ("pairs", PAIRS.to_string()),
                ("batch", BATCH.to_string()),
                ("edge", self.edge()),
                ("warm_more", format!("{:.2}", warm - public)),
                ("rs256_more", format!("{:.2}", self.ratio("new RS256 token") - warm)),
                ("rs256_wide_more", format!("{wide_more:.2}")),
                ("refused", format!("{:.2}", self.ratio("expired token"))),
                ("stored_more", format!("{stored_more:.2}")),
                ("rate", RATE.to_string()),
                ("connections", RATE_CONNECTIONS.to_string()),
                ("seconds", RATE_SECONDS.to_string()),
                ("times", RATE_TIMES.to_string()),
                ("latency", self.latency()),
                ("streams", streams::table(&self.streams)),
                ("stream_pairs", streams::PAIRS.to_string()),
                ("stream_batch", streams::BATCH.to_string()),
                ("stream_connections", streams::CONNECTIONS.to_string()),
                ("events", origin::EVENTS.to_string()),
                ("thought", origin::THOUGHT.as_millis().to_string()),
                ("pause", origin::PAUSE.as_millis().to_string()),
                ("envelope", self.of_the_guest("one text")),
                ("lists", self.of_the_guest("filtered")),
                ("deciding", self.of_the_guest("new sandbox")),
                ("matching", self.of_the_guest("found")),
                ("signatures", self.of_the_guest("read key")),
                ("app_rounds", self.app["rounds"].to_string()),
                ("app_bare", number(&self.app["bare"], 0)),
                ("app", self.app_table()),
                ("app_mac", number(&self.app["apps"]["MAC"]["adds"], 0)),
                ("app_saved", number(&(self.app["bare"].as_f64().unwrap() + mac_adds).into(), 0)),
                ("app_mac_alone", number(&self.app["apps"]["MAC"]["alone"], 0)),
            ],
        )
    }

    fn readme(&self) -> String {
        let mut table = "| request | × pass-through |\n| --- | ---: |\n".to_owned();
        for name in SHOWN {
            let _ = writeln!(table, "| {name} | {:.2} |", self.ratio(name));
        }
        let rs256 = self.guest.iter().flatten().find(|(name, _)| name == "RS256 2048").unwrap();
        let values =
            [("edge", table.trim_end().to_owned()), ("rs256", whole(&rs256.1[2])), ("jwt_simple", whole(&rs256.1[3]))];
        filled(README, &values)
    }

    fn ratio(&self, name: &str) -> f64 {
        self.rows.iter().find(|row| row.name == name).unwrap().ratio.median
    }

    fn edge(&self) -> String {
        let mut table = "| request | CPU, µs | × pass-through | quartiles | hostcalls | memory, MiB |\n\
                         | --- | ---: | ---: | ---: | ---: | ---: |\n"
            .to_owned();
        for Row { name, cpu, ratio, hostcalls, memory, .. } in &self.rows {
            let (low, median, high) = (ratio.low, ratio.median, ratio.high);
            let quartiles = if low < high { format!("{low:.2}–{high:.2}") } else { String::new() };
            let _ = writeln!(table, "| {name} | {cpu:.0} | {median:.2} | {quartiles} | {hostcalls:.1} | {memory:.1} |");
        }
        table.trim_end().to_owned()
    }

    fn latency(&self) -> String {
        let mut table = "| request | median | 99 % |\n| --- | ---: | ---: |\n".to_owned();
        for (name, (median, most)) in self.rows.iter().filter_map(|row| Some((row.name, row.latency?))) {
            let _ = writeln!(table, "| {name} | {median:.2} | {most:.2} |");
        }
        table.trim_end().to_owned()
    }

    /// A table of the guest's, found by its first column.
    fn of_the_guest(&self, column: &str) -> String {
        let table = self.guest.iter().find(|table| table[0].1[0] == column).unwrap();
        let mut text = String::new();
        for (number, (name, cells)) in table.iter().enumerate() {
            let _ = writeln!(text, "| {} | {} |", if number == 0 { "" } else { name }, cells.join(" | "));
            if number == 0 {
                let _ = writeln!(text, "| --- |{}", " ---: |".repeat(cells.len()));
            }
        }
        text.trim_end().to_owned()
    }

    fn app_table(&self) -> String {
        let mut table =
            "| | adds | relative to PyJWT with `PyJWKClient` | relative to PyJWT with the key in memory |\n\
                         | --- | ---: | ---: | ---: |\n"
                .to_owned();
        let rows = [
            ("MAC", "the guard, MAC"),
            ("EdDSA", "the guard, EdDSA"),
            ("client", "PyJWT, RS256, `PyJWKClient`"),
            ("key", "PyJWT, RS256, key in memory"),
        ];
        for (key, name) in rows {
            let app = &self.app["apps"][key];
            let relative = |to: &str| number(&app[to], 2);
            let _ = writeln!(
                table,
                "| {name} | {} | {} | {} |",
                number(&app["adds"], 0),
                relative("to_client"),
                relative("to_key")
            );
        }
        table.trim_end().to_owned()
    }
}

/// A number of a JSON document, with so many decimals; nothing where there is none.
fn number(value: &Value, decimals: usize) -> String {
    value.as_f64().map(|value| format!("{value:.decimals$}")).unwrap_or_default()
}

/// A number without its decimals, rounded; thousands are separated.
fn whole(number: &str) -> String {
    let digits = format!("{:.0}", number.parse::<f64>().unwrap());
    match digits.split_at_checked(digits.len().saturating_sub(3)) {
        Some((thousands, rest)) if !thousands.is_empty() => format!("{thousands},{rest}"),
        _ => digits,
    }
}

/// The template with its figures. Every figure has a place, and every place a figure.
fn filled(template: &str, values: &[(&str, String)]) -> String {
    let mut text = template.to_owned();
    for (name, value) in values {
        let place = format!("{{{{{name}}}}}");
        assert!(template.contains(&place), "no place for {name}");
        text = text.replace(&place, value);
    }
    assert!(!text.contains("{{"), "a place without a figure: {text}");
    text
}

/// The README with another section between its marks.
fn replaced(readme: &str, section: &str) -> String {
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    format!("{before}{BEGIN}{section}{END}{after}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::measure::CASES;
    use crate::statistics::Quartiles;

    fn report() -> Report {
        let row = |(name, latency)| Row {
            name,
            cpu: 700.0,
            ratio: Quartiles { low: 1.4, median: 1.5, high: 1.6 },
            hostcalls: 35.25,
            memory: 4.5,
            latency,
        };
        let names = CASES.iter().enumerate().map(|(number, case)| (case.name, (number == 1).then_some((1.5, 3.0))));
        let guest = "µs           new sandbox       later\npublic MAC           249        12.6\n\n\
                     µs                 found   not found read policy\n10 routes           0.30        0.20          30\n\n\
                     µs              read key       first       later  jwt-simple\n\
                     RS256 2048           1.0       220.0       215.0      1365.0\n\n\
                     µs              one text     escapes\n1024 KiB            7.25        9.50\n\n\
                     µs              filtered         KiB\n500 tools           1000         180\n";
        let adds = |adds: f64| json!({ "adds": adds, "alone": 14.2, "to_client": 0.364, "to_key": 0.444 });
        let apps = json!({ "MAC": adds(63.0), "EdDSA": adds(182.0), "client": { "adds": 176.0 }, "key": adds(144.0) });
        Report {
            rows: names.map(row).collect(),
            streams: Vec::new(),
            guest: programs::tables(guest),
            app: json!({ "rounds": 30, "bare": 54.1, "apps": apps }),
            load: 0.25,
        }
    }

    #[test]
    fn every_figure_of_the_page_has_its_place() {
        let costs = report().costs();
        for expected in [
            "| new RS256 token | 700 | 1.50 | 1.40–1.60 | 35.2 | 4.5 |\n",
            "| public route, EdDSA header | 1.50 | 3.00 |\n",
            "| RS256 2048 | 1.0 | 220.0 | 215.0 | 1365.0 |\n",
            "| 1024 KiB | 7.25 | 9.50 |\n",
            "100 events, the first of them 20 ms after",
            "| the guard, MAC | 63 | 0.36 | 0.44 |\n",
            "| PyJWT, RS256, `PyJWKClient` | 176 |  |  |\n",
            "above the 54\n",
            "saves the event loop 117 µs",
            "costs 0.00 more than such a refusal",
        ] {
            assert!(costs.contains(expected), "{expected}{costs}");
        }
        let readme = replaced(&format!("a\n{BEGIN}old\n{END}b\n"), &report().readme());
        assert!(readme.starts_with("a\n") && readme.ends_with("b\n") && !readme.contains("old"));
        assert!(readme.contains("| expired token | 1.50 |\n") && readme.contains("takes 1,365 µs"));
    }

    #[test]
    fn the_chart_has_a_bar_for_each_row() {
        let svg = chart::svg(&report().rows);
        assert_eq!(svg.matches("<rect ").count(), CASES.len());
        assert!(svg.contains(">new RS256 token</text>") && svg.contains(">1.50</text>"));
    }
}
