//! Self-enrolment: a host comes with a token, is given the public key of its runner, and is then connected to and tested.
//!
//! Two questions of the host: `begin` makes the key pair, `finish` says what was put where. One that dials out tells its key in
//! between (`tunnel`), and is connected to through its tunnel. A token is used up in the
//! transaction that stores the runner, so an enrolment that fails leaves it as good as it was. What is begun lives in memory
//! only: after a restart the host is told so, takes everything back, and may begin again.

mod approve;
mod dial_back;
mod dial_out;
mod error;
mod limits;
mod tokens;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shuntyard_domain::cidr::Cidr;
use shuntyard_domain::ids::RunnerId;
use shuntyard_domain::runner::check_hostname;
use shuntyard_domain::wire::enrolment::{Begin, Finish, HostAsks, HostRequest};
use shuntyard_domain::wire::frame::Nonce;
use shuntyard_domain::wrapper::wrapper_version;
use tokio::sync::watch;
use tracing::info_span;
use zeroize::Zeroizing;

use super::retire::{retire_hash, retire_secret};
use super::token_text::{self, TokenText};
use super::{DispatchError, Dispatcher, new_id};
use crate::ssh::bootstrap::nonce;
use crate::ssh::{RunnerKey, generate_runner_key, load_private_key};
use crate::store::{EnrolmentTokenRow, enrolment_token_find};
use limits::Limits;
pub(super) use limits::counted;

pub use error::EnrolError;
pub(super) use tokens::store_token;

/// Enrolments that are remembered between a host's two questions; each holds a key pair.
const MAX_BEGUN: usize = 256;
/// How long a host may take to put key and wrapper in place.
const BEGUN_MS: i64 = 10 * 60_000;

