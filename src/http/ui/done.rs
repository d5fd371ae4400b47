//! What becomes of a form that was carried out: back to a page, which says so once.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// The cookie of what the next page says.
pub(super) const SAID: &str = "shunt_said";
/// A sentence that no page has said by then is not worth saying.
const SAID_FOR_S: u32 = 60;

/// The answer to a form.
pub(super) struct Done {
    to: String,
    said: Option<String>,
}

impl Done {
    /// Leads to a page of ours.
    pub(super) fn at(path: impl Into<String>) -> Self {
        Self { to: path.into(), said: None }
    }

    /// The page will say this, once.
    pub(super) fn saying(self, sentence: impl Into<String>) -> Self {
        Self { said: Some(sentence.into()), ..self }
    }
}

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        let mut response = Redirect::to(&self.to).into_response();
        if let Some(said) = self.said {
            set_cookie(&mut response, SAID, &said, &format!("; Max-Age={SAID_FOR_S}"));
        }
        response
    }
}

/// Adds a cookie that scripts cannot read and that other sites' forms do not send; `more` are further attributes.
pub(super) fn set_cookie(response: &mut Response, name: &str, value: &str, more: &str) {
    let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
    let line = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{more}");
    if let Ok(line) = HeaderValue::from_str(&line) {
        response.headers_mut().append(header::SET_COOKIE, line);
    }
}
