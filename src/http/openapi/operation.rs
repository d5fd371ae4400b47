//! One operation of the API as it is declared.

use axum::http::Method;
use schemars::{JsonSchema, SchemaGenerator};
use shuntyard_domain::access::Role;
use shuntyard_domain::wire::idempotency::Repeated;

use super::schemas::Shape;
use crate::http::access::{At, Declared, Needs};
use crate::http::error::words::ErrorWord;

/// What a request or an answer carries.
#[derive(Clone, Copy)]
pub(super) enum Content {
    Json(Shape),
    /// One of two.
    Either(Shape, Shape),
    /// Bytes or a text of this media type.
    Bytes(&'static str),
    /// An event stream: the names of its events and their data.
    Events(&'static [(&'static str, Shape)]),
}

/// A method on a path: who may ask it is the route's own; this is what it takes and answers.
pub(super) struct Operation {
    pub(super) method: Method,
    /// As the router writes it, behind `/api/v0/e/{enterprise}` unless `is_root`.
    pub(super) path: &'static str,
    /// It is outside of the enterprise's tree.
    pub(super) is_root: bool,
    /// Unique; the name of a generated client's function.
    pub(super) id: &'static str,
    pub(super) group: &'static str,
    /// One sentence.
    pub(super) summary: &'static str,
    pub(super) note: Option<&'static str>,
    /// What `{id}` is.
    pub(super) id_shape: Option<Shape>,
    pub(super) query: Option<Shape>,
    pub(super) headers: Vec<(&'static str, &'static str)>,
    pub(super) takes: Option<Content>,
    /// Success: the status and, unless it is empty, what it carries. A status may stand here twice, with two contents.
    pub(super) answers: Vec<(u16, Option<Content>)>,
    /// Besides those that every route has.
    pub(super) errors: Vec<ErrorWord>,
}

/// Begins an operation; a list of operations is named after what they are about.
pub(super) fn on(method: Method, path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    Operation {
        method,
        path,
        is_root: false,
        id,
        group: "",
        summary,
        note: None,
        id_shape: None,
        query: None,
        headers: Vec::new(),
        takes: None,
        answers: Vec::new(),
        errors: Vec::new(),
    }
}

macro_rules! methods {
    ($($name:ident $method:ident),+) => {
        $(pub(super) fn $name(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
            on(Method::$method, path, id, summary)
        })+
    };
}
methods!(get GET, post POST, put PUT, patch PATCH, delete DELETE);

/// The shape of a type.
pub(super) fn of<T: JsonSchema>(schemas: &mut SchemaGenerator) -> schemars::Schema {
    schemas.subschema_for::<T>()
}

impl Operation {
    /// The `{id}` of the path.
    pub(super) fn id<T: JsonSchema>(self) -> Self {
        Self { id_shape: Some(of::<T>), ..self }
    }

    pub(super) fn query<T: JsonSchema>(self) -> Self {
        Self { query: Some(of::<T>), ..self }
    }

    pub(super) fn header(mut self, name: &'static str, meaning: &'static str) -> Self {
        self.headers.push((name, meaning));
        self
    }

    pub(super) fn takes<T: JsonSchema>(self) -> Self {
        Self { takes: Some(Content::Json(of::<T>)), ..self }
    }

    pub(super) fn takes_bytes(self, media_type: &'static str) -> Self {
        Self { takes: Some(Content::Bytes(media_type)), ..self }
    }

    fn answer(mut self, status: u16, content: Option<Content>) -> Self {
        self.answers.push((status, content));
        self
    }

    pub(super) fn answers<T: JsonSchema>(self) -> Self {
        self.answer(200, Some(Content::Json(of::<T>)))
    }

    /// Answers 201; a repetition with the same key is answered in the same way.
    pub(super) fn creates<T: JsonSchema>(self) -> Self {
        self.answer(201, Some(Content::Json(of::<T>))).with_key()
    }

    /// As `creates`, of something with a secret: a repetition is not told it.
    pub(super) fn creates_secret<T: JsonSchema, About: JsonSchema>(self) -> Self {
        self.answer(201, Some(Content::Either(of::<T>, of::<Repeated<About>>))).with_key()
    }

    fn with_key(self) -> Self {
        let meaning = "A repetition with the same key within 24 hours makes nothing new.";
        self.header("Idempotency-Key", meaning).fails(&[ErrorWord::KeyReused])
    }

    /// Answers 204.
    pub(super) fn done(self) -> Self {
        self.answer(204, None)
    }

    pub(super) fn streams(self, events: &'static [(&'static str, Shape)]) -> Self {
        self.answer(200, Some(Content::Events(events)))
    }

    pub(super) fn sends(self, media_type: &'static str) -> Self {
        self.answer(200, Some(Content::Bytes(media_type)))
    }

    pub(super) fn sends_parts(self, media_type: &'static str) -> Self {
        self.answer(206, Some(Content::Bytes(media_type)))
    }

    pub(super) fn fails(mut self, errors: &[ErrorWord]) -> Self {
        self.errors.extend(errors);
        self
    }

    pub(super) fn note(self, note: &'static str) -> Self {
        Self { note: Some(note), ..self }
    }

    /// Outside of the enterprise's tree.
    pub(super) fn at_root(self) -> Self {
        Self { is_root: true, ..self }
    }

    /// The whole path.
    pub(super) fn whole_path(&self) -> String {
        let tree = if self.is_root { "" } else { "/api/v0/e/{enterprise}" };
        format!("{tree}{}", self.path.replace("{*path}", "{path}"))
    }

    /// All errors of a route that is declared so: its own, and those that its tree and its body bring with them.
    pub(super) fn all_errors(&self, route: &Declared) -> Vec<ErrorWord> {
        let mut errors = self.errors.clone();
        errors.push(ErrorWord::BadRequest);
        if !self.is_root {
            errors.push(ErrorWord::NotFound);
        }
        if route.needs != Needs::Nothing {
            errors.extend([ErrorWord::TokenDenied, ErrorWord::TokenExpired]);
        }
        if forbids(route.needs) {
            errors.push(ErrorWord::Forbidden);
        }
        if self.takes.is_some() {
            errors.push(ErrorWord::TooLarge);
        }
        errors.sort_unstable();
        errors.dedup();
        errors
    }
}

/// Whether some callers are told that they may not. Whoever sees a project or a runner may look at it; for all else a role
/// may be missing.
fn forbids(needs: Needs) -> bool {
    match needs {
        Needs::Nothing | Needs::Token => false,
        Needs::Role(_, At::Anywhere | At::Enterprise | At::Org | At::Job | At::PhaseRun | At::FanOut) => true,
        Needs::Role(roles, At::PartOfOrg | At::Project | At::Runner | At::Change) => roles.len() < Role::ALL.len(),
    }
}
