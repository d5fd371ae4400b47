//! The daemon's command template: what a phase does when its project does not say it.
//!
//! `{phase}`, `{stage}`, `{project}` and the other placeholders are replaced by words that the grammar of
//! names and the closed lists bound to letters, digits, `.`, `_` and `-`: nothing that a shell reads as more
//! than a word gets into the script. Text that a shell may hold is left alone: `${phase}`, `{ a; }`, `{}`,
//! `{1..3}`, `{a,b}`. A word in braces that is no placeholder is a fault; `{{word}}` is written for `{word}`.

use std::fmt;
use std::ops::Range;

use crate::closed::closed_list;
use crate::phase::{Phase, Stage};
use crate::project_config::nearest;
use crate::tenancy::PipelinePath;

/// The longest template, in bytes.
pub const MAX_TEMPLATE_BYTES: usize = 64 * 1024;

closed_list!(
    /// What a template may name in braces.
    Placeholder {
        Enterprise = "enterprise", Org = "org", Project = "project", Pipeline = "pipeline", Stage = "stage",
        Phase = "phase",
    }
);

/// A template without faults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandTemplate {
    text: String,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Word(Placeholder),
}

/// One fault of a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateFault {
    #[error("the template is empty")]
    Empty,
    #[error("the template has {0} bytes, more than {MAX_TEMPLATE_BYTES}")]
    TooLong(usize),
    #[error("the template holds a NUL byte, which no shell can read")]
    Nul,
    #[error("line {line}, column {column}: `{{{word}}}` is no placeholder{}", advice(word, *near))]
    UnknownWord { word: String, line: u32, column: u32, near: Option<&'static str> },
}

fn advice(word: &str, near: Option<&'static str>) -> impl fmt::Display {
    let allowed = Placeholder::ALL.iter().map(|p| format!("{{{p}}}")).collect::<Vec<_>>().join(", ");
    let meant = near.map(|near| format!("; did you mean `{{{near}}}`?")).unwrap_or_default();
    format!("{meant} (allowed: {allowed}; `{{{{{word}}}}}` for the text itself)")
}

impl CommandTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// Every fault, in the order of the text.
    pub fn parse(text: &str) -> Result<Self, Vec<TemplateFault>> {
        let mut faults = Vec::new();
        if text.trim().is_empty() {
            faults.push(TemplateFault::Empty);
        }
        if text.len() > MAX_TEMPLATE_BYTES {
            return Err(vec![TemplateFault::TooLong(text.len())]);
        }
        if text.contains('\0') {
            faults.push(TemplateFault::Nul);
        }
        let (mut pieces, mut plain) = (Vec::new(), String::new());
        let mut rest = 0;
        while let Some(found) = next_word(text, rest) {
            plain.push_str(&text[rest..found.whole.start]);
            rest = found.whole.end;
            let word = &text[found.word.clone()];
            match word.parse::<Placeholder>() {
                _ if found.escaped => plain.extend(["{", word, "}"]),
                Ok(placeholder) => {
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    pieces.push(Piece::Word(placeholder));
                }
                Err(unknown) => faults.push(unknown_word(text, found.whole.start, word, &unknown.allowed)),
            }
        }
        plain.push_str(&text[rest..]);
        pieces.push(Piece::Text(plain));
        if faults.is_empty() { Ok(Self { text: text.to_owned(), pieces }) } else { Err(faults) }
    }

    /// The script of one phase of one stage.
    #[must_use]
    pub fn script(&self, at: &PipelinePath, stage: Stage, phase: Phase) -> String {
        let word = |placeholder: Placeholder| match placeholder {
            Placeholder::Enterprise => at.enterprise.as_str(),
            Placeholder::Org => at.org.as_str(),
            Placeholder::Project => at.project.as_str(),
            Placeholder::Pipeline => at.pipeline.as_str(),
            Placeholder::Stage => stage.as_str(),
            Placeholder::Phase => phase.as_str(),
        };
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Word(placeholder) => word(*placeholder).to_owned(),
        };
        self.pieces.iter().map(piece).collect()
    }

    /// The template as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// A word in braces, and where it stands.
