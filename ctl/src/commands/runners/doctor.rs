//! `shunt ctl doctor`: the Test of runners, probe by probe, with what was seen and what to do.

use std::collections::BTreeSet;

use clap::Args;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::{Method, StatusCode};
use serde::Serialize;
use shuntyard_domain::probe::{Probe, Report, Verdict};
use shuntyard_domain::wire::api::{RunnerBody, StepEvent};

use crate::client::Client;
use crate::client_error::ClientError;
use crate::commands::runners::{checked_hostname, that_exist};
use crate::failure::{EXIT_ERROR, Failure};
use crate::pretty_json::pretty;
use crate::steps::{self, StepsEnd};
use crate::terminal::{note, paint, plain, print, stdout_colour, style};

/// Runners that are examined at a time.
const AT_A_TIME: usize = 8;
/// The longest names of a verdict and of a probe.
const VERDICT_WIDTH: usize = 7;
const NAME_WIDTH: usize = 20;

/// Examine runners and say what is wrong with them and how to mend it
///
/// Makes the Test of each runner and prints its probes: network, login, wrapper, a small job, and the host as a place for
/// jobs. A runner that is connected is examined over its connection; one that is not says at which layer it fails. What is
/// found is kept, and a runner on which no job can run gets none until a later Test is good.
///
/// Exit code: 0 when every probe is ok or warns, 1 when one fails or, with --strict, warns.
#[derive(Args, Debug)]
#[command(override_usage = "shunt ctl doctor [OPTIONS] <HOSTNAME>…\n       shunt ctl doctor [OPTIONS] --all")]
#[command(after_long_help = "Examples:
  shunt ctl doctor build-1              one runner, every probe
  shunt ctl doctor --all --quiet        what is not ok, of all
  shunt ctl doctor --all --strict       for CI: warnings fail too
  shunt ctl doctor build-1 --last       what the last Test or check found; asks nothing of the host")]
pub struct DoctorArgs {
    /// Names of the runners
    #[arg(required_unless_present = "all", value_name = "HOSTNAME")]
    hostnames: Vec<String>,
    /// Examine every runner
    #[arg(long, conflicts_with = "hostnames")]
    all: bool,
    /// Show what the last Test found instead of making one
    #[arg(long)]
    last: bool,
    /// Let a warning count as a failure
    #[arg(long)]
    strict: bool,
    /// Print only what is not ok
    #[arg(short, long, conflicts_with = "json")]
    quiet: bool,
    /// Print every report and the numbers as JSON
    #[arg(long)]
    json: bool,
}

/// What was found about one runner.
#[derive(Debug, Serialize)]
struct Examined {
    hostname: String,
    /// The worst of its probes; `skipped`: there was no Test yet, or it was not examined.
    verdict: Verdict,
    /// When a stored Test was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    /// Why it can run no jobs.
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<String>,
    /// Why it was not examined.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    probes: Report,
}

/// How many there are of each verdict.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Numbers {
    ok: usize,
    warn: usize,
    fail: usize,
    untested: usize,
}

#[derive(Serialize)]
struct Answer<'a> {
    runners: &'a [Examined],
    #[serde(flatten)]
    numbers: Numbers,
}

/// # Errors
/// `Failure`; what is wrong with a runner is an exit code, not a failure.
pub async fn run(client: &Client, args: DoctorArgs) -> Result<u8, Failure> {
    let hostnames = wanted(client, &args).await?;
    let (colour, quiet, last, all) = (stdout_colour(), args.quiet, args.last, args.all);
    let one = |hostname: String| async move {
        let name = hostname.clone();
        let found = if last { stored(client, hostname).await } else { examine(client, hostname).await };
        found.or_else(|failure| if all { not_examined(name, failure) } else { Err(failure) })
    };
    // In the order of the names, each as soon as those before it are there.
    let mut examined = stream::iter(hostnames.into_iter().map(one)).buffered(AT_A_TIME);
    let mut all = Vec::new();
    while let Some(runner) = examined.try_next().await? {
        if !args.json {
            print(text(&runner, quiet, colour).as_bytes())?;
        }
        all.push(runner);
    }
    let numbers = count(&all);
    let bad = numbers.fail > 0 || (args.strict && numbers.warn > 0);
    if args.json {
        let answer = Answer { runners: &all, numbers };
        let value = serde_json::to_value(&answer).unwrap_or_default();
        print(pretty(&value, colour).as_bytes())?;
    } else {
        note(&summary(&numbers));
    }
    Ok(if bad { EXIT_ERROR } else { 0 })
}

