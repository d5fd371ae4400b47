//! `shunt explain`: why a job waits, clause by clause, and what would let it start.

mod follow;

use clap::Args;
use reqwest::Method;
use serde_json::Value;
use shuntyard_domain::explain::{
    CandidateExplanation, ClauseExplanation, Explanation, HolderExplanation, LimitExplanation, Verdict, WhyNot,
};
use shuntyard_domain::wire::api::JobBody;

use crate::client::{Client, parse};
use crate::commands::jobs::how_it_went;
use crate::commands::of_job;
use crate::failure::Failure;
use crate::pretty_json::pretty;
use crate::short_id;
use crate::terminal::{paint, plain, print, stdout_colour, style};

/// Say why a job waits: what each clause of its filter excludes, and what would let it start
#[derive(Args, Debug)]
pub struct ExplainArgs {
    /// Id of the job, or a part of its beginning or end
    id: String,
    /// Go on until it waits no more: say it again whenever it changes
    #[arg(short, long)]
    follow: bool,
    /// Print the server's JSON; with --follow one line for each change
    #[arg(long)]
    json: bool,
}

/// # Errors
/// `Failure` for a bad id, or when the server or standard output fails.
pub async fn run(client: &Client, args: ExplainArgs) -> Result<u8, Failure> {
    let id = short_id::job(client, &args.id).await?;
    let job: JobBody = client.get(&format!("jobs/{id}")).await.map_err(|error| of_job(id, error))?;
    if args.follow && job.state == "queued" {
        return follow::run(client, id, args.json).await;
    }
    let url = client.url(&format!("jobs/{id}/explain"), &[]);
    if args.json {
        let answer = client.answer(Method::GET, &url, None).await?;
        let value: Value = parse(&url, &answer.bytes)?;
        print(pretty(&value, stdout_colour()).as_bytes())?;
        return Ok(0);
    }
    if job.state != "queued" {
        return waits_no_more(&job, "does not wait");
    }
    let answer = client.answer(Method::GET, &url, None).await?;
    let explanation: Explanation = parse(&url, &answer.bytes)?;
    print(text(&explanation, stdout_colour()).as_bytes())?;
    // A job that waits again: why its earlier attempts came to nothing.
    print(how_it_went(&job).as_bytes())?;
    Ok(0)
}

/// Says what the job is instead.
fn waits_no_more(job: &JobBody, how: &str) -> Result<u8, Failure> {
    let runner = job.runner.as_ref().map(|r| format!(" on {r}")).unwrap_or_default();
    print(plain(&format!("job {} {how}: it is {}{runner}", job.id, job.state)).as_bytes())?;
    print(b"\n")?;
    print(how_it_went(job).as_bytes())?;
    Ok(0)
}

fn text(of: &Explanation, colour: bool) -> String {
    let mut lines =
        vec![format!("position: {} among the jobs with this filter; {} ahead of it", of.position, of.ahead)];
    if of.clauses.is_empty() {
        lines.push("filter: {} (any runner)".into());
    }
    lines.extend(of.clauses.iter().map(clause));
    for limit in &of.limits {
        lines.push(limit_line(limit));
        lines.extend(limit.holders.iter().filter(|_| limit.reached).map(holder));
    }
    if of.scope_excluded_total > 0 {
        let total = of.scope_excluded_total;
        lines.push(format!("other organisations' runners: {total}{}", names(&of.scope_excluded, total)));
    }
    if of.candidates_total > 0 {
        lines.push(format!("may take it: {}", runners(of.candidates_total)));
        lines.extend(of.candidates.iter().map(candidate));
        let unnamed = of.candidates_total.saturating_sub(of.candidates.len());
        lines.extend((unnamed > 0).then(|| format!("  … and {unnamed} more")));
    }
    for near in &of.nearest_by_key {
        let verb = if near.runners == 1 { "matches" } else { "match" };
        lines.push(format!("{} {verb} but for {}", runners(near.runners), near.key));
    }
    for near in &of.nearest {
        let has = if near.has.is_empty() { "nothing" } else { &near.has };
        lines.push(format!("nearest: {} fails only on {}: it has {has}", near.hostname, near.key));
    }
    let body: String = lines.iter().map(|line| plain(line) + "\n").collect();
    let (word, style) = verdict(of.verdict);
    let first = format!("{}: {}", paint(colour, style, word), plain(&of.summary));
    format!("{first}\n{body}{} {}\n", paint(colour, style::BOLD, "to unblock:"), plain(&of.unblock))
}

