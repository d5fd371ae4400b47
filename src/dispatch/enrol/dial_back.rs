//! The second half of an enrolment: connect to the host, see that it is the one that asked, Test, store.

use std::net::IpAddr;

use shuntyard_domain::facts::facts_from;
use shuntyard_domain::runner::{
    Endpoint, Health, Installation, OneOff, Runner, RunnerState, check_hostname, check_user,
};
use shuntyard_domain::via::Via;
use shuntyard_domain::wire::api::StepEvent;
use shuntyard_domain::wire::enrolment::Finish;
use shuntyard_domain::wrapper::install::Installed;
use shuntyard_domain::wrapper::probe::ProbedHost;
use shuntyard_domain::wrapper::{SYSTEM_USER, parse_facts, parse_install, wrapper_version};
use uuid::Uuid;

use super::{Candidate, EnrolError, Lines, check_network, check_token};
use crate::dispatch::jump_hosts::check_via;
use crate::dispatch::keeper::key_context;
use crate::dispatch::pools::enrol_instance;
use crate::dispatch::steps::Steps;
use crate::dispatch::test_runner::{Examined, Examinee};
use crate::dispatch::{DispatchError, Dispatcher};
use crate::ssh::{ConnectError, Dial, Target, fingerprint};
use crate::store::{
    EnrolmentTokenRow, StoreError, TokenUse, dial_out_key_set, enrolment_token_by_id, enrolment_token_use,
    runner_insert,
};

/// sshd has one of each type; more would only be memory.
const MAX_HOST_KEYS: usize = 16;

/// What a host has said, as far as it can be checked without asking it.
struct Said {
    host: ProbedHost,
    installed: Installed,
    dial: Dial,
    host_keys: Vec<String>,
}

impl Dispatcher {
    pub(super) async fn dial_back(
        &self,
        peer: IpAddr,
        token: &EnrolmentTokenRow,
        about: &Candidate,
        dial_out_key: Option<String>,
        finish: Finish,
    ) -> Result<Lines, EnrolError> {
        let enrolled = self.dial_back_by(peer, token, about, dial_out_key, finish).await;
        if enrolled.is_err() {
            self.0.pool.forget(about.id);
            self.0.dial_out.tunnels.revoke(about.id);
        }
        enrolled
    }

    async fn dial_back_by(
        &self,
        peer: IpAddr,
        token: &EnrolmentTokenRow,
        about: &Candidate,
        dial_out_key: Option<String>,
        finish: Finish,
    ) -> Result<Lines, EnrolError> {
        let mut said = read(peer, token, about, finish)?;
        said.dial.route = self.route_to(about.id, &about.hostname, &way(token));
        let _claims = [self.0.claims.claim(&about.hostname)?, self.0.claims.claim(&said.dial.at())?];
        self.check_not_taken(about, &said)?;
        self.test_and_store(token, about, dial_out_key, said).await
    }

    /// Two runners of one base directory would remove each other's jobs.
    fn check_not_taken(&self, about: &Candidate, said: &Said) -> Result<(), EnrolError> {
        if self.0.inventory.by_name(&about.hostname).is_some() || self.not_local(&about.hostname).is_err() {
            return Err(EnrolError::NameTaken(about.hostname.clone()));
        }
        let instance = &said.installed.instance_id;
        match self.0.inventory.all().into_iter().find(|known| &known.runner.installation.instance_id == instance) {
            Some(known) => Err(EnrolError::HostTaken(known.runner.hostname.clone())),
            None => Ok(()),
        }
    }