struct Braced {
    /// Braces included; both pairs of an escaped one.
    whole: Range<usize>,
    word: Range<usize>,
    escaped: bool,
}

/// The next `{word}` or `{{word}}` from `from` on; a `${word}` belongs to the shell.
fn next_word(text: &str, from: usize) -> Option<Braced> {
    let bytes = text.as_bytes();
    let mut at = from;
    loop {
        let open = at + text.get(at..)?.find('{')?;
        let escaped = bytes.get(open + 1) == Some(&b'{');
        let start = open + 1 + usize::from(escaped);
        let letters = |b: &&u8| b.is_ascii_alphabetic() || **b == b'_';
        let end = start + bytes[start..].iter().take_while(letters).count();
        let braces = if escaped { "}}" } else { "}" };
        let is_shells = open > 0 && bytes[open - 1] == b'$';
        if end > start && !is_shells && text[end..].starts_with(braces) {
            return Some(Braced { whole: open..end + braces.len(), word: start..end, escaped });
        }
        at = open + 1;
    }
}

fn unknown_word(text: &str, at: usize, word: &str, allowed: &[&'static str]) -> TemplateFault {
    let before = &text[..at];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let count = |n: usize| u32::try_from(n + 1).unwrap_or(u32::MAX);
    TemplateFault::UnknownWord {
        word: word.chars().take(80).collect(),
        line: count(before.matches('\n').count()),
        column: count(before[line_start..].chars().count()),
        near: nearest(word, allowed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenancy::Name;

    fn script(template: &str) -> String {
        let name = |text: &str| text.parse::<Name>().unwrap();
        let at = PipelinePath {
            enterprise: name("default"),
            org: name("acme"),
            project: name("hello-1.2"),
            pipeline: name("master"),
        };
        CommandTemplate::parse(template).unwrap().script(&at, Stage::Build, Phase::Unit)
    }

    #[test]
    fn placeholders_are_replaced_and_the_shells_braces_are_left_alone() {
        for (template, expected) in [
            ("make {phase}", "make unit"),
            ("{enterprise}/{org}/{project}/{pipeline}/{stage}/{phase}", "default/acme/hello-1.2/master/build/unit"),
            ("echo ${phase} ${phase:-{phase}}", "echo ${phase} ${phase:-unit}"),
            (
                "{ echo a; }; find . -exec ls {} +; echo {1..3} {a,b}",
                "{ echo a; }; find . -exec ls {} +; echo {1..3} {a,b}",
            ),
            ("awk '{{print}}' ä{stage}", "awk '{print}' äbuild"),
            ("{{{phase}}}", "{{phase}}"),
            ("{", "{"),
            ("{phase", "{phase"),
            ("${a:-${b}}}", "${a:-${b}}}"),
        ] {
            assert_eq!(script(template), expected, "{template}");
        }
    }

    #[test]
    fn every_fault_of_a_template_is_told() {
        let faults = CommandTemplate::parse("make {phaze}\nö {PROJECT} {print}").unwrap_err();
        let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert!(
            told[0].starts_with("line 1, column 6: `{phaze}` is no placeholder; did you mean `{phase}`?"),
            "{told:?}"
        );
        assert!(told[1].starts_with("line 2, column 3: `{PROJECT}` is no placeholder; did you mean `{project}`?"));
        assert!(told[2].contains("`{{print}}` for the text itself"), "{told:?}");
        assert_eq!(told.len(), 3);
        assert_eq!(CommandTemplate::parse(" \n"), Err(vec![TemplateFault::Empty]));
        assert_eq!(CommandTemplate::parse("a\0"), Err(vec![TemplateFault::Nul]));
        assert_eq!(CommandTemplate::parse(&"x".repeat(65_537)), Err(vec![TemplateFault::TooLong(65_537)]));
    }
}