async fn wanted(client: &Client, args: &DoctorArgs) -> Result<Vec<String>, Failure> {
    if args.all {
        let runners: Vec<RunnerBody> = client.get("runners").await?;
        return Ok(runners.into_iter().map(|runner| runner.hostname).collect());
    }
    for hostname in &args.hostnames {
        checked_hostname(hostname)?;
    }
    that_exist(client, &args.hostnames).await?;
    let mut seen = BTreeSet::new();
    Ok(args.hostnames.iter().filter(|hostname| seen.insert(*hostname)).cloned().collect())
}

/// Of all runners, one that cannot be examined, or was deleted meanwhile, does not keep the others from it.
fn not_examined(hostname: String, failure: Failure) -> Result<Examined, Failure> {
    match failure {
        Failure::Client(ClientError::Refused(refusal))
            if matches!(refusal.status, StatusCode::NOT_FOUND | StatusCode::CONFLICT) =>
        {
            let error = Some(refusal.to_string());
            let (verdict, probes) = (Verdict::Skipped, Report::default());
            Ok(Examined { hostname, verdict, at: None, failed: None, error, probes })
        }
        failure => Err(failure),
    }
}

async fn examine(client: &Client, hostname: String) -> Result<Examined, Failure> {
    let url = client.url(&format!("runners/{hostname}/health"), &[]);
    let mut probes = Report::default();
    let take = |event: StepEvent| match event {
        StepEvent::Probed { probe } => {
            probes.put(probe);
            None
        }
        StepEvent::Began { .. } | StepEvent::Done { .. } => None,
        end => steps::end_of(end),
    };
    let failed = match steps::each(client, Method::POST, &url, None, "Run the doctor again", take).await? {
        StepsEnd::Finished { .. } => None,
        StepsEnd::Failed(failed) => Some(format!("{}: {}", failed.step, failed.why)),
        StepsEnd::HostKeyUnconfirmed { fingerprint, .. } => Some(format!("host key: {fingerprint} is not pinned")),
    };
    let verdict = if failed.is_some() { Verdict::Fail } else { probes.verdict() };
    Ok(Examined { hostname, verdict, at: None, failed, error: None, probes })
}

async fn stored(client: &Client, hostname: String) -> Result<Examined, Failure> {
    let runner: RunnerBody = client.get(&format!("runners/{hostname}")).await?;
    let Some(test) = runner.last_test else {
        let (verdict, probes) = (Verdict::Skipped, Report::default());
        return Ok(Examined { hostname, verdict, at: None, failed: None, error: None, probes });
    };
    let failed = (runner.health.status.as_deref() == Some("error"))
        .then(|| runner.health.command_output.unwrap_or_default().lines().next().unwrap_or_default().to_owned());
    let verdict = if failed.is_some() { Verdict::Fail } else { test.verdict };
    Ok(Examined { hostname, verdict, at: Some(test.at), failed, error: None, probes: test.probes })
}

fn count(all: &[Examined]) -> Numbers {
    let of = |verdict| all.iter().filter(|runner| runner.verdict == verdict).count();
    Numbers { ok: of(Verdict::Ok), warn: of(Verdict::Warn), fail: of(Verdict::Fail), untested: of(Verdict::Skipped) }
}

fn summary(numbers: &Numbers) -> String {
    let Numbers { ok, warn, fail, untested } = numbers;
    let all = ok + warn + fail + untested;
    let s = if all == 1 { "" } else { "s" };
    let untested = if *untested == 0 { String::new() } else { format!(", {untested} untested") };
    format!("{all} runner{s}: {ok} ok, {warn} warn, {fail} fail{untested}")
}

