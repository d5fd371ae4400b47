//! What people say about a webhook, as fields of a form.

use maud::{Markup, html};
use shuntyard_domain::webhook::WebhookEvent;

use crate::http::ui::fields::Fields;

/// Those that may be changed later, as they are now; each is called like its key of the API.
pub(super) fn inputs(name: &str, url: &str, events: &[String]) -> Markup {
    html! {
        div.fields {
            label { "Name" input name="name" required maxlength="64" value=(name) placeholder="chat" spellcheck="false"; }
            label { "URL" span.hint { " messages are posted to it" }
                input type="url" name="url" required value=(url) placeholder="https://chat.example.com/hooks/x" spellcheck="false"; }
        }
        fieldset {
            legend { "Events" }
            div.ticks { @for event in WebhookEvent::ALL {
                @let ticked = events.iter().any(|word| word == event.as_str());
                label { input type="checkbox" name="events" value=(event) checked[ticked]; " " code { (event) } }
            } }
        }
    }
}

/// The events that are ticked.
pub(super) fn events(fields: &Fields) -> Vec<String> {
    fields.all("events").map(str::to_owned).collect()
}
