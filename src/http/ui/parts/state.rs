//! States as a dot and a word; the colour is never all that tells.

use maud::{Markup, html};

/// What a state means to its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http::ui) enum Tone {
    Good,
    Bad,
    Warn,
    Busy,
    Calm,
    Off,
}

impl Tone {
    const fn class(self) -> &'static str {
        match self {
            Self::Good => "state good",
            Self::Bad => "state bad",
            Self::Warn => "state warn",
            Self::Busy => "state busy",
            Self::Calm => "state calm",
            Self::Off => "state off",
        }
    }
}

pub(in crate::http::ui) fn state(tone: Tone, word: &str) -> Markup {
    html! { span class=(tone.class()) { (word) } }
}

/// A job's state, or its outcome, by its word.
pub(in crate::http::ui) fn job_state(word: &str) -> Markup {
    let tone = match word {
        "queued" => Tone::Calm,
        "assigned" | "starting" | "running" => Tone::Busy,
        "succeeded" => Tone::Good,
        "failed" | "timed_out" | "lost" => Tone::Bad,
        "abandoned" | "expired" => Tone::Warn,
        _ => Tone::Off,
    };
    state(tone, &word.replace('_', " "))
}