fn text(runner: &Examined, quiet: bool, colour: bool) -> String {
    if quiet && runner.verdict == Verdict::Ok {
        return String::new();
    }
    let hostname = plain(&runner.hostname);
    if let Some(why) = &runner.error {
        return format!("{hostname}: not examined: {}\n", plain(why));
    }
    let mut text = match (&runner.at, runner.verdict) {
        (_, Verdict::Skipped) => format!("{hostname}: there was no Test yet\n"),
        (Some(at), verdict) => format!("{hostname}: {verdict}, at {}\n", plain(at)),
        (None, verdict) => format!("{hostname}: {verdict}\n"),
    };
    let shown = |probe: &&Probe| !quiet || probe.verdict >= Verdict::Warn;
    for probe in runner.probes.probes.iter().filter(shown) {
        let verdict = format!("{:VERDICT_WIDTH$}", probe.verdict.as_str());
        let verdict = paint(colour, style_of(probe.verdict), &verdict);
        text += &format!("  {verdict}  {:NAME_WIDTH$}  {}\n", probe.name.as_str(), plain(&probe.evidence));
        if let Some(fix) = &probe.fix {
            text += &format!("  {:VERDICT_WIDTH$}  {:NAME_WIDTH$}  fix: {}\n", "", "", plain(fix));
        }
    }
    // The probes say it in the ordinary case.
    if let Some(why) = runner.failed.as_ref().filter(|_| runner.probes.verdict() != Verdict::Fail) {
        text += &format!("  failed: {}\n", plain(why));
    }
    text
}

const fn style_of(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Skipped => style::DIM,
        Verdict::Ok => style::GREEN,
        Verdict::Warn => style::YELLOW,
        Verdict::Fail => style::RED,
    }
}

#[cfg(test)]
mod tests {
    use shuntyard_domain::probe::ProbeName;

    use super::*;

    fn examined(probes: Vec<Probe>) -> Examined {
        let probes = Report { probes };
        Examined { hostname: "h1".into(), verdict: probes.verdict(), at: None, failed: None, error: None, probes }
    }

    #[test]
    fn a_report_shows_evidence_and_fix_and_quiet_leaves_out_what_is_well() {
        let bad = examined(vec![
            Probe::ok(ProbeName::Tcp, "10.0.0.1:22"),
            Probe::warn(ProbeName::Tools, "no git", "install git"),
            Probe::skipped(ProbeName::Sudo, "a Test asks"),
        ]);
        let whole = text(&bad, false, false);
        let lines: Vec<&str> = whole.lines().collect();
        assert_eq!(lines[0], "h1: warn");
        assert_eq!(lines[1], "  ok       tcp                   10.0.0.1:22");
        assert_eq!(lines[3], "                                 fix: install git");
        assert_eq!(text(&bad, true, false).lines().count(), 3);
        let well = examined(vec![Probe::ok(ProbeName::Tcp, "10.0.0.1:22")]);
        assert_eq!(text(&well, true, false), "");
        assert_eq!(summary(&count(&[bad, well])), "2 runners: 1 ok, 1 warn, 0 fail");
        assert!(ProbeName::ALL.iter().all(|name| name.as_str().len() <= NAME_WIDTH));
    }

    #[test]
    fn of_all_runners_one_that_is_refused_is_passed_over() {
        let refusal = |status: StatusCode| {
            let body = serde_json::from_str(r#"{"error":"conflict","message":"it is turned off."}"#).unwrap();
            let json = serde_json::Value::Null;
            let refusal = crate::client_error::Refusal { status, path: "/x".into(), body, json };
            not_examined("local".into(), ClientError::Refused(Box::new(refusal)).into())
        };
        for status in [StatusCode::CONFLICT, StatusCode::NOT_FOUND] {
            let passed = refusal(status).unwrap();
            assert!(text(&passed, true, false).starts_with("local: not examined: it is turned off ("));
            assert_eq!(summary(&count(&[passed])), "1 runner: 0 ok, 0 warn, 0 fail, 1 untested");
        }
        assert!(refusal(StatusCode::INTERNAL_SERVER_ERROR).is_err());
    }
}
