//! `shunt ctl label`: changes labels of runners while they work.

use std::collections::BTreeSet;

use clap::Args;
use shuntyard_domain::label::{check_capability, check_label, two_values};
use shuntyard_domain::wire::api::{PatchRunner, RunnerBody};

use crate::client::Client;
use crate::commands::runners::{checked_hostname, patch, that_exist};
use crate::failure::{Failure, Usage};
use crate::terminal::{plain, print};

/// Change the labels of runners
///
/// `+gpu` adds a label, `-old` removes it, `region=eu` sets the value of a key, `-region` removes the key whatever its
/// value; any other word names a runner. Jobs that are placed from now on see the new labels, running ones are not touched.
/// What others change meanwhile stays.
#[derive(Args, Debug)]
pub struct LabelArgs {
    /// Runners, and what to change
    #[arg(required = true, allow_hyphen_values = true, value_name = "HOSTNAME|+LABEL|-LABEL|KEY=VALUE")]
    words: Vec<String>,
    /// Change capabilities instead; stands before the first runner, as every flag here
    #[arg(long)]
    capabilities: bool,
}

/// The words of the command line by what they mean.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    hostnames: Vec<String>,
    add: BTreeSet<String>,
    remove: BTreeSet<String>,
}

/// # Errors
/// `Usage` before anything is sent; `Failure` when the server refuses. Every runner is looked up before the first is
/// changed.
pub async fn run(client: &Client, args: LabelArgs) -> Result<u8, Failure> {
    let Asked { hostnames, add, remove } = read(&args.words, args.capabilities)?;
    that_exist(client, &hostnames).await?;
    for hostname in hostnames {
        let (add, remove) = (add.clone(), remove.clone());
        let body = if args.capabilities {
            PatchRunner { add_capabilities: add, remove_capabilities: remove, ..PatchRunner::default() }
        } else {
            PatchRunner { add_labels: add, remove_labels: remove, ..PatchRunner::default() }
        };
        let runner = patch(client, &hostname, &body).await?;
        print(line(&runner, args.capabilities).as_bytes())?;
    }
    Ok(0)
}

fn read(words: &[String], capabilities: bool) -> Result<Asked, Usage> {
    let check = if capabilities { check_capability } else { check_label };
    let mut asked = Asked::default();
    for word in words {
        if word.starts_with("--") {
            // They are taken as words there, so that `-old` can be one.
            return Err(Usage::FlagBehindWords { flag: plain(word) });
        }
        if let Some(added) = word.strip_prefix('+') {
            asked.add.insert(added.to_owned());
        } else if let Some(removed) = word.strip_prefix('-') {
            asked.remove.insert(removed.to_owned());
        } else if word.contains('=') {
            asked.add.insert(word.clone());
        } else {
            asked.hostnames.push(checked_hostname(word)?.to_owned());
        }
    }
    asked.add.iter().try_for_each(|label| check(label))?;
    if let Some((key, two)) = two_values(&asked.add) {
        return Err(Usage::TwoValues { key: key.into(), values: two.join(", ") });
    }
    if let Some(both) = asked.add.intersection(&asked.remove).next() {
        return Err(Usage::AddedAndRemoved { label: plain(both) });
    }
    if asked.hostnames.is_empty() || (asked.add.is_empty() && asked.remove.is_empty()) {
        return Err(Usage::NothingToLabel);
    }
    Ok(asked)
}

fn line(runner: &RunnerBody, capabilities: bool) -> String {
    let words = if capabilities { &runner.capabilities } else { &runner.labels };
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let words = if words.is_empty() { "none".to_owned() } else { words.join(" ") };
    plain(&format!("{}: {words}", runner.hostname)) + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(words: &str) -> Result<Asked, String> {
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        read(&words, false).map_err(|error| error.to_string())
    }

    fn set(words: &[&str]) -> BTreeSet<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn signs_and_values_are_changes_and_other_words_are_runners() {
        let expected = Asked {
            hostnames: vec!["h1".into(), "h-2".into()],
            add: set(&["gpu", "region=eu"]),
            remove: set(&["old", "GPU"]),
        };
        assert_eq!(asked("h1 +gpu h-2 -old region=eu -GPU"), Ok(expected));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (words, said) in [
            ("h1", "+LABEL"),
            ("+gpu", "+LABEL"),
            ("h1 +GPU", "did you mean `gpu`?"),
            ("h1 region=eu region=us", "two values"),
            ("h1 +gpu -gpu", "added and removed"),
            ("h;1 +gpu", "host name"),
            ("h1 +fact.os", "`fact.`"),
            ("h1 +docker --capabilities", "before the first runner"),
        ] {
            let error = asked(words).unwrap_err();
            assert!(error.contains(said), "{words}: {error}");
        }
    }
}
