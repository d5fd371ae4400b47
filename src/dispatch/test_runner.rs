//! Test: the staged check of a runner, over its own connection and through its own wrapper.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use shuntyard_domain::facts::facts_from;
use shuntyard_domain::ids::{AttemptId, JobId};
use shuntyard_domain::job::JobSpec;
use shuntyard_domain::output::Cksum;
use shuntyard_domain::runner::{Health, Runner};
use shuntyard_domain::wire::api::StepEvent;
use shuntyard_domain::wire::control::{Hello, ResultRecord};
use shuntyard_domain::wire::frame::Frame;
use shuntyard_domain::wrapper::probe::{ProbedHost, facts_script, parse_facts};
use tokio::sync::mpsc;
use tracing::info_span;

use super::steps::{Failure, Steps};
use super::{DispatchError, Dispatcher, new_id};
use crate::ssh::attempt::{self, Attempt, AttemptEvent};
use crate::ssh::bootstrap::nonce;
use crate::ssh::{Lease, Target};

const JOB_DEADLINE: Duration = Duration::from_secs(30);
/// Below this a runner cannot be expected to hold a job's output.
const MIN_FREE_BYTES: u64 = 16 << 20;

/// What a Test found out.
pub(super) struct Examined {
    /// One line a probe, Chef's `command_output`.
    pub report: String,
    /// By which means a job's processes are found when it is stopped.
    pub stop_means: Vec<String>,
}

/// What a Test needs to know of a runner that may not be enrolled yet.
pub(super) struct Examinee<'r> {
    pub target: Target,
    pub wrapper_path: &'r str,
    pub wrapper_version: &'r str,
}

impl Dispatcher {
    /// Tests a runner; its health is `pending` when this answers, and the result is stored at the end.
    ///
    /// # Errors
    /// `NoRunner` for an unknown name; `Store` when the health cannot be stored.
    pub async fn test(&self, hostname: &str) -> Result<mpsc::UnboundedReceiver<StepEvent>, DispatchError> {
        let known = self.known_by_name(hostname)?;
        self.may_be_tested(&known.runner)?;
        let id = known.runner.id;
        self.change_record(id, |runner| runner.health = Health::Pending).await?;
        let (steps, listener) = Steps::new();
        let engine = self.clone();
        let span = info_span!("test", runner.name = hostname);
        self.0.tasks.spawn(span, move |_| async move {
            let examinee = Examinee {
                target: engine.target(&known),
                wrapper_path: &known.runner.installation.wrapper_path,
                wrapper_version: &known.runner.installation.wrapper_version,
            };
            let examined = async {
                let examined = engine.examine(&examinee, &steps).await?;
                Ok((examined, engine.ask_facts(&examinee, &steps).await.map_err(|failure| ("facts", failure))?))
            };
            let examined: Result<(Examined, ProbedHost), (&'static str, Failure)> = examined.await;
            let found = examined.as_ref().ok().map(|(examined, host)| (examined.stop_means.clone(), host.clone()));
            let health = match &examined {
                Ok((examined, _)) => Health::Ok { command_output: examined.report.clone() },
                Err((step, failure)) => {
                    Health::Error { command_output: format!("{step}: {}\n{}", failure.why, failure.try_next) }
                }
            };
            let change = move |runner: &mut Runner| {
                runner.health = health;
                if let Some((means, host)) = found {
                    runner.facts = facts_from(&host);
                    runner.installation.stop_means = means;
                    runner.installation.tools = host.tools;
                }
            };
            if let Err(error) = engine.change_record(id, change).await {
                tracing::error!(%error, "the result of the Test could not be stored");
            }
            match examined {
                Ok(_) => steps.finished(engine.runner_body(&known.runner.hostname).await.ok(), Vec::new()),
                Err((step, failure)) => steps.failed(step, failure, Vec::new(), Vec::new()),
            }
        });
        Ok(listener)
    }

    /// The probes. The name of the failed one comes with its failure.
    pub(super) async fn examine(
        &self,
        examinee: &Examinee<'_>,
        steps: &Steps,
    ) -> Result<Examined, (&'static str, Failure)> {
        let mut report = String::new();
        let mut done = |step: &'static str, detail: String| {
            report.push_str(&format!("{step}: {detail}\n"));
            steps.done(step, detail);
        };
        steps.began("login", "connecting with the runner's own key");
        let mut lease = self.test_lease(examinee).await.map_err(|failure| ("login", failure))?;
        done("login", format!("{} at {}", examinee.target.dial.user, lease.session().at()));

        steps.began("wrapper", "asking the wrapper who it is");
        let asked = Instant::now();
        let hello = attempt::hello(&mut lease, examinee.wrapper_path).await.map_err(|error| {
            ("wrapper", Failure::new(error, "install the runner again: the wrapper is missing or damaged"))
        })?;
        let hello = check_hello(hello, examinee).map_err(|failure| ("wrapper", failure))?;
        let (version, free_mib, base) = (&hello.wrapper_version, hello.free_bytes >> 20, &hello.base_dir);
        let means = hello.means.join(", ");
        done(
            "wrapper",
            format!("version {version}, {free_mib} MiB free in {base}; finds processes to stop by {means}"),
        );

        steps.began("job", "running a small job through the wrapper");
        run_probe(&mut lease, examinee.wrapper_path).await.map_err(|failure| ("job", failure))?;
        done("job", format!("started, streamed and ended in {} ms", asked.elapsed().as_millis()));
        Ok(Examined { report, stop_means: hello.means })
    }

