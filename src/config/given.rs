//! One value as it was given, and what it can be read as.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use shuntyard_domain::cidr::Cidr;
use shuntyard_domain::command_template::CommandTemplate;
use shuntyard_domain::runner::check_hostname;
use zeroize::Zeroizing;

use super::fault::nearest;

const HOST_AND_PORT: &str = "a name or IP address and a port, such as shunt.example.com:8922 or [2001:db8::1]:8922";

/// From the file a TOML value; from environment and flags a text that may stand for any type.
#[derive(Clone, Debug)]
pub(super) enum Given {
    Toml(toml::Value),
    Text(String),
}

/// Why a value was refused.
#[derive(Debug)]
pub(super) struct Refused {
    pub allowed: String,
    pub nearest: Option<String>,
}

fn allowed<T>(sentence: impl Into<String>) -> Result<T, Refused> {
    Err(Refused { allowed: sentence.into(), nearest: None })
}

impl Given {
    /// The value in a message; what may hold a password shows its scheme only.
    pub fn shown(&self, key: &str) -> String {
        match self {
            Self::Toml(toml::Value::String(text)) | Self::Text(text) if key == "store.url" => {
                format!("`{}`", scheme_of(text))
            }
            Self::Toml(toml::Value::String(text)) | Self::Text(text) => {
                format!("`{}`", text.chars().take(80).collect::<String>())
            }
            Self::Toml(toml::Value::Table(_)) => "a table".to_owned(),
            Self::Toml(toml::Value::Array(_)) => "a list".to_owned(),
            Self::Toml(other) => format!("`{other}`"),
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Toml(value) => value.as_str(),
            Self::Text(text) => Some(text),
        }
    }

    pub fn boolean(&self) -> Result<bool, Refused> {
        let read = match self {
            Self::Toml(value) => value.as_bool(),
            Self::Text(text) => text.parse().ok(),
        };
        read.map_or_else(|| allowed("true or false"), Ok)
    }

    /// A whole number of `unit` within the range.
    pub fn whole(&self, range: RangeInclusive<u32>, unit: &str) -> Result<u32, Refused> {
        let read = match self {
            Self::Toml(value) => value.as_integer(),
            Self::Text(text) => text.parse().ok(),
        };
        match read.and_then(|number| u32::try_from(number).ok()).filter(|number| range.contains(number)) {
            Some(number) => Ok(number),
            None => allowed(format!("a whole number of {unit} from {} to {}", range.start(), range.end())),
        }
    }