const fn verdict(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Never => ("never", style::RED),
        Verdict::NotNow => ("not now", style::YELLOW),
        Verdict::Next => ("next", style::GREEN),
    }
}

fn clause(of: &ClauseExplanation) -> String {
    let excluded = match of.excluded {
        0 => "excludes nobody".to_owned(),
        n => format!("excludes {}{}", runners(n), names(&of.excluded_runners, n)),
    };
    // Labels and capabilities are all-of, the other keys any-of.
    let and_or = if matches!(of.key.as_str(), "labels" | "capabilities") { " and " } else { " or " };
    format!("{} = {}: {} match, {excluded}", of.key, of.wanted.join(and_or), of.matching)
}

fn limit_line(of: &LimitExplanation) -> String {
    let reached = if of.reached { "reached" } else { "has room" };
    let ahead = if of.ahead > 0 { format!("; {} ahead of it wait for it", of.ahead) } else { String::new() };
    format!("limit of {} {}: {} of {} running, {reached}{ahead}", of.kind, of.name, of.running, of.limit)
}

fn holder(of: &HolderExplanation) -> String {
    let project = if of.project.is_empty() { String::new() } else { format!(" of project {}", of.project) };
    let since = of.since.as_ref().map(|since| format!(" since {since}")).unwrap_or_default();
    format!("  held by {}{project}{since}", of.job)
}

fn candidate(of: &CandidateExplanation) -> String {
    let jobs: Vec<String> = of.busy_with.iter().map(ToString::to_string).collect();
    let with =
        if of.why == WhyNot::Busy && !jobs.is_empty() { format!(" with {}", jobs.join(", ")) } else { String::new() };
    let note = of.note.iter().map(|note| format!(" {note}")).collect::<String>();
    format!("  {}: {}{with}{note}", of.hostname, of.why)
}

fn runners(count: usize) -> String {
    if count == 1 { "1 runner".into() } else { format!("{count} runners") }
}

/// `: a, b, … 3 more`, or nothing.
fn names(first: &[String], total: usize) -> String {
    if first.is_empty() {
        return String::new();
    }
    let more = total.saturating_sub(first.len());
    let more = if more > 0 { format!(", … {more} more") } else { String::new() };
    format!(": {}{more}", first.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_explanation_reads_as_verdict_clauses_candidates_and_remedy() {
        let explanation: Explanation = serde_json::from_value(json!({
            "job": "01890000-0000-7000-8000-000000000001", "position": 2, "ahead": 3, "verdict": "not_now",
            "clauses": [
                {"key": "platform", "wanted": ["debian", "ubuntu"], "matching": 2, "excluded": 0, "excluded_runners": []},
                {"key": "labels", "wanted": ["gpu", "x"], "matching": 1, "excluded": 3, "excluded_runners": ["a", "b"]},
            ],
            "scope_excluded": ["other"], "scope_excluded_total": 1,
            "candidates": [
                {"hostname": "u1", "why": "busy", "busy_with": ["01890000-0000-7000-8000-000000000002"]},
            ],
            "candidates_total": 2,
            "limits": [
                {"kind": "group", "name": "prod", "limit": 1, "running": 1, "reached": true, "ahead": 2, "holders":
                    [{"job": "01890000-0000-7000-8000-000000000003", "project": "web", "since": "2026-01-01T00:00:00Z"}]},
                {"kind": "project", "name": "api", "limit": 5, "running": 0, "reached": false, "ahead": 0, "holders": []},
            ],
            "nearest_by_key": [{"key": "platform_version", "runners": 3}],
            "nearest": [{"hostname": "evil\u{1b}[2J", "key": "labels", "has": ""}],
            "summary": "waits for a free slot", "unblock": "add a runner",
        }))
        .unwrap();
        let expected = "\
not now: waits for a free slot
position: 2 among the jobs with this filter; 3 ahead of it
platform = debian or ubuntu: 2 match, excludes nobody
labels = gpu and x: 1 match, excludes 3 runners: a, b, … 1 more
limit of group prod: 1 of 1 running, reached; 2 ahead of it wait for it
  held by 01890000-0000-7000-8000-000000000003 of project web since 2026-01-01T00:00:00Z
limit of project api: 0 of 5 running, has room
other organisations' runners: 1: other
may take it: 2 runners
  u1: busy with 01890000-0000-7000-8000-000000000002
  … and 1 more
3 runners match but for platform_version
nearest: evil\u{fffd}[2J fails only on labels: it has nothing
to unblock: add a runner
";
        assert_eq!(text(&explanation, false), expected);
        assert!(text(&explanation, true).starts_with("\x1b[33mnot now\x1b[0m: "));
    }
}
