//! What can be said about a pool, when it is made and later.

use clap::Args;
use serde_json::{Map, Value, json};
use shuntyard_domain::runner::BadName;

use crate::commands::runners::scope;
use crate::failure::{Failure, Usage};
use crate::run::request::parse_duration;
use crate::terminal::plain;

const FACTS: [&str; 6] = ["os", "platform", "platform_family", "platform_version", "arch", "git"];

#[derive(Args, Debug)]
pub struct PoolFlags {
    /// Server's URL as its machines reach it, to enrol
    #[arg(long, value_name = "URL")]
    enrol_url: Option<String>,
    /// Machines that are there always
    #[arg(long, value_name = "N")]
    min: Option<u32>,
    /// Machines that there are at most
    #[arg(long, value_name = "N")]
    max: Option<u32>,
    /// Machines without a job that are held ready
    #[arg(long, value_name = "N")]
    warm: Option<u32>,
    /// How long a machine stays without a job: 10m
    #[arg(long, value_name = "DURATION")]
    idle: Option<String>,
    /// How old a machine gets; `none`: as old as it likes
    #[arg(long, value_name = "DURATION")]
    lifetime: Option<String>,
    /// How long a machine may take to enrol
    #[arg(long, value_name = "DURATION")]
    start_limit: Option<String>,
    /// Each machine takes one job
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    one_off: Option<bool>,
    /// Jobs that a machine runs at a time
    #[arg(long, value_name = "N")]
    slots: Option<u32>,
    /// Labels of its runners
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    labels: Option<Vec<String>>,
    /// Capabilities of its runners
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    capabilities: Option<Vec<String>>,
    /// What its machines will be, for jobs that ask: platform=ubuntu, platform_version=24.04, arch=x86_64, git=yes
    #[arg(long = "fact", value_name = "KEY=VALUE", value_delimiter = ',')]
    facts: Option<Vec<String>>,
    /// The one organisation that it serves; else all
    #[arg(long, value_name = "NAME")]
    org: Option<String>,
    /// Network that its machines must enrol from
    #[arg(long, value_name = "CIDR")]
    cidr: Option<String>,
}

impl PoolFlags {
    /// The keys that were said, as the API takes them.
    ///
    /// # Errors
    /// `Usage` for what cannot be.
    pub fn keys(self) -> Result<Map<String, Value>, Failure> {
        let mut keys = Map::new();
        let mut say = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                keys.insert(key.to_owned(), value);
            }
        };
        say("enrol_url", self.enrol_url.map(Value::from));
        say("min", self.min.map(Value::from));
        say("max", self.max.map(Value::from));
        say("warm", self.warm.map(Value::from));
        say("slots", self.slots.map(Value::from));
        say("one_off", self.one_off.map(Value::from));
        say("cidr", self.cidr.map(Value::from));
        say("labels", self.labels.map(Value::from));
        say("capabilities", self.capabilities.map(Value::from));
        say("idle_limit_s", self.idle.as_deref().map(parse_duration).transpose()?.map(Value::from));
        say("start_limit_s", self.start_limit.as_deref().map(parse_duration).transpose()?.map(Value::from));
        say("lifetime_s", self.lifetime.as_deref().map(lifetime).transpose()?);
        say("facts", self.facts.map(|facts| facts_of(&facts)).transpose()?);
        say("scope", self.org.as_deref().map(scope::org).transpose()?.map(|scope| json!(scope)));
        Ok(keys)
    }
}

fn lifetime(text: &str) -> Result<Value, Failure> {
    if text == "none" { Ok(Value::Null) } else { Ok(parse_duration(text)?.into()) }
}

fn facts_of(words: &[String]) -> Result<Value, Failure> {
    let mut facts = Map::new();
    for word in words {
        let wrong = || BadName {
            what: "fact",
            found: plain(word),
            allowed: "os, platform, platform_family, platform_version, arch or git, `=`, and a value",
            nearest: None,
        };
        let (key, value) =
            word.split_once('=').filter(|(key, _)| FACTS.contains(key)).ok_or_else(|| Usage::BadName(wrong()))?;
        let value = match (key, value) {
            ("git", "yes" | "true") => Value::Bool(true),
            ("git", "no" | "false") => Value::Bool(false),
            ("git", _) => return Err(Usage::BadName(wrong()).into()),
            (_, value) => value.into(),
        };
        facts.insert(key.to_owned(), value);
    }
    Ok(facts.into())
}
