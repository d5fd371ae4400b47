//! Self-enrolment: tokens as the API shows them, and what a host and the dispatcher say to each other, line by line.
//!
//! A host has only a shell: it sends and reads lines of a word and a text, as the bootstrap's scripts answer.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::ids::RunnerId;
use crate::runner::Scope;
use crate::tenancy::Name;

/// What `POST /enrolment-tokens` takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateEnrolmentToken {
    /// For people: 1 to 100 characters.
    pub name: String,
    /// Seconds that it is good for.
    #[serde(default = "default_ttl_s")]
    pub ttl_s: u32,
    /// The network that its host must ask from: `10.0.0.0/8`, `2001:db8::/32`, or one address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cidr: Option<String>,
    /// The name that its runner gets; absent: the one that the host says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    #[serde(default)]
    pub labels: BTreeSet<String>,
    #[serde(default)]
    pub capabilities: BTreeSet<String>,
    #[serde(default)]
    pub scope: Scope,
    #[serde(default = "default_slots")]
    pub slots: u32,
    /// The jump host through which its host is reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jump: Option<Name>,
    /// Its runner takes one job and is then removed.
    #[serde(default)]
    pub one_off: bool,
    /// The host is not reached by anybody: it opens a tunnel to the dispatcher.
    #[serde(default)]
    pub dial_out: bool,
}

/// Seconds that a token is good for when nobody says it: an hour.
#[must_use]
pub const fn default_ttl_s() -> u32 {
    3600
}

/// Slots of a runner when nobody says it.
#[must_use]
pub const fn default_slots() -> u32 {
    1
}

/// The longest that a token may be good for, in seconds: 30 days.
pub const MAX_TTL_S: u32 = 30 * 24 * 3600;

/// One token in `GET /enrolment-tokens`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct EnrolmentTokenBody {
    pub id: String,
    pub name: String,
    /// The first characters of the token.
    pub prefix: String,
    /// `good`, `used`, `revoked`, `expired`.
    #[cfg_attr(feature = "openapi", schemars(extend("enum" = ["good", "used", "revoked", "expired"])))]
    pub state: String,
    pub created_at: String,
    pub created_by: String,
    pub expires_at: String,
    pub cidr: Option<String>,
    pub hostname: Option<String>,
    pub labels: BTreeSet<String>,
    #[serde(default)]
    pub capabilities: BTreeSet<String>,
    pub scope: Scope,
    pub slots: u32,
    #[serde(default)]
    pub jump: Option<Name>,
    pub one_off: bool,
    #[serde(default)]
    pub dial_out: bool,
    pub used_at: Option<String>,
    pub runner_id: Option<RunnerId>,
    /// The name of the runner that it was used for.
    pub runner: Option<String>,
    pub revoked_at: Option<String>,
}

/// The answer to `POST /enrolment-tokens`: the only one that holds the token itself.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct NewEnrolmentToken {
    pub token: String,
    #[serde(flatten)]
    pub about: EnrolmentTokenBody,
}

/// What a host sends to `POST /enrol`.
#[derive(Clone, PartialEq, Eq)]
pub struct HostRequest {
    pub token: String,
    pub ask: HostAsks,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostAsks {
    Begin(Begin),
    Tunnel(Tunnel),
    Finish(Finish),
}

/// Asks for the public key of its runner.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Begin {
    /// Of the wrapper that the host's script brings.
    pub version: String,
    /// It has root's rights: jobs will run as the account of the system mode.
    pub system_mode: bool,
    /// What the host calls itself.
    pub hostname: String,
    /// The name that somebody wants for its runner.
    pub wants: Option<String>,
}

/// Tells the key by which the host will dial out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tunnel {
    /// Of the answer to `Begin`.
    pub enrolment: String,
    /// An OpenSSH public key.
    pub key: String,
}

/// Tells that key and wrapper are in place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finish {
    /// Of the answer to `Begin`.
    pub enrolment: String,
    /// Where its sshd is reached; absent: where it asks from.
    pub address: Option<String>,
    pub port: u16,
    /// `ALGORITHM BASE64` lines of its sshd.
    pub host_keys: Vec<String>,
    /// What the scripts `facts` and `install` answered.
    pub facts: String,
    pub install: String,
}

/// A host's request that is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadHostRequest {
    #[error("the request is neither `begin`, `tunnel` nor `finish`")]
    Verb,
    #[error("the request lacks `{0}`")]
    Missing(&'static str),
    #[error("`{0}` is not understood")]
    Line(String),
}

impl HostRequest {
    /// Reads the lines of a host.
    ///
    /// # Errors
    /// `BadHostRequest`, which never holds the token.
    pub fn parse(text: &str) -> Result<Self, BadHostRequest> {
        let (token, rest) = text.split_once('\n').ok_or(BadHostRequest::Verb)?;
        let (first, rest) = rest.split_once('\n').ok_or(BadHostRequest::Verb)?;
        let ask = match word_and_text(first) {
            ("begin", "") => HostAsks::Begin(begin(rest)?),
            ("tunnel", id) if !id.is_empty() => HostAsks::Tunnel(tunnel(id, rest)?),
            ("finish", id) if !id.is_empty() => HostAsks::Finish(finish(id, rest)?),
            _ => return Err(BadHostRequest::Verb),
        };
        Ok(Self { token: token.trim().to_owned(), ask })
    }
}

fn word_and_text(line: &str) -> (&str, &str) {
    let (word, text) = line.split_once(' ').unwrap_or((line, ""));
    (word, text.trim())
}

fn strange(line: &str) -> BadHostRequest {
    BadHostRequest::Line(line.chars().filter(|c| !c.is_control()).take(80).collect())
}