    pub fn word<T: Copy>(&self, words: &[(&'static str, T)]) -> Result<T, Refused> {
        let text = self.text();
        if let Some((_, value)) = words.iter().find(|(word, _)| Some(*word) == text) {
            return Ok(*value);
        }
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        Err(Refused { allowed: names.join(", "), nearest: text.and_then(|text| nearest(text, names)) })
    }

    pub fn socket_address(&self) -> Result<SocketAddr, Refused> {
        let read = self.text().and_then(|text| text.parse().ok());
        read.map_or_else(|| allowed("an IP address and a port, such as 127.0.0.1:8920 or [::1]:8920"), Ok)
    }

    /// As `socket_address`; an empty text is none.
    pub fn socket_address_or_none(&self) -> Result<Option<SocketAddr>, Refused> {
        if self.text() == Some("") { Ok(None) } else { self.socket_address().map(Some) }
    }

    /// A name or IP address and a port; an empty text is none.
    pub fn host_and_port(&self) -> Result<Option<(String, u16)>, Refused> {
        let Some(text) = self.text().filter(|text| !text.is_empty()) else {
            return if self.text().is_some() { Ok(None) } else { allowed(HOST_AND_PORT) };
        };
        let read = text.rsplit_once(':').and_then(|(host, port)| {
            let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
            let plain = bare.is_some_and(|host| host.parse::<Ipv6Addr>().is_ok()) || !host.contains(':');
            let host = bare.unwrap_or(host);
            let port = port.parse().ok().filter(|port| *port > 0)?;
            (plain && check_hostname(host).is_ok()).then(|| (host.to_owned(), port))
        });
        read.map_or_else(|| allowed(HOST_AND_PORT), |read| Ok(Some(read)))
    }

    /// An absolute path; `~/` stands for `home`.
    pub fn directory(&self, home: Option<&Path>) -> Result<PathBuf, Refused> {
        let path = match (self.text(), home) {
            (Some(text), Some(home)) if text.starts_with("~/") => home.join(text.trim_start_matches("~/")),
            (Some(text), _) => PathBuf::from(text),
            (None, _) => PathBuf::new(),
        };
        if path.is_absolute() { Ok(path) } else { allowed("an absolute path, or one that starts with ~/") }
    }

    /// As `directory`; an empty text is none.
    pub fn file_or_none(&self, home: Option<&Path>) -> Result<Option<PathBuf>, Refused> {
        if self.text() == Some("") { Ok(None) } else { self.directory(home).map(Some) }
    }

    /// A list of networks; as one text they are separated by commas.
    pub fn networks(&self) -> Result<Vec<Cidr>, Refused> {
        let texts: Option<Vec<&str>> = match self {
            Self::Toml(toml::Value::Array(values)) => values.iter().map(toml::Value::as_str).collect(),
            Self::Text(text) => Some(text.split(',').map(str::trim).filter(|text| !text.is_empty()).collect()),
            Self::Toml(_) => None,
        };
        let read = texts.and_then(|texts| texts.iter().map(|text| text.parse().ok()).collect());
        read.map_or_else(|| allowed("a list of networks, such as [\"10.0.0.0/8\", \"fd00::/8\"]"), Ok)
    }

    /// A list of host names and addresses; as one text they are separated by commas.
    pub fn host_names(&self) -> Result<Vec<String>, Refused> {
        let texts: Option<Vec<&str>> = match self {
            Self::Toml(toml::Value::Array(values)) => values.iter().map(toml::Value::as_str).collect(),
            Self::Text(text) => Some(text.split(',').map(str::trim).filter(|text| !text.is_empty()).collect()),
            Self::Toml(_) => None,
        };
        let is_one = |text: &&str| text.parse::<IpAddr>().is_ok() || check_hostname(text).is_ok();
        let good = texts.filter(|texts| texts.iter().all(|text| is_one(text)));
        let good = good.map(|texts| texts.into_iter().map(ToOwned::to_owned).collect());
        good.map_or_else(|| allowed("a list of names and addresses, such as [\"shunt.example.com\", \"10.0.0.5\"]"), Ok)
    }

    /// A runner's name.
    pub fn hostname(&self) -> Result<String, Refused> {
        let Some(text) = self.text() else { return allowed("a runner's name as text") };
        check_hostname(text).map_or_else(|wrong| allowed(wrong.allowed), |()| Ok(text.to_owned()))
    }

    /// A shell script with placeholders, or nothing; every fault of it is told.
    pub fn command_template(&self) -> Result<Option<CommandTemplate>, Refused> {
        let Some(text) = self.text() else { return allowed("a shell script as text") };
        if text.is_empty() {
            return Ok(None);
        }
        CommandTemplate::parse(text).map(Some).or_else(|faults| {
            let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
            allowed(format!("a shell script without faults: {}", told.join("; ")))
        })
    }

    /// A database; None is SQLite in the data directory. The store itself reads the rest of the URL.
    pub fn store_url(&self) -> Result<Option<Zeroizing<String>>, Refused> {
        let text = self.text().unwrap_or_default();
        let is_path = |path: &str| path.starts_with('/');
        let sqlite = text.strip_prefix("sqlite://").or_else(|| text.strip_prefix("sqlite:")).is_some_and(is_path);
        let postgres = ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
        match text {
            "sqlite" => Ok(None),
            _ if sqlite || postgres => Ok(Some(Zeroizing::new(text.to_owned()))),
            _ => allowed(
                "sqlite (a file in the data directory), sqlite:/ABSOLUTE/PATH, or postgres://USER@HOST/DATABASE?sslmode=…",
            ),
        }
    }
}

/// What of a database URL may be shown.
pub(super) fn scheme_of(url: &str) -> String {
    match url.split_once(':') {
        Some((scheme, _)) => format!("{}:…", scheme.chars().take(20).collect::<String>()),
        None => url.chars().take(20).collect(),
    }
}