    async fn test_and_store(
        &self,
        token: &EnrolmentTokenRow,
        about: &Candidate,
        dial_out_key: Option<String>,
        said: Said,
    ) -> Result<Lines, EnrolError> {
        let target = Target {
            runner: about.id,
            dial: said.dial.clone(),
            host_keys: said.host_keys.clone(),
            key: about.key.clone(),
        };
        // First by itself: what can be wrong here is not what can be wrong with an enrolled runner.
        drop(self.0.pool.lease_service(&target).await.map_err(|error| unreachable_step(&error, &said.dial))?);
        let (steps, mut listener) = Steps::new();
        let version = wrapper_version();
        let wrapper_path = &said.installed.wrapper_path;
        let examinee = Examinee { target, wrapper_path, wrapper_version: &version };
        let examined = self.examine(&examinee, &steps).await.map_err(|(step, failure)| EnrolError::Step {
            step,
            why: failure.why,
            try_next: failure.try_next,
        })?;
        let mut lines = Lines::new();
        while let Ok(step) = listener.try_recv() {
            if let StepEvent::Done { step, detail } = step {
                lines.push(("done", format!("{step}: {detail}")));
            }
        }
        let runner = self.candidate_record(token, about, said, examined);
        let state = runner.state;
        let (runner, pool) = self.store_enrolled(token, about, dial_out_key, runner).await?;
        if state == RunnerState::Pending {
            // Nothing is kept open to a host that nobody has approved.
            self.0.pool.forget(about.id);
        }
        self.keep(runner, about.key.clone());
        if let Some(pool) = pool {
            self.instance_enrolled(pool);
        }
        tracing::info!(token.name = token.name, %state, "a host has enrolled itself");
        lines.extend([("name", about.hostname.clone()), ("state", state.to_string())]);
        Ok(lines)
    }

    fn candidate_record(&self, token: &EnrolmentTokenRow, about: &Candidate, said: Said, examined: Examined) -> Runner {
        let now_ms = self.0.clock.now_ms();
        let facts = facts_from(&said.host);
        Runner {
            id: about.id,
            hostname: about.hostname.clone(),
            endpoint: Endpoint {
                address: said.dial.address,
                port: said.dial.port,
                user: said.dial.user,
                host_keys: said.host_keys,
                via: way(token),
            },
            openssh_public_key: about.public_line.clone(),
            installation: Installation {
                wrapper_path: said.installed.wrapper_path,
                base_dir: said.installed.base_dir,
                wrapper_version: wrapper_version(),
                instance_id: said.installed.instance_id,
                boot_id: said.installed.boot_id,
                local: false,
                system_mode: about.system_mode,
                tools: said.host.tools,
                stop_means: examined.stop_means,
            },
            facts,
            labels: token.labels.clone(),
            capabilities: token.capabilities.clone(),
            scope: token.scope.clone(),
            slots: token.slots,
            one_off: token.one_off.then(OneOff::default),
            pool: None,
            // Who made the pool has approved its machines.
            state: if self.0.enrolments.approval && token.pool_instance.is_none() {
                RunnerState::Pending
            } else {
                RunnerState::Enrolled
            },
            state_note: None,
            health: Health::Ok { command_output: examined.report },
            created_at_ms: now_ms,
            last_seen_at_ms: Some(now_ms),
            version: 1,
        }
    }

    /// Uses the token up and stores the runner with its sealed key, in one transaction; returns it with its pool.
    async fn store_enrolled(
        &self,
        token: &EnrolmentTokenRow,
        about: &Candidate,
        dial_out_key: Option<String>,
        runner: Runner,
    ) -> Result<(Runner, Option<Uuid>), EnrolError> {
        let sealed =
            self.0.sealer.seal(&key_context(about.id), about.private.as_bytes()).map_err(DispatchError::from)?;
        let (token_id, instance) = (token.id.clone(), token.pool_instance.clone());
        let used = TokenUse { at_ms: runner.created_at_ms, runner: runner.id, hostname: runner.hostname.clone() };
        let stored = self.0.store.write(move |c| {
            if !enrolment_token_use(c, &token_id, &used)? {
                let token = enrolment_token_by_id(c, &token_id)?.ok_or(EnrolError::Unknown)?;
                // Its network was looked at before.
                let token = EnrolmentTokenRow { cidr: None, ..token };
                check_token(&token, IpAddr::from([0; 4]), used.at_ms)?;
                return Err(EnrolError::Unknown);
            }
            check_via(c, &runner.endpoint.via)?;
            let pool = match &instance {
                None => None,
                Some(instance) => Some(enrol_instance(c, instance, runner.id, used.at_ms)?.ok_or(EnrolError::Unknown)?),
            };
            let runner = Runner { pool: pool.as_ref().map(|pool| pool.name.to_string()), ..runner };
            if let Some(key) = &dial_out_key {
                dial_out_key_set(c, runner.id, key, runner.created_at_ms)?;
            }
            match runner_insert(c, &runner, &sealed) {
                Err(StoreError::Conflict { .. }) => Err(EnrolError::NameTaken(used.hostname)),
                inserted => Ok(inserted.map(|()| (runner, pool.map(|pool| pool.id)))?),
            }
        });
        stored.await
    }
}

