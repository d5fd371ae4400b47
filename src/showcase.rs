//! `shuntd demo`: a daemon, three embedded hosts, the real bootstrap, and one project's phases.

mod screen;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use shuntyard_domain::job::{Job, JobState};
use shuntyard_domain::outcome::Outcome;
use shuntyard_domain::phase::Phase;
use shuntyard_domain::project_config;
use shuntyard_domain::wire::api::{InstallRunner, StepEvent, SubmitPhaseRun};

use crate::config::{Config, ConfigSources, FlagOverrides};
use crate::daemon::{Daemon, stop_signal};
use crate::demo::{DemoHost, HostSpec, three_hosts};
use crate::shutdown::Tasks;
use screen::{Row, Screen};

/// The project that the demo runs.
const HELLO: &str = include_str!("../fixtures/projects/hello/config.json");
const PROJECT: &str = "hello";
const HOST_DEADLINE: Duration = Duration::from_secs(5);

/// Shows the whole way of a job; true when every job succeeded.
///
/// With `stay` the server goes on until a signal. Everything lies in `dir`, which is left there: a caller that made it removes it.
///
/// # Errors
/// The first part that could not start, or a bootstrap that failed.
pub async fn run(dir: &Path, stay: bool) -> anyhow::Result<bool> {
    let config = demo_config(dir)?;
    let screen = Screen::new();
    let hosts = Tasks::new();
    let daemon = Daemon::start(&config).await?;
    let shown = tokio::select! {
        shown = show(&daemon, &hosts, dir, &screen) => shown,
        stopped = stop_signal() => stopped.and_then(|()| bail!("stopped by a signal")),
    };
    // The hosts must live as long as somebody may still use them.
    let shown = match shown {
        Ok(shown) if stay => {
            screen.stay(daemon.address(), &config.paths().admin_token);
            stop_signal().await.map(|()| shown)
        }
        shown => shown,
    };
    daemon.stop().await;
    hosts.stop(HOST_DEADLINE).await;
    Ok(shown?.succeeded)
}

/// What was shown, and the hosts that it ran on.
struct Shown {
    succeeded: bool,
    /// Dropping a host stops it.
    _hosts: Vec<DemoHost>,
}

fn demo_config(dir: &Path) -> anyhow::Result<Config> {
    let flags = FlagOverrides {
        listen: Some("127.0.0.1:0".into()),
        data_dir: Some(dir.join("data")),
        ..FlagOverrides::default()
    };
    Ok(Config::load(ConfigSources { file: None, env: [], flags })?)
}

async fn show(daemon: &Daemon, tasks: &Tasks, dir: &Path, screen: &Screen) -> anyhow::Result<Shown> {
    screen.title(&format!("dispatcher on http://{}, three embedded SSH hosts", daemon.address()));
    let mut hosts = Vec::new();
    for spec in three_hosts()? {
        let root: PathBuf = dir.join("hosts").join(&spec.name);
        let host = DemoHost::start(spec.clone(), &root, tasks).await.context("cannot start an embedded host")?;
        install(daemon, &spec, &host, screen).await?;
        hosts.push(host);
    }
    let rows = run_phases(daemon, screen).await?;
    let succeeded = rows.iter().all(|row| row.succeeded);
    screen.table(&rows);
    Ok(Shown { succeeded, _hosts: hosts })
}

/// The same bootstrap as `shunt ctl install-runner`, with the host key given.
async fn install(daemon: &Daemon, spec: &HostSpec, host: &DemoHost, screen: &Screen) -> anyhow::Result<()> {
    let request = InstallRunner {
        address: Some("127.0.0.1".into()),
        port: host.port(),
        user: spec.user.clone(),
        password: Some(spec.password.to_string()),
        private_key: None,
        passphrase: None,
        host_key: Some(host.host_key_fingerprint()),
        no_sudo: true,
        one_off: false,
        labels: None,
        capabilities: None,
        scope: None,
        jump: None,
        slots: Some(spec.slots_hint),
    };
    screen.title(&format!("install-runner {} {} --port {} --no-sudo", spec.name, spec.user, host.port()));
    let mut steps = daemon.dispatcher().install(spec.name.clone(), request)?;
    while let Some(step) = steps.recv().await {
        match step {
            StepEvent::Began { .. } => (),
            StepEvent::Done { step, detail } => screen.step(&step, &detail),
            StepEvent::Finished { .. } => return Ok(()),
            StepEvent::HostKeyUnconfirmed { fingerprint, .. } => {
                bail!("{} shows another key: {fingerprint}", spec.name)
            }
            StepEvent::Failed { step, why, try_next, .. } => bail!("{}: {step} failed: {why}. {try_next}", spec.name),
        }
    }
    bail!("{}: the bootstrap was interrupted", spec.name)
}

/// Every phase that the project gives a command, in the order of the pipeline.
async fn run_phases(daemon: &Daemon, screen: &Screen) -> anyhow::Result<Vec<Row>> {
    let Ok(config) = project_config::parse(HELLO) else { bail!("the demo's config.json has faults") };
    let mut rows = Vec::new();
    for phase in Phase::ALL.iter().copied() {
        let settings = config.phase(phase);
        if settings.skip || settings.run.is_none() {
            continue;
        }
        screen.title(&format!("shunt run --project {PROJECT} --phase {phase}"));
        let request = SubmitPhaseRun {
            project: PROJECT.into(),
            phase,
            config: HELLO.into(),
            local_phases: None,
            env: [].into(),
            priority: 0,
            workspace: None,
            concurrency: None,
            git: None,
        };
        let (_, jobs) = daemon.dispatcher().submit_phase_run(request).await?;
        let followed = jobs.into_iter().enumerate().map(|(n, job)| follow(daemon, screen, n, job));
        for row in futures_util::future::join_all(followed).await {
            rows.push(row?);
        }
    }
    Ok(rows)
}

/// Prints a job's lines as they come, until it has ended.
async fn follow(daemon: &Daemon, screen: &Screen, colour: usize, job: Job) -> anyhow::Result<Row> {
    let dispatcher = daemon.dispatcher();
    let mut pulse = dispatcher.feed().job(job.id);
    let mut lines = screen.lines(colour, &job.origin.title);
    let mut offset = 0;
    loop {
        pulse.borrow_and_update();
        let now = dispatcher.job(job.id).await?;
        let bytes = dispatcher.logs().read(now.attempt_id(), offset, 1 << 20)?;
        offset += bytes.len() as u64;
        lines.print(&bytes);
        if bytes.is_empty() && now.state.is_finished() {
            lines.end();
            return Ok(row(dispatcher, &now));
        }
        if bytes.is_empty() {
            pulse.changed().await?;
        }
    }
}

fn row(dispatcher: &crate::dispatch::Dispatcher, job: &Job) -> Row {
    let finished = match &job.state {
        JobState::Finished(finished) => Some(finished),
        _ => None,
    };
    let ms = finished.and_then(|f| Some(job.finished_at_ms? - f.started_at_ms?));
    Row {
        job: job.origin.title.clone(),
        runner: job.state.runner().and_then(|id| dispatcher.runner_name(id)).unwrap_or_default(),
        platform: job.state.runner().and_then(|id| dispatcher.runner_platform(id)).unwrap_or_default(),
        state: job.state.name(),
        exit_code: finished.and_then(|f| f.exit_code),
        ms,
        succeeded: finished.is_some_and(|f| f.outcome == Outcome::Succeeded),
    }
}
