//! Figures as they go into documents: Markdown tables, medians, and how far the rounds lay apart.

use std::io::{self, Write};

pub(crate) fn say(line: &str) {
    // When nobody reads any more there is nobody to tell.
    drop(writeln!(io::stdout(), "{line}"));
}

/// A table, its columns as wide as what they hold.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) {
    let widths: Vec<usize> = (0..head.len())
        .map(|column| {
            let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
            cells.chain([head[column].chars().count(), 3]).max().unwrap_or(3)
        })
        .collect();
    let line = |cells: Vec<String>| say(&format!("| {} |", cells.join(" | ")));
    line(head.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect());
    say(&format!("|{}|", widths.iter().map(|width| "-".repeat(width + 2)).collect::<Vec<_>>().join("|")));
    for row in rows {
        line(row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect());
    }
    say("");
}

/// The one in the middle, or between the two in the middle; 0 of nothing.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => sorted[half],
        _ => f64::midpoint(sorted[half - 1], sorted[half]),
    }
}

/// `median (smallest .. largest)`, in percent.
pub(crate) fn percent(shares: &[f64]) -> String {
    let ends = shares
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), share| (low.min(*share), high.max(*share)));
    format!("{:+.1} % ({:+.1} .. {:+.1})", median(shares) * 100.0, ends.0 * 100.0, ends.1 * 100.0)
}

pub(crate) fn mib(kib: u64) -> String {
    format!("{:.1} MiB", kib as f64 / 1024.0)
}

/// The line that says what else the machine was doing.
pub(crate) fn say_machine() {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let load: String = read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" ");
    say(&format!("kernel {}, {cores} cores, load before: {load}\n", read("/proc/sys/kernel/osrelease").trim()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_and_the_spread_its_ends() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert_eq!(percent(&[0.02, -0.01, 0.1]), "+2.0 % (-1.0 .. +10.0)");
    }
}
