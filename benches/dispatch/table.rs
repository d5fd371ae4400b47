//! Samples, ratios, and the table that is printed.

use std::time::Duration;

/// Durations of one side of one case.
#[derive(Default)]
pub struct Samples(Vec<Duration>);

impl Samples {
    pub fn push(&mut self, sample: Duration) {
        self.0.push(sample);
    }

    /// The sample below which `share` (0 to 1) of all lie.
    pub fn quantile(&self, share: f64) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let last = sorted.len().saturating_sub(1);
        sorted.get((last as f64 * share).round() as usize).copied().unwrap_or_default()
    }

    pub fn median(&self) -> Duration {
        self.quantile(0.5)
    }
}

/// Which ratios are good.
#[derive(Clone, Copy)]
pub enum Goal {
    AtMost(f64),
    AtLeast(f64),
    None,
}

impl Goal {
    fn verdict(self, ratio: f64) -> String {
        match self {
            Self::AtMost(limit) => format!("<= {limit:.2} {}", if ratio <= limit { "met" } else { "MISSED" }),
            Self::AtLeast(limit) => format!(">= {limit:.2} {}", if ratio >= limit { "met" } else { "MISSED" }),
            Self::None => "-".to_owned(),
        }
    }
}

/// Rows of case, our side, OpenSSH's side, ratio, goal.
#[derive(Default)]
pub struct Table {
    rows: Vec<[String; 5]>,
    notes: Vec<String>,
}

impl Table {
    /// Ratio of medians, and of 99th percentiles, of two latencies; less is better.
    pub fn latency(&mut self, case: &str, ours: &Samples, theirs: &Samples, goal: Goal) {
        let ratio = |share| ours.quantile(share).as_secs_f64() / theirs.quantile(share).as_secs_f64().max(1e-9);
        let side = |s: &Samples| format!("{} / {}", ms(s.median()), ms(s.quantile(0.99)));
        let ratios = format!("{:.2} / {:.2}", ratio(0.5), ratio(0.99));
        self.add([format!("{case} (median / p99, ms)"), side(ours), side(theirs), ratios, goal.verdict(ratio(0.5))]);
    }

    /// Ratio of rates: `amount` per median duration; more is better.
    pub fn rate(&mut self, case: &str, unit: &str, amount: f64, ours: &Samples, theirs: &Samples, goal: Goal) {
        let rate = |s: &Samples| amount / s.median().as_secs_f64().max(1e-9);
        let ratio = rate(ours) / rate(theirs);
        let side = |s: &Samples| format!("{:.0}", rate(s));
        self.add([format!("{case} ({unit})"), side(ours), side(theirs), format!("{ratio:.2}"), goal.verdict(ratio)]);
    }

    pub fn note(&mut self, note: String) {
        eprintln!("  {note}");
        self.notes.push(note);
    }

    fn add(&mut self, row: [String; 5]) {
        eprintln!("  {}", row.join(" | "));
        self.rows.push(row);
    }

    pub fn print(&self) {
        let head = ["case", "shuntyard", "OpenSSH", "ratio", "goal"].map(str::to_owned);
        let all: Vec<&[String; 5]> = std::iter::once(&head).chain(&self.rows).collect();
        let width = |column: usize| all.iter().map(|row| row[column].len()).max().unwrap_or_default();
        for (at, row) in all.iter().enumerate() {
            let cells: Vec<String> = (0..5).map(|c| format!("{:<width$}", row[c], width = width(c))).collect();
            println!("| {} |", cells.join(" | "));
            if at == 0 {
                println!("|{}|", (0..5).map(|c| "-".repeat(width(c) + 2)).collect::<Vec<_>>().join("|"));
            }
        }
        self.notes.iter().for_each(|note| println!("{note}"));
    }
}

fn ms(duration: Duration) -> String {
    format!("{:.2}", duration.as_secs_f64() * 1e3)
}
