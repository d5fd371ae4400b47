//! The receipt of a stop: what the host did to end a job's processes, and what it could not end.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::wire::control::Receipt;

/// Process ids that are kept of one line; `count` counts them all.
const MAX_PIDS: usize = 256;
/// Signals that are kept; a ladder has a handful.
const MAX_SIGNALS: usize = 64;
/// Words and letters of `means` that are kept: the host is not trusted to be brief.
const MAX_MEANS: usize = 16;
const MAX_WORD_CHARS: usize = 32;

/// Processes of a job at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Processes {
    pub count: usize,
    /// At most 256 of them.
    pub pids: Vec<u32>,
}

impl From<Vec<u32>> for Processes {
    fn from(mut pids: Vec<u32>) -> Self {
        let count = pids.len();
        pids.truncate(MAX_PIDS);
        Self { count, pids }
    }
}

/// One signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct SentSignal {
    /// `TERM`, `CONT`, `KILL`.
    pub signal: String,
    /// Unix seconds of the runner's clock.
    pub runner_clock_s: u64,
    pub to: Processes,
}

/// What a host says about a stop; stored with the job's end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct StopReceipt {
    /// How the host finds a job's processes, strongest first.
    pub means: Vec<String>,
    /// Before the first signal; `None`: not told.
    pub before: Option<Processes>,
    pub signals: Vec<SentSignal>,
    /// What outlived everything; `None`: not told.
    pub left: Option<Processes>,
}

impl StopReceipt {
    /// Takes a line of the host. Several may stop one job: the first `before` and the last `left` count.
    pub fn add(&mut self, line: Receipt) {
        match line {
            Receipt::Means { words } => {
                if self.means.is_empty() {
                    let short = |word: String| word.chars().take(MAX_WORD_CHARS).collect();
                    self.means = words.into_iter().take(MAX_MEANS).map(short).collect();
                }
            }
            Receipt::Before { pids } => drop(self.before.get_or_insert_with(|| pids.into())),
            Receipt::Sent { signal, at_s, pids } => {
                if self.signals.len() < MAX_SIGNALS {
                    let signal = signal.chars().take(MAX_WORD_CHARS).collect();
                    self.signals.push(SentSignal { signal, runner_clock_s: at_s, to: pids.into() });
                }
            }
            Receipt::Left { pids } => self.left = Some(pids.into()),
        }
    }

    /// True when the host has told nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// One sentence: `5 processes (found by cgroup, environment); TERM to 4, KILL to 1; nothing is left`.
impl fmt::Display for StopReceipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.before {
            Some(before) if before.count == 1 => f.write_str("1 process")?,
            Some(before) => write!(f, "{} processes", before.count)?,
            None => f.write_str("an unknown number of processes")?,
        }
        if !self.means.is_empty() {
            write!(f, " (found by {})", self.means.join(", "))?;
        }
        for (n, sent) in self.signals.iter().enumerate() {
            write!(f, "{} {} to {}", if n == 0 { ";" } else { "," }, sent.signal, sent.to.count)?;
        }
        match &self.left {
            None => f.write_str("; what is left is not known"),
            Some(left) if left.count == 0 => f.write_str("; nothing is left"),
            Some(left) => {
                let pids: Vec<String> = left.pids.iter().take(8).map(ToString::to_string).collect();
                let more = if left.count > pids.len() { " …" } else { "" };
                write!(f, "; {} left: {}{more}", left.count, pids.join(" "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(signal: &str, pids: Vec<u32>) -> Receipt {
        Receipt::Sent { signal: signal.into(), at_s: 7, pids }
    }

    #[test]
    fn lines_of_several_stoppers_are_one_receipt() {
        let mut receipt = StopReceipt::default();
        assert!(receipt.is_empty());
        for line in [
            Receipt::Means { words: vec!["cookie".into(), "session".into()] },
            Receipt::Before { pids: vec![1, 2] },
            sent("TERM", vec![1]),
            Receipt::Before { pids: vec![2] },
            Receipt::Means { words: vec!["group".into()] },
            sent("KILL", vec![2]),
            Receipt::Left { pids: vec![2] },
            Receipt::Left { pids: vec![] },
        ] {
            receipt.add(line);
        }
        let sentence = "2 processes (found by cookie, session); TERM to 1, KILL to 1; nothing is left";
        assert_eq!(receipt.to_string(), sentence);
        let text = serde_json::to_string(&receipt).unwrap();
        assert_eq!(serde_json::from_str::<StopReceipt>(&text).unwrap(), receipt);
        receipt.add(Receipt::Left { pids: vec![4, 5] });
        assert!(receipt.to_string().ends_with("; 2 left: 4 5"), "{receipt}");
    }

    #[test]
    fn a_host_cannot_make_a_receipt_grow_without_end() {
        let mut receipt = StopReceipt::default();
        receipt.add(Receipt::Means { words: vec!["x".repeat(1000); 1000] });
        for _ in 0..1000 {
            receipt.add(sent(&"K".repeat(1000), (0..1000).collect()));
        }
        receipt.add(Receipt::Left { pids: (0..1000).collect() });
        assert_eq!(receipt.left.as_ref().map(|left| (left.count, left.pids.len())), Some((1000, 256)));
        assert!(serde_json::to_string(&receipt).unwrap().len() < 100_000);
        assert!(receipt.to_string().len() < 4_000, "{}", receipt.to_string().len());
    }
}
