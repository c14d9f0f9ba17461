//! The chart of the costs, as SVG: a bar for each row, with a line from quartile to quartile.

use std::fmt::Write as _;

use crate::measure::Row;

const WIDTH: f64 = 760.0;
const NAMES: f64 = 345.0;
const VALUES: f64 = 60.0;
const LINE: f64 = 26.0;
const TOP: f64 = 44.0;

/// The chart. Its colours follow the reader's choice of light or dark.
pub(crate) fn svg(rows: &[Row]) -> String {
    let most = rows.iter().map(|row| row.ratio.high.max(row.ratio.median)).fold(1.0, f64::max);
    let x = |ratio: f64| NAMES + ratio / most * (WIDTH - NAMES - VALUES);
    let height = TOP + LINE * rows.len() as f64 + 14.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"CPU time of a request, relative to a pass-through\">\n<style>\n\
         text {{ font: 13px system-ui, sans-serif; fill: #1f2328 }}\n\
         .title {{ font-weight: 600 }}\n.bar {{ fill: #4c8bd6 }}\n.base {{ fill: #9aa4af }}\n\
         line {{ stroke: #1f2328 }}\n.one {{ stroke: #9aa4af; stroke-dasharray: 3 3 }}\n\
         @media (prefers-color-scheme: dark) {{\n\
         text {{ fill: #e6edf3 }}\nline {{ stroke: #e6edf3 }}\n.one {{ stroke: #6e7681 }}\n}}\n</style>\n\
         <text class=\"title\" x=\"0\" y=\"20\">CPU time of a request, × pass-through</text>\n"
    );
    for (number, row) in rows.iter().enumerate() {
        let top = TOP + LINE * number as f64;
        let middle = top + LINE / 2.0 - 3.0;
        let class = if row.name.starts_with("pass-through") { "base" } else { "bar" };
        let (end, text) = (x(row.ratio.median), middle + 4.5);
        let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{text:.1}\" text-anchor=\"end\">{}</text>", NAMES - 8.0, row.name);
        let _ = writeln!(
            svg,
            "<rect class=\"{class}\" x=\"{NAMES:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
            end - NAMES,
            LINE - 6.0
        );
        let _ = writeln!(
            svg,
            "<line x1=\"{:.1}\" y1=\"{middle:.1}\" x2=\"{:.1}\" y2=\"{middle:.1}\"/>",
            x(row.ratio.low),
            x(row.ratio.high)
        );
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{text:.1}\">{:.2}</text>",
            x(row.ratio.high.max(row.ratio.median)) + 6.0,
            row.ratio.median
        );
    }
    let one = x(1.0);
    let _ = writeln!(
        svg,
        "<line class=\"one\" x1=\"{one:.1}\" y1=\"{:.1}\" x2=\"{one:.1}\" y2=\"{:.1}\"/>\n</svg>",
        TOP - 8.0,
        height - 8.0
    );
    svg
}
