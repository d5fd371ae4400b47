//! Logging of the daemon: to stderr, as lines for people or as JSON.

use std::fmt;
use std::io::IsTerminal as _;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::format::{Format, Full, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::util::TryInitError;

use crate::config::{LogConfig, LogFormat, LogLevel};

/// Logging could not be started.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("RUST_LOG `{found}` is not a list of directives such as info,shuntyard::ssh=debug")]
    Filter {
        found: String,
        #[source]
        source: ParseError,
    },
    #[error("logging was already started")]
    Started(#[from] TryInitError),
}

/// Starts logging for the whole process. `rust_log`, when not empty, replaces the configured level.
///
/// Colour is used only when stderr is a terminal and NO_COLOR (`no_color`) does not forbid it.
///
/// # Errors
/// `TelemetryError::Filter` for a RUST_LOG that cannot be read, `Started` when it runs twice.
pub fn start(log: LogConfig, rust_log: Option<&str>, no_color: bool) -> Result<(), TelemetryError> {
    let colour = std::io::stderr().is_terminal() && !no_color;
    subscriber(log, rust_log, colour, std::io::stderr)?.try_init()?;
    Ok(())
}

fn subscriber<W>(
    log: LogConfig,
    rust_log: Option<&str>,
    colour: bool,
    writer: W,
) -> Result<tracing::Dispatch, TelemetryError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt().with_env_filter(filter(log.level, rust_log)?).with_writer(writer);
    Ok(match log.format {
        LogFormat::Text => builder.with_ansi(colour).finish().into(),
        LogFormat::Journald => builder.with_ansi(false).event_format(Prioritized::default()).finish().into(),
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).finish().into(),
    })
}

/// One line an event behind its priority, as sd-daemon(3) has it; the journal has times of its own.
struct Prioritized {
    line: Format<Full, ()>,
}

impl Default for Prioritized {
    fn default() -> Self {
        Self { line: tracing_subscriber::fmt::format().without_time().with_level(false) }
    }
}

impl<S, N> FormatEvent<S, N> for Prioritized
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let priority = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        };
        write!(to, "<{priority}>")?;
        self.line.format_event(context, to, event)
    }
}

/// Libraries speak up only from `warn` on, unless RUST_LOG says otherwise: russh logs every packet at `debug`. The one that
/// checks certificates of receivers is silent: it calls an error what we tell better, and again at every try.
fn filter(level: LogLevel, rust_log: Option<&str>) -> Result<EnvFilter, TelemetryError> {
    match rust_log.filter(|text| !text.trim().is_empty()) {
        Some(text) => {
            EnvFilter::builder().parse(text).map_err(|source| TelemetryError::Filter { found: text.to_owned(), source })
        }
        None => {
            let libraries = if level == LogLevel::Error { "error" } else { "warn" };
            let level = level.as_str();
            let silent = "rustls_platform_verifier=off";
            Ok(EnvFilter::new(format!("{libraries},{silent},shuntyard={level},shuntd={level}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(level: LogLevel, format: LogFormat, rust_log: Option<&str>, colour: bool) -> String {
        let written = Written::default();
        let writer = written.clone();
        let dispatch =
            subscriber(LogConfig { level, format }, rust_log, colour, move || writer.clone()).expect("a good filter");
        tracing::dispatcher::with_default(&dispatch, || {
            let span = tracing::info_span!("job", job.id = "j1");
            let _entered = span.enter();
            tracing::info!(runner.name = "r1", "started");
            tracing::debug!("details");
            tracing::warn!(target: "russh", "library warns");
            tracing::info!(target: "russh", "library chats");
        });
        String::from_utf8(written.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn text_has_colour_only_when_asked() {
        let plain = logged(LogLevel::Info, LogFormat::Text, None, false);
        assert!(plain.contains("started") && plain.contains("r1") && !plain.contains('\u{1b}'), "{plain}");
        assert!(logged(LogLevel::Info, LogFormat::Text, None, true).contains('\u{1b}'));
    }

    #[test]
    fn json_is_one_object_a_line_with_the_fields_beside_the_message() {
        let text = logged(LogLevel::Info, LogFormat::Json, None, false);
        let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        assert_eq!((&first["message"], &first["runner.name"]), (&"started".into(), &"r1".into()), "{first}");
        assert_eq!(first["spans"][0]["job.id"], "j1", "{first}");
    }

    #[test]
    fn the_journal_is_given_the_priority_and_no_time() {
        let text = logged(LogLevel::Info, LogFormat::Journald, None, true);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("<6>") && lines[0].contains("started") && lines[0].contains("job.id"), "{text}");
        assert!(lines[1].starts_with("<4>") && !text.contains('\u{1b}') && !text.contains("20"), "{text}");
    }

    #[test]
    fn the_level_is_ours_libraries_only_warn_and_rust_log_replaces_both() {
        let said = |level, rust_log| {
            let text = logged(level, LogFormat::Text, rust_log, false);
            ["started", "details", "library warns", "library chats"].map(|words| text.contains(words))
        };
        assert_eq!(said(LogLevel::Info, None), [true, false, true, false]);
        assert_eq!(said(LogLevel::Debug, Some(" ")), [true, true, true, false]);
        assert_eq!(said(LogLevel::Error, None), [false, false, false, false]);
        assert_eq!(said(LogLevel::Error, Some("russh=info")), [false, false, true, true]);
        assert!(matches!(filter(LogLevel::Info, Some("a=b=c")), Err(TelemetryError::Filter { .. })));
    }
}
