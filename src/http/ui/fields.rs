//! What a form sends.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;

use axum::extract::{FromRequest, Request};

use crate::http::body;
use crate::http::error::ApiError;
use crate::http::pages::bad;
use crate::http::query;

/// The fields of a form, in their order; each of a name may be there several times.
#[derive(Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let bytes = body::read(request, state).await?;
        // Forms end the lines of a text otherwise than files do.
        let fields = form_urlencoded::parse(&bytes).map(|(key, value)| (key.into_owned(), value.replace("\r\n", "\n")));
        Ok(Self(fields.collect()))
    }
}

impl Fields {
    /// A field that somebody filled in; spaces around it do not count.
    pub(super) fn filled(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.trim());
        found.filter(|value| !value.is_empty())
    }

    /// As it was sent: a password may begin with a space.
    pub(super) fn secret(&self, name: &str) -> Option<String> {
        let found = self.0.iter().find(|(key, value)| key == name && !value.is_empty());
        found.map(|(_, value)| value.clone())
    }

    /// Text of several lines that somebody filled in, as it stands in a file: its last line has an end.
    pub(super) fn lines(&self, name: &str) -> Option<String> {
        self.filled(name)?;
        let text = self.secret(name)?;
        Some(if text.ends_with('\n') { text } else { text + "\n" })
    }

    /// A field that has to be filled in.
    ///
    /// # Errors
    /// `BadRequest` with its name.
    pub(super) fn text(&self, name: &str) -> Result<String, ApiError> {
        let found = self.filled(name).map(str::to_owned);
        found.ok_or_else(|| bad(name, format!("`{name}` is not filled in"), &[]))
    }

    /// A field of which something is made, when it is filled in.
    ///
    /// # Errors
    /// `BadRequest` with its name and what is wrong with it.
    pub(super) fn parsed<T: FromStr<Err: Display>>(&self, name: &str) -> Result<Option<T>, ApiError> {
        query::parsed(name, self.filled(name))
    }

    /// A box that is ticked, or a button that was pressed.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }

    /// All values of a name.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Words between commas or spaces.
    pub(super) fn words(&self, name: &str) -> BTreeSet<String> {
        let words = self.filled(name).unwrap_or_default().split([',', ' ', '\n', '\r', '\t']);
        words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }

    /// A page of ours to go back to; anything else is the first page.
    pub(super) fn local(&self, name: &str) -> String {
        let path = self.filled(name).unwrap_or("/");
        let is_ours =
            path.starts_with('/') && !path.starts_with("//") && !path.contains(|c: char| c == '\\' || c.is_control());
        if is_ours { path.to_owned() } else { "/".to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Fields {
        Fields(form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    #[test]
    fn a_form_leads_only_to_pages_of_ours() {
        for (to, led) in [
            ("/runners?filter=os%3Dlinux", "/runners?filter=os=linux"),
            ("//evil.example/", "/"),
            ("/\\evil.example", "/"),
            ("https://evil.example/", "/"),
            ("/a%0d%0aX: y", "/"),
            ("/%09/evil.example", "/"),
            ("", "/"),
        ] {
            assert_eq!(fields(&format!("back={to}")).local("back"), led, "{to}");
        }
    }

    #[test]
    fn text_of_several_lines_is_that_of_a_file() {
        let fields = fields("a=+1%0a2&b=1%0a&c=+%0a");
        assert_eq!(fields.lines("a").as_deref(), Some(" 1\n2\n"));
        assert_eq!(fields.lines("b").as_deref(), Some("1\n"));
        assert_eq!(fields.lines("c"), None);
    }

    #[test]
    fn words_stand_between_commas_spaces_and_lines_and_empty_fields_are_absent() {
        let fields = fields("labels=gpu,+lab%0d%0azone%3Da&title=+&n=7&m=x&secret=+s");
        assert_eq!(fields.words("labels"), ["gpu", "lab", "zone=a"].map(str::to_owned).into());
        assert_eq!(fields.filled("title"), None);
        assert_eq!(fields.parsed::<u32>("n").unwrap(), Some(7));
        assert!(fields.parsed::<u32>("m").is_err());
        assert_eq!(fields.secret("secret").as_deref(), Some(" s"));
    }
}