    /// What the host is by now: a system may have been upgraded since the bootstrap.
    async fn ask_facts(&self, examinee: &Examinee<'_>, steps: &Steps) -> Result<ProbedHost, Failure> {
        let again = "run the Test again; if it stays, run it with `shuntd` logging at debug level";
        steps.began("facts", "asking the host what it is");
        let mut lease = self.test_lease(examinee).await?;
        let nonce = nonce().map_err(|error| Failure::new(error, again))?;
        // As a job: the key of a runner of the system mode may start nothing else.
        let (_, said) = run_small_job(&mut lease, examinee.wrapper_path, facts_script(&nonce)).await?;
        let host = parse_facts(&said, &nonce).map_err(|error| Failure::new(error, again))?;
        let facts = facts_from(&host);
        steps.done("facts", format!("{} {}, {}", facts.platform, facts.platform_version, facts.arch));
        Ok(host)
    }

    async fn test_lease(&self, examinee: &Examinee<'_>) -> Result<Lease, Failure> {
        self.0.pool.lease_service(&examinee.target).await.map_err(|error| {
            let try_next = "see that sshd runs, accepts keys (PubkeyAuthentication) and lets this user in (AllowUsers), \
                            or install the runner again";
            Failure::new(error, try_next)
        })
    }
}

fn check_hello(hello: Hello, examinee: &Examinee<'_>) -> Result<Hello, Failure> {
    if hello.wrapper_version != examinee.wrapper_version {
        return Err(Failure::new(
            format!("the wrapper is version {}, not {}", hello.wrapper_version, examinee.wrapper_version),
            "install the runner again: it refreshes the wrapper",
        ));
    }
    if hello.free_bytes < MIN_FREE_BYTES {
        return Err(Failure::new(
            format!("only {} KiB are free in {}", hello.free_bytes >> 10, hello.base_dir),
            "free some space there: job output is kept on the runner until it is stored here",
        ));
    }
    Ok(hello)
}

const AGAIN: &str = "install the runner again; if it stays, run the Test with `shuntd` logging at debug level";

/// A job's output must come back whole, with the right sum.
async fn run_probe(lease: &mut Lease, wrapper_path: &str) -> Result<(), Failure> {
    let expected = format!("shuntyard {}\n", new_id());
    let (record, output) = run_small_job(lease, wrapper_path, format!("echo '{}'", expected.trim_end())).await?;
    let mut sum = Cksum::default();
    sum.update(&output);
    if output != expected.as_bytes() || record.exit_code != 0 || record.cksum != sum.value() {
        let said = String::from_utf8_lossy(&output).chars().take(200).collect::<String>();
        return Err(Failure::new(format!("the small job ended with {} and wrote {said:?}", record.exit_code), AGAIN));
    }
    Ok(())
}

/// Runs a job that nobody submitted, and returns its end and its output.
async fn run_small_job(
    lease: &mut Lease,
    wrapper_path: &str,
    script: String,
) -> Result<(ResultRecord, Vec<u8>), Failure> {
    let id = AttemptId { job: JobId(new_id()), attempt: 1 };
    let spec = JobSpec { run_limit_s: Some(20), ..JobSpec::shell(script) };
    let frame = Frame { spec: &spec, env: &BTreeMap::new() }.encode().map_err(|error| Failure::new(error, AGAIN))?;
    let stream = attempt::start(lease, wrapper_path, id, frame, 0).await.map_err(|error| Failure::new(error, AGAIN))?;
    let probe = tokio::time::timeout(JOB_DEADLINE, probe_result(stream)).await;
    probe
        .map_err(|_| Failure::new("the small job did not end within 30 s", "see what the host is busy with"))?
        .map_err(|why| Failure::new(why, AGAIN))
}

async fn probe_result(mut stream: Attempt) -> Result<(ResultRecord, Vec<u8>), String> {
    let (mut output, mut result) = (Vec::new(), None);
    loop {
        if let Some(record) = result.filter(|r: &ResultRecord| output.len() as u64 >= r.size) {
            stream.acknowledge().await;
            return Ok((record, output));
        }
        match stream.events.recv().await.ok_or("the channel ended")? {
            AttemptEvent::Started { .. } | AttemptEvent::Attached { .. } | AttemptEvent::Receipt(_) => (),
            AttemptEvent::Output(bytes) => output.extend_from_slice(&bytes),
            AttemptEvent::Ended(record) => result = Some(record),
            AttemptEvent::Refused { detail, .. } => return Err(format!("the host refused the job: {detail}")),
            AttemptEvent::Gone { why } => return Err(format!("{why:?}")),
            other => return Err(format!("the host said {other:?}")),
        }
    }
}
