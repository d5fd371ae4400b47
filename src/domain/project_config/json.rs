//! JSON values that know where they stand, and that keep repeated keys: what serde_json cannot tell.

use std::ops::Range;

/// A value and the bytes of the text that it takes.
pub(super) struct Node {
    pub(super) span: Range<usize>,
    pub(super) value: Json,
}

/// A JSON value; numbers are kept as written, members in file order, repeated ones included.
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Node>),
    Object(Vec<Member>),
}

/// One `"key": value` of an object.
pub(super) struct Member {
    pub(super) key: String,
    pub(super) key_span: Range<usize>,
    pub(super) node: Node,
}

impl Json {
    /// The value's type, for people.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }

    /// The same value without positions; of repeated keys the last counts.
    pub(super) fn plain(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Number(digits) => serde_json::from_str(digits).unwrap_or_default(),
            Self::Text(text) => text.as_str().into(),
            Self::List(nodes) => nodes.iter().map(|node| node.value.plain()).collect(),
            Self::Object(members) => members.iter().map(|m| (m.key.clone(), m.node.value.plain())).collect(),
        }
    }
}
