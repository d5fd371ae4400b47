//! How what is followed is shown: for people, or as events for programs.

use std::io::IsTerminal;

use shuntyard_domain::wire::change::{ChangeBody, StageBody};

use super::json::Json;
use super::rows::Row;
use super::text::Text;
use crate::failure::Failure;
use crate::terminal;

/// One of the two.
pub enum Display {
    Text(Box<Text>),
    Json(Json),
}

impl Display {
    /// JSON on standard output; or text, with live lines when standard error is a terminal.
    #[must_use]
    pub fn new(json: bool, quiet: bool) -> Self {
        if json {
            return Self::Json(Json::default());
        }
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let live = !quiet && std::io::stderr().is_terminal() && !is_dumb;
        Self::Text(Box::new(Text::new(live, quiet)))
    }

    /// A run as it is now, with the rows that are new in it.
    pub fn run(&mut self, change: &ChangeBody, run: &StageBody, new: &[&Row]) -> Result<(), Failure> {
        match self {
            Self::Text(text) => text.run(run, new),
            Self::Json(json) => json.run(change, run),
        }
    }

    /// A row's job as it is now.
    pub fn row(&mut self, row: &Row) -> Result<(), Failure> {
        match self {
            Self::Text(text) => text.row(row),
            Self::Json(json) => json.row(row),
        }
    }

    /// Output of a row, and where it begins.
    pub fn output(&mut self, (row, offset): (&Row, u64), bytes: &[u8]) -> Result<(), Failure> {
        match self {
            Self::Text(text) => text.output(row, bytes),
            Self::Json(_) => Json::output(row, offset, bytes),
        }
    }

    /// A word about a row.
    pub fn remark(&mut self, row: &Row, said: &str) -> Result<(), Failure> {
        match self {
            Self::Text(text) => {
                text.remark(row, said);
                Ok(())
            }
            Self::Json(_) => Json::remark(row, said),
        }
    }

    /// The server is away, and why; or it is back.
    pub fn contact(&mut self, lost: Option<&str>) -> Result<(), Failure> {
        if let Self::Json(_) = self {
            return Json::contact(lost);
        }
        self.note(&match lost {
            Some(why) => {
                format!("lost contact with the server ({}); the change goes on, trying again", terminal::plain(why))
            }
            None => "the server is back".into(),
        });
        Ok(())
    }

    /// A word about all of it.
    pub fn note(&mut self, said: &str) {
        match self {
            Self::Text(text) => text.note(said),
            Self::Json(_) => terminal::note(said),
        }
    }

    /// Time has passed.
    pub fn tick(&mut self) {
        if let Self::Text(text) = self {
            text.tick();
        }
    }

    /// Nothing more comes.
    pub fn close(&mut self, change: &ChangeBody) -> Result<(), Failure> {
        match self {
            Self::Text(text) => {
                text.close();
                Ok(())
            }
            Self::Json(_) => Json::end(change),
        }
    }
}
