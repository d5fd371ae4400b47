//! The examination of a runner: what is asked of it, in order, and what is made of the answers.

use std::time::{Duration, Instant};

use shuntyard_domain::facts::facts_from;
use shuntyard_domain::ids::{AttemptId, JobId};
use shuntyard_domain::probe::{
    Greeting, HostView, Layer, LayerFault, Layers, Probe, ProbeName, Report, greeting_probes, host_probes, job,
    layer_probes, max_sessions,
};
use shuntyard_domain::wire::control::{ErrCode, Hello};
use shuntyard_domain::wrapper::{ProbedHost, doctor_script, parse_doctor, parse_facts, wrapper_version};

use super::Examinee;
use super::small_job::{JobFault, of_the_connection, run_echo, run_small_job};
use crate::dispatch::steps::{Failure, Steps};
use crate::dispatch::{Dispatcher, new_id};
use crate::ssh::attempt::{self, VerbError};
use crate::ssh::bootstrap::nonce;
use crate::ssh::{ConnectError, Lease, Phase, Warm};

/// How long a slot of a connection that is up is waited for.
const SLOT_WAIT: Duration = Duration::from_secs(5);

/// How far an examination goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// What a person asked for: connects when it must, tries sudo.
    Test,
    /// Rides on the warm connection, and leaves out what disturbs a host or fills its log.
    Check,
}

/// Why an examination came to no end.
#[derive(Debug)]
pub(super) enum Stop {
    /// The runner cannot run jobs: the step that found it out.
    Unfit(&'static str, Failure),
    /// The connection has failed or has no room, which a check leaves to others.
    NoConnection(String),
}

/// One examination under way.
pub(super) struct Examination<'e> {
    pub engine: &'e Dispatcher,
    pub examinee: &'e Examinee<'e>,
    pub steps: &'e Steps,
    pub depth: Depth,
    pub report: Report,
    /// One line a step and a complaint: Chef's `command_output`.
    pub lines: String,
}

impl<'e> Examination<'e> {
    pub(super) fn new(engine: &'e Dispatcher, examinee: &'e Examinee<'e>, steps: &'e Steps, depth: Depth) -> Self {
        Self { engine, examinee, steps, depth, report: Report::default(), lines: String::new() }
    }

    fn done(&mut self, step: &str, detail: String) {
        self.lines.push_str(&format!("{step}: {detail}\n"));
        self.steps.done(step, detail);
    }

    fn put(&mut self, probe: Probe) {
        self.steps.probed(&probe);
        self.report.put(probe);
    }

    /// Puts the probes; the first that keeps jobs away ends the examination in `step`.
    fn put_all(&mut self, step: &'static str, probes: Vec<Probe>) -> Result<(), Stop> {
        let obstacle = probes.iter().find(|probe| probe.keeps_jobs_away()).cloned();
        probes.into_iter().for_each(|probe| self.put(probe));
        match obstacle {
            Some(Probe { evidence, fix, .. }) => {
                Err(Stop::Unfit(step, Failure::new(evidence, fix.unwrap_or_default())))
            }
            None => Ok(()),
        }
    }

    /// Marks what was not looked at.
    pub(super) fn skip_the_rest(&mut self, why: &str) {
        let before = self.report.clone();
        self.report.skip_the_rest(why);
        let news = self.report.probes.iter().filter(|probe| !before.probes.contains(probe));
        news.for_each(|probe| self.steps.probed(probe));
    }

    /// Connection, wrapper and a small job: what every runner must pass.
    pub(super) async fn essentials(&mut self) -> Result<(Lease, Hello), Stop> {
        self.steps.began("login", "connecting with the runner's own key");
        let mut lease = self.login().await?;
        let detail = format!("{} at {}", self.examinee.target.dial.user, lease.session().at());
        self.done("login", detail);

        self.steps.began("wrapper", "asking the wrapper who it is");
        let asked = Instant::now();
        let hello = self.greet(&mut lease).await?;
        let (version, free_mib, base) = (&hello.wrapper_version, hello.free_bytes >> 20, &hello.base_dir);
        let means = hello.means.join(", ");
        let detail = format!("version {version}, {free_mib} MiB free in {base}; finds processes to stop by {means}");
        self.done("wrapper", detail);

        self.steps.began("job", "running a small job through the wrapper");
        let ended = run_echo(&mut lease, self.examinee.wrapper_path).await;
        let ms = asked.elapsed().as_millis();
        let probes = match &ended {
            Ok(()) => vec![job(Ok(ms))],
            Err(fault) => job_probes(fault),
        };
        self.unless_the_connection(ended.as_ref().err().filter(|fault| fault.is_of_the_connection()))?;
        self.put_all("job", probes)?;
        self.done("job", format!("started, streamed and ended in {ms} ms"));
        Ok((lease, hello))
    }