/// Lines for the host: a word and a text.
pub type Lines = Vec<(&'static str, String)>;

/// How an enrolment ended; hosts that ask again are told the same.
type Outcome = Result<Lines, Arc<EnrolError>>;

/// Enrolments under way.
pub(super) struct Enrolments {
    /// A host that has enrolled itself waits for a person.
    approval: bool,
    limits: Limits,
    begun: Mutex<HashMap<String, Begun>>,
}

/// One enrolment between the host's two questions.
struct Begun {
    about: Arc<Candidate>,
    at_ms: i64,
    /// `ALGORITHM BASE64` of the key by which the host dials out, once it was told.
    dial_out_key: Option<String>,
    /// There once the second question was asked.
    ended: Option<watch::Receiver<Option<Outcome>>>,
}

/// A runner to be.
struct Candidate {
    id: RunnerId,
    token_id: String,
    hostname: String,
    system_mode: bool,
    nonce: Nonce,
    private: Zeroizing<String>,
    public_line: String,
    key: Arc<RunnerKey>,
}

impl Enrolments {
    pub(super) fn new(approval: bool) -> Self {
        Self { approval, limits: Limits::default(), begun: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Begun>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Dispatcher {
    /// Answers one question of a host that comes from `peer`.
    ///
    /// # Errors
    /// `EnrolError`: nothing was stored, and the token is as good as before.
    pub async fn enrol(&self, peer: IpAddr, request: HostRequest) -> Result<Lines, Arc<EnrolError>> {
        let now_ms = self.0.clock.now_ms();
        if let Some(wait_s) = self.0.enrolments.limits.wait_s(peer, now_ms) {
            return Err(EnrolError::TooManyTries { wait_s }.into());
        }
        let answer = match self.known_token(&request.token).await {
            Ok(token) => match request.ask {
                HostAsks::Begin(begin) => self.begin_enrolment(peer, &token, begin).map_err(Arc::new),
                HostAsks::Tunnel(tunnel) => self.admit_candidate(peer, &token, &tunnel).map_err(Arc::new),
                HostAsks::Finish(finish) => self.finish_enrolment(peer, token, finish).await,
            },
            Err(error) => Err(error.into()),
        };
        if let Err(error) = &answer {
            if error.is_about_the_token() {
                self.0.enrolments.limits.failed(peer, now_ms);
            }
            tracing::warn!(%peer, code = error.code(), %error, "a host was not enrolled");
        }
        answer
    }

    async fn known_token(&self, text: &str) -> Result<EnrolmentTokenRow, EnrolError> {
        if !TokenText::Enrolment.is_whole(text) {
            return Err(EnrolError::Malformed);
        }
        let digest = token_text::digest(text);
        self.0.store.read(move |c| enrolment_token_find(c, &digest)).await?.ok_or(EnrolError::Unknown)
    }

    /// Makes the key pair of a runner to be, and tells its public half.
    fn begin_enrolment(&self, peer: IpAddr, token: &EnrolmentTokenRow, begin: Begin) -> Result<Lines, EnrolError> {
        let now_ms = self.0.clock.now_ms();
        check_token(token, peer, now_ms)?;
        let wanted = wrapper_version();
        if begin.version != wanted {
            let found = begin.version.chars().take(40).collect();
            return Err(EnrolError::OtherVersion { found, wanted });
        }
        let hostname = name_of(token, &begin)?;
        if self.0.inventory.by_name(&hostname).is_some() {
            return Err(EnrolError::NameTaken(hostname));
        }
        let dial = self.place_to_dial(token)?;
        let nonce = nonce().map_err(|_| DispatchError::Random)?;
        let (private, public_line) = generate_runner_key(&hostname)?;
        let key = Arc::new(load_private_key(&private, None)?);
        let enrolment = new_id().to_string();
        let about = Candidate {
            id: RunnerId(new_id()),
            token_id: token.id.clone(),
            hostname: hostname.clone(),
            system_mode: begin.system_mode,
            nonce: nonce.clone(),
            public_line: public_line.clone(),
            private,
            key,
        };
        let retire = retire_hash(&retire_secret(about.private.as_bytes()));
        let mut begun = self.0.enrolments.lock();
        begun.retain(|_, begun| begun.at_ms + BEGUN_MS > now_ms);
        if begun.len() >= MAX_BEGUN {
            return Err(EnrolError::Crowded);
        }
        begun.insert(enrolment.clone(), Begun { about: about.into(), at_ms: now_ms, dial_out_key: None, ended: None });
        drop(begun);
        // The comment is the host's to write.
        let key_words = public_line.split_ascii_whitespace().take(2).collect::<Vec<_>>().join(" ");
        let mut lines = vec![
            ("enrolment", enrolment),
            ("nonce", nonce.to_string()),
            ("name", hostname),
            ("key", key_words),
            ("retire", retire),
        ];
        lines.extend(dial);
        Ok(lines)
    }

    /// Connects to the host, tests it and stores its runner; asked again, it tells how that ended.
    async fn finish_enrolment(&self, peer: IpAddr, token: EnrolmentTokenRow, finish: Finish) -> Outcome {
        let mut ended = self.dial_back_once(peer, token, finish).map_err(Arc::new)?;
        let outcome = ended.wait_for(Option::is_some).await.ok().and_then(|outcome| outcome.clone());
        outcome.unwrap_or_else(|| Err(EnrolError::from(DispatchError::Interrupted).into()))
    }

    /// Starts the connection back, unless it was started before; it goes on when the host hangs up.
    fn dial_back_once(
        &self,
        peer: IpAddr,
        token: EnrolmentTokenRow,
        finish: Finish,
    ) -> Result<watch::Receiver<Option<Outcome>>, EnrolError> {
        let now_ms = self.0.clock.now_ms();
        let mut begun = self.0.enrolments.lock();
        let known = begun.get_mut(&finish.enrolment).filter(|begun| begun.about.token_id == token.id);
        let Some(known) = known else {
            drop(begun);
            // A token that is no good any more is the better reason.
            return Err(check_token(&token, peer, now_ms).err().unwrap_or(EnrolError::NoEnrolment));
        };
        if let Some(ended) = &known.ended {
            return Ok(ended.clone());
        }
        check_token(&token, peer, now_ms)?;
        if token.dial_out && known.dial_out_key.is_none() {
            return Err(EnrolError::BadValue("it has not told the key by which it dials out".into()));
        }
        let dial_out_key = known.dial_out_key.clone();
        let (sender, ended) = watch::channel(None);
        known.ended = Some(ended.clone());
        let about = Arc::clone(&known.about);
        drop(begun);
        let engine = self.clone();
        let span = info_span!("enrol", runner.name = %about.hostname, token.prefix = %token.prefix);
        self.0.tasks.spawn(span, move |_| async move {
            let outcome = engine.dial_back(peer, &token, &about, dial_out_key, finish).await.map_err(Arc::new);
            // Nobody may be listening.
            let _ = sender.send(Some(outcome));
        });
        Ok(ended)
    }
}

/// The network comes first: whoever asks from elsewhere learns nothing else.
fn check_token(token: &EnrolmentTokenRow, peer: IpAddr, now_ms: i64) -> Result<(), EnrolError> {
    check_network(token, &peer.to_canonical().to_string(), Some(peer))?;
    if let Some(used) = &token.used {
        return Err(EnrolError::Used { hostname: used.hostname.clone() });
    }
    if let Some(at_ms) = token.revoked_at_ms {
        return Err(EnrolError::Revoked { at_ms });
    }
    if token.expires_at_ms <= now_ms {
        return Err(EnrolError::Expired { at_ms: token.expires_at_ms });
    }
    Ok(())
}

/// `parsed` is `address` when that is one; a name lies in no network.
fn check_network(token: &EnrolmentTokenRow, address: &str, parsed: Option<IpAddr>) -> Result<(), EnrolError> {
    let Some(cidr) = &token.cidr else { return Ok(()) };
    let holds = cidr.parse::<Cidr>().is_ok_and(|network| parsed.is_some_and(|address| network.holds(address)));
    if holds { Ok(()) } else { Err(EnrolError::WrongNetwork { address: address.to_owned(), cidr: cidr.clone() }) }
}

/// The token's name, else the one that is wanted, else what the host calls itself.
fn name_of(token: &EnrolmentTokenRow, begin: &Begin) -> Result<String, EnrolError> {
    let name = match (&token.hostname, &begin.wants) {
        (Some(allowed), Some(wanted)) if allowed != wanted => {
            let wanted = wanted.chars().take(80).collect();
            return Err(EnrolError::WrongName { wanted, allowed: allowed.clone() });
        }
        (Some(allowed), _) => allowed,
        (None, Some(wanted)) => wanted,
        (None, None) => &begin.hostname,
    };
    check_hostname(name).map_err(|bad| EnrolError::BadValue(format!("{bad}; name it with SHUNT_ENROL_NAME")))?;
    Ok(name.clone())
}