fn read(peer: IpAddr, token: &EnrolmentTokenRow, about: &Candidate, finish: Finish) -> Result<Said, EnrolError> {
    let host = parse_facts(finish.facts.as_bytes(), &about.nonce)?;
    let installed = parse_install(finish.install.as_bytes(), &about.nonce)?;
    let bad = |text: String| Err(EnrolError::BadValue(text));
    if about.system_mode != (host.uid == 0) {
        return bad("it is root in one half of the enrolment only".into());
    }
    let user = if about.system_mode { SYSTEM_USER.to_owned() } else { host.user.clone() };
    check_user(&user).map_err(|bad| EnrolError::BadValue(bad.to_string()))?;
    let host_keys: Vec<String> = finish.host_keys.into_iter().filter(|line| fingerprint(line).is_some()).collect();
    if !(1..=MAX_HOST_KEYS).contains(&host_keys.len()) {
        return bad("it names no public key of its sshd that can be read, or more than 16".into());
    }
    // Where it asks from, unless it says another place; then that has to be in the token's network, too. For a host that dials
    // out it is a place as that host sees it.
    let asks_from = || if token.dial_out { "127.0.0.1".to_owned() } else { peer.to_canonical().to_string() };
    let address = finish.address.unwrap_or_else(asks_from);
    check_hostname(&address).map_err(|bad| EnrolError::BadValue(bad.to_string()))?;
    if !token.dial_out {
        check_network(token, &address, address.parse().ok())?;
    }
    Ok(Said { host, installed, dial: Dial::direct(address, finish.port, user), host_keys })
}

/// How the host of a token is reached.
fn way(token: &EnrolmentTokenRow) -> Via {
    if token.dial_out { Via::DialOut } else { token.jump.clone().into() }
}

/// What the host's owner can do when the dispatcher does not get in.
fn unreachable_step(error: &ConnectError, dial: &Dial) -> EnrolError {
    let try_next = match error {
        ConnectError::HostKeyMismatch { .. } | ConnectError::HostKeyUnconfirmed { .. } => format!(
            "see that {} is this host's own sshd and not a proxy's or another's; else name its place with \
             SHUNT_ENROL_ADDRESS and SHUNT_ENROL_PORT",
            dial.at()
        ),
        ConnectError::AuthRefused { .. } | ConnectError::AuthIncomplete { .. } => format!(
            "see that sshd lets {} in with a key (PubkeyAuthentication, AllowUsers, AuthorizedKeysFile .ssh/authorized_keys, \
             no group or others may write to its home); its log says more",
            dial.user
        ),
        ConnectError::Stopped { .. } => "the dispatcher is stopping; run the script again when it is back".into(),
        ConnectError::Carried { .. } => format!(
            "see that this host's end of the tunnel runs and reaches the dispatcher's endpoint, and that sshd answers at {}:{} here; \
             else name its place with SHUNT_ENROL_ADDRESS and SHUNT_ENROL_PORT",
            dial.address, dial.port
        ),
        ConnectError::BadAddress { .. }
        | ConnectError::Resolve { .. }
        | ConnectError::Tcp { .. }
        | ConnectError::CarrierDown { .. }
        | ConnectError::CarrierClosed { .. }
        | ConnectError::Deadline { .. }
        | ConnectError::Protocol { .. } => format!(
            "see that sshd runs and that the dispatcher reaches {}; else name the place with SHUNT_ENROL_ADDRESS and \
             SHUNT_ENROL_PORT",
            dial.at()
        ),
    };
    EnrolError::Step { step: "connect", why: error.to_string(), try_next }
}