    /// In a check, what has failed with the connection is no finding.
    fn unless_the_connection(&self, fault: Option<&JobFault>) -> Result<(), Stop> {
        match fault {
            Some(fault) if self.depth == Depth::Check => Err(Stop::NoConnection(fault.to_string())),
            _ => Ok(()),
        }
    }

    async fn login(&mut self) -> Result<Lease, Stop> {
        let (pool, target) = (&self.engine.0.pool, &self.examinee.target);
        let warm = pool.lease_warm(target, Warm::Service, SLOT_WAIT).await;
        let lease = match (warm, self.depth) {
            (Some(lease), _) => Ok(lease),
            (None, Depth::Check) => return Err(Stop::NoConnection("no slot of a connection is free".into())),
            (None, Depth::Test) => pool.lease_service(target).await,
        };
        match lease {
            Ok(lease) => {
                self.put_all("login", layer_probes(&lease.session().layers(), None))?;
                Ok(lease)
            }
            Err(error) => {
                let layers = pool.layers(target.runner);
                let fault = layer_of(&error, &layers).map(|layer| LayerFault { layer, why: error.to_string() });
                self.put_all("login", layer_probes(&layers, fault.as_ref()))?;
                // An attempt that was broken off from our side says nothing about the host.
                Err(Stop::Unfit("login", Failure::new(error, "run the Test again")))
            }
        }
    }

    async fn greet(&mut self, lease: &mut Lease) -> Result<Hello, Stop> {
        let now_ms = || self.engine.0.clock.now_ms();
        let mut asked_ms = now_ms();
        let mut greeted = attempt::greet(lease, self.examinee.wrapper_path).await;
        if let (Depth::Test, Err(VerbError::Exec(crate::ssh::ExecError::ChannelRefused { .. }))) =
            (self.depth, &greeted)
        {
            // Jobs have every session of the connection: as any other service, on a further one.
            let another = self.engine.0.pool.lease_service(&self.examinee.target).await;
            *lease = another.map_err(|error| Stop::Unfit("login", Failure::new(error, "run the Test again")))?;
            asked_ms = now_ms();
            greeted = attempt::greet(lease, self.examinee.wrapper_path).await;
        }
        let answered_ms = now_ms();
        match greeted {
            Ok((hello, noise)) => {
                let newest = wrapper_version();
                let installed = self.examinee.wrapper_version;
                let greeting =
                    Greeting { hello: &hello, installed, newest: &newest, noise: &noise, asked_ms, answered_ms };
                self.put_all("wrapper", greeting_probes(&greeting))?;
                Ok(hello)
            }
            Err(VerbError::Exec(error)) if self.depth == Depth::Check && of_the_connection(&error) => {
                Err(Stop::NoConnection(error.to_string()))
            }
            Err(error) => {
                let fix = "install the runner again: the wrapper is missing or damaged";
                let probe = Probe::fail(ProbeName::Wrapper, error.to_string(), fix);
                self.put_all("wrapper", vec![probe])?;
                Err(Stop::Unfit("wrapper", Failure::new(error, fix)))
            }
        }
    }