fn begin(text: &str) -> Result<Begin, BadHostRequest> {
    let (mut begin, mut mode) = (Begin::default(), None);
    for line in text.lines() {
        match word_and_text(line) {
            ("version", version) => begin.version = version.to_owned(),
            ("mode", "system") => mode = Some(true),
            ("mode", "user") => mode = Some(false),
            ("hostname", name) => begin.hostname = name.to_owned(),
            ("wants", name) => begin.wants = Some(name.to_owned()),
            _ => return Err(strange(line)),
        }
    }
    begin.system_mode = mode.ok_or(BadHostRequest::Missing("mode"))?;
    if begin.version.is_empty() { Err(BadHostRequest::Missing("version")) } else { Ok(begin) }
}

fn tunnel(id: &str, text: &str) -> Result<Tunnel, BadHostRequest> {
    let mut tunnel = Tunnel { enrolment: id.to_owned(), ..Tunnel::default() };
    for line in text.lines() {
        match word_and_text(line) {
            ("key", key) => tunnel.key = key.to_owned(),
            _ => return Err(strange(line)),
        }
    }
    if tunnel.key.is_empty() { Err(BadHostRequest::Missing("key")) } else { Ok(tunnel) }
}

fn finish(id: &str, text: &str) -> Result<Finish, BadHostRequest> {
    let (head, scripts) = text.split_once("\nfacts\n").ok_or(BadHostRequest::Missing("facts"))?;
    let (facts, install) = scripts.split_once("\ninstall\n").ok_or(BadHostRequest::Missing("install"))?;
    let mut finish = Finish { enrolment: id.to_owned(), ..Finish::default() };
    for line in head.lines() {
        match word_and_text(line) {
            ("port", port) => finish.port = port.parse().map_err(|_| strange(line))?,
            ("address", address) => finish.address = Some(address.to_owned()),
            ("host_key", key) => finish.host_keys.push(key.to_owned()),
            _ => return Err(strange(line)),
        }
    }
    if finish.port == 0 {
        return Err(BadHostRequest::Missing("port"));
    }
    (finish.facts, finish.install) = (format!("{facts}\n"), install.to_owned());
    Ok(finish)
}

/// Writes an answer for a host: lines of a word and a text, and `end`. Texts lose what would end their line.
#[must_use]
pub fn answer_lines<'a>(lines: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let mut text = String::new();
    for (word, said) in lines {
        text.push_str(word);
        text.push(' ');
        text.extend(said.chars().map(|c| if c.is_control() { ' ' } else { c }));
        text.push('\n');
    }
    text + "end\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<HostAsks, BadHostRequest> {
        HostRequest::parse(text).map(|request| request.ask)
    }

    #[test]
    fn a_hosts_requests_are_read_line_by_line() {
        let text = "shye_x\nbegin\nversion 0a\nmode system\nhostname h1\nwants h 2\n";
        let begin = Begin { version: "0a".into(), system_mode: true, hostname: "h1".into(), wants: Some("h 2".into()) };
        assert_eq!(parsed(text), Ok(HostAsks::Begin(begin)));
        let text = "shye_x\nfinish 77\nport 2222\nhost_key ssh-ed25519 AAAA\naddress 10.0.0.1\nfacts\n@@n\nkernel Linux\neol\ninstall\n@@n\neol\n";
        let Ok(HostAsks::Finish(finish)) = parsed(text) else { panic!("not read") };
        assert_eq!((finish.enrolment.as_str(), finish.port), ("77", 2222));
        assert_eq!((finish.facts.as_str(), finish.install.as_str()), ("@@n\nkernel Linux\neol\n", "@@n\neol\n"));
        assert_eq!(finish.host_keys, ["ssh-ed25519 AAAA"]);
        let tunnel = Tunnel { enrolment: "77".into(), key: "ssh-ed25519 AAAA h1".into() };
        assert_eq!(parsed("shye_x\ntunnel 77\nkey ssh-ed25519 AAAA h1\n"), Ok(HostAsks::Tunnel(tunnel)));
    }

    #[test]
    fn what_is_no_request_is_refused_without_its_token() {
        for (text, why) in [
            ("", BadHostRequest::Verb),
            ("shye_secret", BadHostRequest::Verb),
            ("shye_secret\n\n", BadHostRequest::Verb),
            ("shye_secret\ntunnel 1\n", BadHostRequest::Missing("key")),
            ("shye_secret\ntunnel\nkey a\n", BadHostRequest::Verb),
            ("shye_secret\nbegin now\nmode user\n", BadHostRequest::Verb),
            ("shye_secret\nbegin\nversion 1\n", BadHostRequest::Missing("mode")),
            ("shye_secret\nbegin\nmode user\n", BadHostRequest::Missing("version")),
            ("shye_secret\nbegin\nmode other\n", BadHostRequest::Line("mode other".into())),
            ("shye_secret\nfinish 1\nport 1\n", BadHostRequest::Missing("facts")),
            ("shye_secret\nfinish 1\nport 70000\nfacts\n\ninstall\n", BadHostRequest::Line("port 70000".into())),
            ("shye_secret\nfinish 1\naddress x\nfacts\n\ninstall\n", BadHostRequest::Missing("port")),
        ] {
            assert_eq!(parsed(text), Err(why.clone()), "{text:?}");
            assert!(!why.to_string().contains("secret"));
        }
    }

    #[test]
    fn an_answer_is_lines_whatever_its_texts_hold() {
        assert_eq!(
            answer_lines([("err", "a\nend\r\u{1b}[2J".to_owned()), ("try", "b".into())]),
            "err a end  [2J\ntry b\nend\n"
        );
    }
}
