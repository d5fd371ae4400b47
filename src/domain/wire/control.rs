//! Control lines from the wrapper: `@NONCE word args` on standard error. Every other line is noise.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use crate::closed::closed_list;
use crate::digest::Digest;
use crate::ids::AttemptId;
use crate::outcome::StopReason;
use crate::wire::frame::Nonce;

closed_list!(
    /// Why an attempt has no result and never will have one.
    LostWhy {
        /// The process that waits for the job was killed from outside.
        Killed = "killed",
        /// The host has booted since.
        Reboot = "reboot",
        /// It was claimed, the launcher died, and nothing shows that the job began.
        NoStart = "nostart",
    }
);

closed_list!(
    /// What the wrapper refuses.
    ErrCode {
        /// An id, nonce or number has a letter that does not belong there.
        Id = "id",
        /// The first line on stdin is not a frame header of this version.
        Magic = "magic",
        /// The frame is truncated.
        Frame = "frame",
        /// The spool or work directory could not be made.
        Mkdir = "mkdir",
        /// The spool's disk is full.
        NoSpace = "nospace",
        /// The tree of files that the job starts in could not be received, or is not laid ready.
        Workspace = "workspace",
        /// No such verb, or arguments are missing.
        Usage = "usage",
        /// The attempt was claimed, and its files are gone.
        Removed = "removed",
        /// The request is understood and not allowed; the detail says why.
        Refused = "refused",
    }
);

impl ErrCode {
    /// True for what `run` refuses before it has made the claim, or after it has taken everything back: as its answer
    /// it proves that the attempt never started. As the answer of another verb it says nothing about the attempt.
    #[must_use]
    pub const fn proves_no_start(self) -> bool {
        match self {
            Self::Id | Self::Magic | Self::Frame | Self::Mkdir | Self::NoSpace | Self::Workspace | Self::Usage => true,
            Self::Removed | Self::Refused => false,
        }
    }
}

/// The result that the wrapper wrote when the job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResultRecord {
    /// 0 to 255; 128 + signal when the script was killed.
    pub exit_code: i32,
    /// Bytes of the whole output.
    pub size: u64,
    /// POSIX `cksum` of the whole output.
    pub cksum: u32,
    /// Why the wrapper stopped it; `None` when it ended by itself.
    pub stopped: Option<StopReason>,
    /// It has written into the file `$SHUNT_OUTPUT`.
    pub has_outputs: bool,
}

/// One attempt as its spool shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpoolState {
    Run {
        size: u64,
    },
    End(ResultRecord),
    Lost {
        why: LostWhy,
        size: u64,
    },
    Fenced,
    /// Claimed by a launcher that lives, not started yet.
    Reserved,
}

/// One line of the receipt of a stop, in this order; `crate::receipt` puts them together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// How the host finds a job's processes, strongest first: `cgroup`, `environment`, `log`, `session`, `group`;
    /// `children` without /proc.
    Means { words: Vec<String> },
    /// Processes of the job before the first signal.
    Before { pids: Vec<u32> },
    /// `signal` (`TERM`, `KILL`) went to `pids` at `at_s` of the runner's clock (unix seconds).
    Sent { signal: String, at_s: u64, pids: Vec<u32> },
    /// Processes of the job that outlived everything; empty = all are gone.
    Left { pids: Vec<u32> },
}

/// What a runner says about itself at the start of every connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    pub wrapper_version: String,
    pub boot_id: String,
    pub instance_id: String,
    /// The runner's clock, unix seconds. Never compared with another machine's for a decision.
    pub clock_s: u64,
    /// Free bytes for an ordinary user where the spool is.
    pub free_bytes: u64,
    pub base_dir: String,
    pub tools: BTreeSet<String>,
    /// By which means a job's processes are found here when it is stopped, strongest first; see `Receipt::Means`.
    pub means: Vec<String>,
}

/// One control line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// The job runs; `pid` waits for it and writes its result.
    Ok {
        pid: u32,
    },
    /// Attached to an attempt that was started earlier; `pid` as in `Ok`, 0 when it is gone.
    At {
        pid: u32,
    },
    /// The result: the stream is complete when offset + received bytes = size.
    End(ResultRecord),
    Lost {
        why: LostWhy,
        size: u64,
    },
    /// The runner does not know this id.
    None,
    /// The attempt can never start.
    Fenced,
    Err {
        code: ErrCode,
        detail: String,
    },
    Job {
        id: AttemptId,
        state: SpoolState,
    },
    /// The end of a list.
    Eol,
    Receipt(Receipt),
    Hello(Hello),
    /// The attempt's files are gone.
    Removed {
        id: AttemptId,
    },
    /// The host lacks the tree; what it can read and check with, and trees that it has.
    Want {
        tools: Vec<String>,
        trees: Vec<Digest>,
    },
    /// The host has the tree in its cache.
    Have,
    /// The attempt's copy of the tree is laid ready.
    Filled,
}

/// A line with our nonce whose rest is not a control line of this version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the control line `{line}` is not understood: {why}")]
pub struct BadControl {
    /// The line, cut at 120 characters.
    pub line: String,
    pub why: &'static str,
}