    /// What the host says of itself, as a job: the key of a runner of the system mode may start nothing else.
    pub(super) async fn ask_host(&mut self, lease: &mut Lease, system_mode: bool) -> Result<Option<ProbedHost>, Stop> {
        self.steps.began("facts", "asking the host what it is");
        let unreadable = |why: String| {
            Probe::fail(
                ProbeName::Facts,
                why,
                "run the Test again; if it stays, run it with `shuntd` logging at debug level",
            )
        };
        let nonce = match nonce() {
            Ok(nonce) => nonce,
            Err(error) => return self.put_all("facts", vec![unreadable(error.to_string())]).map(|()| None),
        };
        let script = doctor_script(&nonce, self.depth == Depth::Test);
        let ran = run_small_job(lease, self.examinee.wrapper_path, script).await;
        self.unless_the_connection(ran.as_ref().err().filter(|fault| fault.is_of_the_connection()))?;
        let output = match ran {
            Ok((_, output)) => output,
            Err(fault) => return self.put_all("facts", vec![unreadable(fault.to_string())]).map(|()| None),
        };
        let (host, said) = match (parse_facts(&output, &nonce), parse_doctor(&output, &nonce)) {
            (Ok(host), Ok(said)) => (host, said),
            (Err(bad), _) | (_, Err(bad)) => {
                return self.put_all("facts", vec![unreadable(bad.to_string())]).map(|()| None);
            }
        };
        let facts = facts_from(&host);
        let detail = format!("{} {}, {}", facts.platform, facts.platform_version, facts.arch);
        self.put(Probe::ok(ProbeName::Facts, detail.clone()));
        let banner = lease.session().layers().banner.unwrap_or_default();
        let view = HostView { said: &said, banner: &banner, system_mode };
        self.put_all("facts", host_probes(&view))?;
        self.done("facts", detail);
        Ok(Some(host))
    }

    /// What is known of the sessions that the host allows; a Test of a runner without jobs tries it.
    pub(super) async fn sessions(&mut self, slots: u32, busy: bool) {
        let (pool, target) = (&self.engine.0.pool, &self.examinee.target);
        // A connection has eight slots for jobs and two for everything else.
        let (job_slots, wanted) = (slots.min(8), slots.min(8) as usize + 2);
        let mut opened = None;
        if self.depth == Depth::Test && !busy {
            let mut leases = Vec::new();
            for purpose in [Warm::Service; 2].into_iter().chain((0..job_slots).map(|_| Warm::Sounding)) {
                leases.extend(pool.lease_warm(target, purpose, Duration::ZERO).await);
            }
            let id = AttemptId { job: JobId(new_id()), attempt: 1 };
            opened = attempt::sound(leases, self.examinee.wrapper_path, id).await.ok();
        }
        let probe = max_sessions(pool.sessions_learnt(target.runner), opened, wanted);
        self.put(probe);
    }

    /// Adds what is not well to the lines.
    pub(super) fn complain(&mut self) {
        use shuntyard_domain::probe::Verdict;
        let bad = self.report.probes.iter().filter(|probe| probe.verdict >= Verdict::Warn);
        let lines: String = bad.map(|p| format!("{} {}: {}\n", p.verdict, p.name, p.evidence)).collect();
        self.lines.push_str(&lines);
    }
}

/// The probes of a small job that failed. What the host refused for says more than that it did.
fn job_probes(fault: &JobFault) -> Vec<Probe> {
    let why = fault.to_string();
    let cause = match fault {
        JobFault::Refused { code: ErrCode::Mkdir, .. } => Some(Probe::fail(
            ProbeName::WorkDir,
            why.clone(),
            "see that the file system is mounted rw, has inodes, and that no quota is used up",
        )),
        JobFault::Refused { code: ErrCode::NoSpace, .. } => Some(Probe::fail(
            ProbeName::Space,
            why.clone(),
            "free some space there: job output is kept on the runner until it is stored here",
        )),
        _ => None,
    };
    cause.into_iter().chain([job(Err(&why))]).collect()
}

/// The layer at which a connection was not made; `None`: it was broken off from our side.
fn layer_of(error: &ConnectError, layers: &Layers) -> Option<Layer> {
    let phase = match error {
        ConnectError::BadAddress { .. } | ConnectError::Resolve { .. } => return Some(Layer::Resolve),
        ConnectError::Tcp { .. }
        | ConnectError::Carried { .. }
        | ConnectError::CarrierDown { .. }
        | ConnectError::CarrierClosed { .. } => return Some(Layer::Tcp),
        ConnectError::HostKeyUnconfirmed { .. } | ConnectError::HostKeyMismatch { .. } => return Some(Layer::HostKey),
        ConnectError::AuthRefused { .. } | ConnectError::AuthIncomplete { .. } => return Some(Layer::Auth),
        ConnectError::Stopped { .. } => return None,
        ConnectError::Deadline { phase, .. } | ConnectError::Protocol { phase, .. } => phase,
    };
    Some(match phase {
        Phase::Resolve => Layer::Resolve,
        Phase::Tcp => Layer::Tcp,
        Phase::KeyExchange if layers.banner.is_none() => Layer::Banner,
        Phase::KeyExchange => Layer::Kex,
        Phase::Authentication => Layer::Auth,
    })
}
