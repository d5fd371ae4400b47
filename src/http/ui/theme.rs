//! Light or dark: as the system says, unless somebody chose.

use axum::response::{IntoResponse as _, Response};

use super::done::{Done, set_cookie};
use super::fields::Fields;
use crate::http::error::ApiError;
use crate::http::pages::bad;

/// The cookie of the choice.
pub(super) const THEME: &str = "shunt_theme";
const YEAR_S: u32 = 31_536_000;

/// The colours of all pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Theme {
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// The word of the cookie and of the page's `data-theme`.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    pub(super) fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.as_str() == word)
    }

    /// What the button in the bar chooses next.
    pub(super) const fn next(self) -> Self {
        match self {
            Self::System => Self::Light,
            Self::Light => Self::Dark,
            Self::Dark => Self::System,
        }
    }
}

pub(super) async fn choose(fields: Fields) -> Result<Response, ApiError> {
    let word = fields.text("theme")?;
    let theme = Theme::named(&word);
    let theme =
        theme.ok_or_else(|| bad("theme", format!("there is no theme `{word}`"), &Theme::ALL.map(Theme::as_str)))?;
    let mut response = Done::at(fields.local("back")).into_response();
    set_cookie(&mut response, THEME, theme.as_str(), &format!("; Max-Age={YEAR_S}"));
    Ok(response)
}
