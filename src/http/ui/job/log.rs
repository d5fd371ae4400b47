//! The log on a job's page: its last lines, or those from one on, with links to the others. The page's module puts a list
//! of all lines in its place.

use maud::{Markup, html};
use shuntyard_domain::ids::JobId;
use shuntyard_domain::job::Job;
use shuntyard_domain::wire::api::{JobBody, LogLine, LogLines, LogRun};

use super::page_of;
use crate::dispatch::DEFAULT;
use crate::http::Api;
use crate::http::error::ApiError;
use crate::http::ui::parts::at;
use crate::logs::Wanted;

/// Lines of one page without scripts.
const LINES: u32 = 1_000;

/// The job in the API.
pub(super) fn api_of(id: JobId) -> String {
    format!("/api/v0/e/{DEFAULT}/jobs/{id}")
}

/// What is shown of the log.
pub(super) enum Part {
    Lines(LogLines),
    /// Retention has removed it; the sentence says when.
    Removed(String),
    /// The page's module shows it.
    Elsewhere,
}

/// The lines from `from` on; the last ones without it.
pub(super) async fn part(api: &Api, job: &Job, from: Option<u64>) -> Result<Part, ApiError> {
    if let Err(removed) = api.log_is_kept(job).await {
        return Ok(Part::Removed(removed.sentence()));
    }
    let wanted = from.map_or(Wanted::Last, |line| Wanted::From(line.saturating_sub(1)));
    Ok(Part::Lines(api.log_lines(job, wanted, LINES).await?))
}

pub(super) fn section(job: &JobBody, part: &Part) -> Markup {
    html! {
        section #joblog.joblog aria-label="Log" {
            @match part {
                Part::Removed(sentence) => p.empty { (sentence) },
                Part::Lines(lines) => #log data-own data-api={ (api_of(job.id)) "/log" } { (shown(job, lines)) },
                Part::Elsewhere => #log data-own data-api={ (api_of(job.id)) "/log" } {},
            }
        }
    }
}

fn shown(job: &JobBody, part: &LogLines) -> Markup {
    html! {
        (ways(job, part))
        @if part.lines.is_empty() {
            p.muted { @if part.complete { "It wrote nothing." } @else { "No output yet." } }
        } @else {
            div.lines role="log" aria-live="off" aria-label="Lines of the log" tabindex="0" {
                @for line in &part.lines { (row(line)) }
            }
        }
    }
}

/// Which lines these are, and the ways to the others.
fn ways(job: &JobBody, part: &LogLines) -> Markup {
    let page = page_of(job.id);
    let (first, last) = (part.lines.first().map(|line| line.line), part.lines.last().map(|line| line.line));
    html! {
        div.ways {
            @if let (Some(first), Some(last)) = (first, last) {
                span { "Lines " (first) " to " (last) " of " (part.total) }
                @if first > 1 {
                    a href={ (page) "?from=1#log" } { "First" }
                    a href={ (page) "?from=" (first.saturating_sub(LINES.into()).max(1)) "#log" } rel="prev" { "Earlier" }
                }
                @if last < part.total {
                    a href={ (page) "?from=" (last + 1) "#log" } rel="next" { "Later" }
                    a href={ (page) "#log" } { "Last" }
                }
            }
            a href={ (api_of(job.id)) "/log" } download={ (job.id) ".log" } { "Download" }
        }
    }
}

fn row(line: &LogLine) -> Markup {
    html! {
        @if let Some(back) = &line.reattached_at { div.note { "Reconnected " (at(back)) ", nothing was lost" } }
        div.row #{ "L" (line.line) } {
            a.n href={ "#L" (line.line) } { (line.line) }
            span.text {
                @for run in &line.runs { (styled(run)) }
                @if line.cut_bytes > 0 { span.note { " … " (line.cut_bytes) " bytes of this line are not shown" } }
                @if line.elided_bytes > 0 { span.note { (line.elided_bytes) " bytes of output are not kept" } }
            }
        }
    }
}

fn styled(run: &LogRun) -> Markup {
    let classes = classes(run);
    html! { @if classes.is_empty() { (run.text) } @else { span class=(classes) { (run.text) } } }
}

/// The classes of its style, as `log_row.js` makes them too.
fn classes(run: &LogRun) -> String {
    let style = &run.style;
    let colours = [style.fg.map(|n| format!("f{n}")), style.bg.map(|n| format!("b{n}"))];
    let flags = [
        (style.bold, "bold"),
        (style.dim, "dim"),
        (style.italic, "italic"),
        (style.underline, "underline"),
        (style.strike, "strike"),
        (style.inverse, "inverse"),
    ];
    let flags = flags.into_iter().filter(|(on, _)| *on).map(|(_, word)| word.to_owned());
    colours.into_iter().flatten().chain(flags).collect::<Vec<_>>().join(" ")
}