/// Reads one line of standard error, with or without its newline.
///
/// `Ok(None)` is noise. Noise that a login file printed without a newline may stand before the control
/// line: the nonce is looked for anywhere in the line.
///
/// # Errors
/// `BadControl` when the line carries our nonce and garbage after it.
pub fn parse_control(nonce: &Nonce, line: &[u8]) -> Result<Option<Control>, BadControl> {
    let mark = format!("@{nonce} ");
    let Some(start) = find(line, mark.as_bytes()) else { return Ok(None) };
    let bad = |why| BadControl { line: String::from_utf8_lossy(line).chars().take(120).collect(), why };
    let text = line.get(start + mark.len()..).unwrap_or_default();
    let text = std::str::from_utf8(text).map_err(|_| bad("not UTF-8"))?.trim_end_matches(['\n', '\r']);
    let words: Vec<&str> = text.split(' ').filter(|w| !w.is_empty()).collect();
    control(&words).map(Some).map_err(bad)
}

/// Returns the position after the line `@@NONCE`, from which on standard output is the job's output.
///
/// `None` while the marker has not arrived. Bytes before it are noise of login files.
#[must_use]
pub fn after_marker(nonce: &Nonce, received: &[u8]) -> Option<usize> {
    let mark = format!("@@{nonce}\n");
    find(received, mark.as_bytes()).map(|at| at + mark.len())
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|w| w == wanted)
}

fn control(words: &[&str]) -> Result<Control, &'static str> {
    Ok(match words {
        ["ok", pid] => Control::Ok { pid: number(pid)? },
        ["at", pid] => Control::At { pid: number(pid)? },
        ["none"] => Control::None,
        ["fenced"] => Control::Fenced,
        ["eol"] => Control::Eol,
        ["err", code, detail @ ..] => {
            Control::Err { code: code.parse().map_err(|_| "an unknown error code")?, detail: detail.join(" ") }
        }
        ["job", id, state @ ..] => Control::Job { id: attempt(id)?, state: spool_state(state)? },
        ["want", tools, trees @ ..] => Control::Want {
            tools: tools.split(',').map(str::to_owned).collect(),
            trees: trees.iter().map(|tree| tree.parse()).collect::<Result<_, _>>().map_err(|_| "not a digest")?,
        },
        ["have"] => Control::Have,
        ["filled"] => Control::Filled,
        ["removed", id] => Control::Removed { id: attempt(id)? },
        ["receipt", rest @ ..] => Control::Receipt(receipt(rest)?),
        ["hello", pairs @ ..] => Control::Hello(hello(pairs)?),
        ["end" | "lost", ..] => match spool_state(words)? {
            SpoolState::End(result) => Control::End(result),
            SpoolState::Lost { why, size } => Control::Lost { why, size },
            SpoolState::Run { .. } | SpoolState::Fenced | SpoolState::Reserved => return Err("an unknown word"),
        },
        _ => return Err("an unknown word, or a wrong number of arguments"),
    })
}

fn spool_state(words: &[&str]) -> Result<SpoolState, &'static str> {
    Ok(match words {
        ["run", size] => SpoolState::Run { size: number(size)? },
        ["end", code, size, cksum, why, rest @ ..] if matches!(rest, [] | ["outputs"]) => {
            SpoolState::End(ResultRecord {
                exit_code: i32::from(number::<u8>(code)?),
                size: number(size)?,
                cksum: number(cksum)?,
                stopped: if *why == "-" { None } else { Some(why.parse().map_err(|_| "an unknown stop reason")?) },
                has_outputs: !rest.is_empty(),
            })
        }
        ["lost", why, size] => {
            SpoolState::Lost { why: why.parse().map_err(|_| "an unknown reason of loss")?, size: number(size)? }
        }
        ["fenced"] => SpoolState::Fenced,
        ["reserved"] => SpoolState::Reserved,
        _ => return Err("an unknown spool state"),
    })
}

fn receipt(words: &[&str]) -> Result<Receipt, &'static str> {
    let pids = |words: &[&str]| words.iter().map(|w| number(w)).collect::<Result<Vec<u32>, _>>();
    Ok(match words {
        ["means", words @ ..] => Receipt::Means { words: words.iter().map(|word| (*word).to_owned()).collect() },
        ["before", rest @ ..] => Receipt::Before { pids: pids(rest)? },
        ["left", rest @ ..] => Receipt::Left { pids: pids(rest)? },
        ["sent", signal, at_s, rest @ ..] => {
            Receipt::Sent { signal: (*signal).to_owned(), at_s: number(at_s)?, pids: pids(rest)? }
        }
        _ => return Err("an unknown receipt"),
    })
}

fn hello(pairs: &[&str]) -> Result<Hello, &'static str> {
    let pairs: BTreeMap<&str, &str> = pairs.iter().filter_map(|p| p.split_once('=')).collect();
    let get = |key: &str| pairs.get(key).copied().filter(|v| !v.is_empty()).ok_or("hello lacks a key");
    let list =
        |key: &str| pairs.get(key).copied().unwrap_or("").split(',').filter(|w| !w.is_empty()).map(str::to_owned);
    Ok(Hello {
        wrapper_version: get("wrapper")?.to_owned(),
        boot_id: get("boot")?.to_owned(),
        instance_id: get("instance")?.to_owned(),
        clock_s: number(get("clock")?)?,
        free_bytes: number(get("free")?)?,
        base_dir: get("base")?.to_owned(),
        tools: list("tools").collect(),
        // The host is not trusted to be brief.
        means: list("means").take(16).map(|word| word.chars().take(32).collect()).collect(),
    })
}

fn number<T: FromStr>(text: &str) -> Result<T, &'static str> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        text.parse().map_err(|_| "a number out of range")
    } else {
        Err("not a number")
    }
}

fn attempt(text: &str) -> Result<AttemptId, &'static str> {
    text.parse().map_err(|_| "not an attempt id")
}

#[cfg(test)]
mod tests;
