//! What a configuration means, and what is said when it is wrong.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use super::*;

const DOCUMENTED: &str = include_str!("../../config/shuntd.toml");

fn load(file: &str, env: &[(&str, &str)], flags: FlagOverrides) -> Result<Config, Vec<String>> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shuntd.toml");
    std::fs::write(&path, file).unwrap();
    let env = [("HOME", "/home/u")].iter().chain(env).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let faults = |faults: ConfigFaults| {
        let told = |fault: &ConfigFault| fault.to_string().replace(&format!("{}: ", path.display()), "");
        faults.0.iter().map(told).collect()
    };
    Config::load(ConfigSources { file: Some(path.clone()), env, flags }).map_err(faults)
}

fn defaults() -> Config {
    load("", &[], FlagOverrides::default()).unwrap()
}

#[test]
fn the_documented_file_says_the_defaults_and_every_key() {
    let uncommented: String = DOCUMENTED
        .lines()
        .map(|line| line.strip_prefix('#').filter(|l| !l.starts_with(' ')).unwrap_or(line).to_owned() + "\n")
        .collect();
    assert_eq!(load(&uncommented, &[], FlagOverrides::default()), Ok(defaults()));
    assert_eq!(load(DOCUMENTED, &[], FlagOverrides::default()), Ok(defaults()));
    let table: toml::Table = uncommented.parse().unwrap();
    let mut documented: Vec<String> = Vec::new();
    for (section, values) in &table {
        documented.extend(values.as_table().unwrap().keys().map(|key| format!("{section}.{key}")));
    }
    let mut known: Vec<&str> = layers::KEYS.to_vec();
    known.sort_unstable();
    documented.sort_unstable();
    assert_eq!(documented, known);
}

#[test]
fn the_defaults_are_those_that_were_decided() {
    let config = defaults();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8920");
    assert_eq!(config.data.dir, PathBuf::from("/home/u/.local/share/shuntyard"));
    assert_eq!(config.store.url.as_str(), "sqlite:/home/u/.local/share/shuntyard/shuntyard.db");
    assert_eq!((config.log.level, config.log.format), (LogLevel::Info, LogFormat::Text));
    assert_eq!(config.ssh.connect_timeout, Duration::from_secs(15));
    assert_eq!((config.ssh.keepalive, config.ssh.keepalive_max), (Duration::from_secs(3), 2));
    assert_eq!(config.dispatch.placement, PlacementRule::LeastLoaded);
    let mib = |bytes: u64| bytes >> 20;
    let trees = config.workspaces;
    assert_eq!((mib(trees.max_bytes), trees.max_entries, mib(trees.store_bytes)), (1024, 100_000, 20_480));
    assert_eq!((mib(trees.min_free_bytes), mib(trees.runner_min_free_bytes)), (1024, 256));
    assert_eq!(config.paths().admin_token, PathBuf::from("/home/u/.local/share/shuntyard/admin.token"));
}

#[test]
fn flags_win_over_environment_and_environment_over_file() {
    let file = "[server]\nlisten = '127.0.0.1:1'\n[log]\nlevel = 'warn'\n[ssh]\nkeepalive_s = 7\n[data]\ndir = '/d'\n";
    let env = [("SHUNTD_SERVER_LISTEN", "127.0.0.1:2"), ("SHUNTD_LOG_LEVEL", "debug"), ("XDG_DATA_HOME", "/x")];
    let flags = FlagOverrides { listen: Some("127.0.0.1:3".into()), ..FlagOverrides::default() };
    let config = load(file, &env, flags).unwrap();
    assert_eq!(config.server.listen.port(), 3);
    assert_eq!(config.log.level, LogLevel::Debug);
    assert_eq!(config.ssh.keepalive, Duration::from_secs(7));
    assert_eq!(config.data.dir, PathBuf::from("/d"));
    let env =
        [("XDG_DATA_HOME", "/x"), ("SHUNTD_SSH_CONNECT_TIMEOUT_S", "20"), ("SHUNTD_CONFIG", "/any"), ("OTHER", "1")];
    let config = load("", &env, FlagOverrides::default()).unwrap();
    assert_eq!(config.data.dir, PathBuf::from("/x/shuntyard"));
    assert_eq!(config.ssh.connect_timeout, Duration::from_secs(20));
    let relative = load("", &[("XDG_DATA_HOME", "x")], FlagOverrides::default()).unwrap();
    assert_eq!(relative.data.dir, PathBuf::from("/home/u/.local/share/shuntyard"));
}

#[test]
fn all_faults_of_all_sources_are_told_at_once() {
    let file = "top = 1\nlog = 'text'\n[servr]\nlisten = 1\n[server]\nlisten = 8920\nlistn = ''\n\
                [ssh]\nkeepalive_s = 0\nconnect_timeout_s = '15'\n[dispatch]\nplacement = 'least-loaded'\n[store]\nurl = 'mysql://u:secret@h'\n";
    let env = [("SHUNTD_LOG_LEVL", "info"), ("SHUNTD_LOG_LEVEL", "verbose"), ("SHUNTD_DATA_DIR", "here")];
    let flags = FlagOverrides { log_format: Some("jsn".into()), ..FlagOverrides::default() };
    let mut faults = load(file, &env, flags).unwrap_err();
    faults.sort_unstable();
    let sections = "[server], [tls], [data], [store], [log], [output], [ssh], [dispatch], [pipelines], [workspaces], [artifacts], [enrolment], [dialout], [outgoing], [local], [health], [metrics], [retention], [limits]";
    let mut expected = vec![
        "--log-format: found `jsn`; allowed: text, json, journald (did you mean `json`?)".to_owned(),
        "SHUNTD_DATA_DIR: found `here`; allowed: an absolute path, or one that starts with ~/".to_owned(),
        "SHUNTD_LOG_LEVEL: found `verbose`; allowed: error, warn, info, debug, trace".to_owned(),
        "SHUNTD_LOG_LEVL: found an unknown key; allowed: SHUNTD_LOG_LEVEL, SHUNTD_LOG_FORMAT (did you mean `SHUNTD_LOG_LEVEL`?)".to_owned(),
        "dispatch.placement: found `least-loaded`; allowed: least_loaded, random, pack (did you mean `least_loaded`?)".to_owned(),
        format!("log: found `text`; allowed: {sections}"),
        "server.listen: found `8920`; allowed: an IP address and a port, such as 127.0.0.1:8920 or [::1]:8920".to_owned(),
        "server.listn: found an unknown key; allowed: server.listen, server.trusted_proxies (did you mean `server.listen`?)".to_owned(),
        format!("servr: found an unknown key; allowed: {sections} (did you mean `server`?)"),
        "ssh.connect_timeout_s: found `15`; allowed: a whole number of seconds from 1 to 600".to_owned(),
        "ssh.keepalive_s: found `0`; allowed: a whole number of seconds from 1 to 3600".to_owned(),
        "store.url: found `mysql:…`; allowed: sqlite (a file in the data directory), sqlite:/ABSOLUTE/PATH, or \
         postgres://USER@HOST/DATABASE?sslmode=…"
            .to_owned(),
        format!("top: found an unknown key; allowed: {sections}"),
    ];
    expected.sort_unstable();
    assert_eq!(faults, expected);
}

#[test]
fn networks_that_may_be_called_are_a_list_or_a_text_with_commas() {
    let networks = |config: Config| config.outgoing.allow_networks.iter().map(ToString::to_string).collect::<Vec<_>>();
    let file = "[outgoing]\nallow_networks = ['10.0.0.0/8']\nca_file = '~/ca.pem'\n";
    let config = load(file, &[], FlagOverrides::default()).unwrap();
    assert_eq!(config.outgoing.ca_file, Some(PathBuf::from("/home/u/ca.pem")));
    assert_eq!(networks(config), ["10.0.0.0/8"]);
    let env = [("SHUNTD_OUTGOING_ALLOW_NETWORKS", "127.0.0.1, fd00::/8,"), ("SHUNTD_OUTGOING_CA_FILE", "")];
    let config = load(file, &env, FlagOverrides::default()).unwrap();
    assert_eq!(config.outgoing.ca_file, None);
    assert_eq!(networks(config), ["127.0.0.1/32", "fd00::/8"]);
    for bad in ["'10.0.0.0/8'", "['10.0.0.0/33']", "[10]", "['h']"] {
        let file = format!("[outgoing]\nallow_networks = {bad}\n");
        assert!(load(&file, &[], FlagOverrides::default()).is_err(), "{bad}");
    }
}

#[test]
fn the_api_is_encrypted_unless_nobody_else_hears_it_or_somebody_says_so() {
    let transport = |listen: &str, file: &str, insecure_http| {
        let flags = FlagOverrides { listen: Some(listen.into()), insecure_http, ..FlagOverrides::default() };
        match load(file, &[], flags).unwrap().transport() {
            Transport::PlainHttp => "plain",
            Transport::SelfSigned(files) if files.key_file.ends_with("shuntyard/tls.key") => "self-signed",
            Transport::SelfSigned(_) | Transport::Tls(_) => "other",
        }
    };
    for (listen, file, insecure_http, expected) in [
        ("127.0.0.1:1", "", false, "plain"),
        ("[::1]:1", "", false, "plain"),
        ("0.0.0.0:1", "", false, "self-signed"),
        ("192.0.2.1:1", "", false, "self-signed"),
        ("0.0.0.0:1", "", true, "plain"),
        ("0.0.0.0:1", "[tls]\nmode = 'off'\n", false, "plain"),
        ("127.0.0.1:1", "[tls]\nmode = 'on'\n", false, "self-signed"),
        ("127.0.0.1:1", "[tls]\nmode = 'on'\n", true, "plain"),
    ] {
        assert_eq!(transport(listen, file, insecure_http), expected, "{listen} {file} {insecure_http}");
    }
}

#[test]
fn a_file_that_cannot_be_read_or_parsed_is_told_with_its_line() {
    let faults = load("[store]\nurl = 'secret\n", &[], FlagOverrides::default()).unwrap_err();
    assert!(faults.len() == 1 && faults[0].contains("line 2"), "{faults:?}");
    assert!(!faults[0].contains("secret"), "{faults:?}");
    let sources = ConfigSources {
        file: Some("/nonexistent/shuntd.toml".into()),
        env: Vec::new(),
        flags: FlagOverrides::default(),
    };
    let ConfigFaults(faults) = Config::load(sources).unwrap_err();
    assert_eq!(
        faults.iter().map(|fault| fault.path.as_str()).collect::<Vec<_>>(),
        ["/nonexistent/shuntd.toml", "data.dir"]
    );
}

#[test]
fn the_database_password_is_never_shown() {
    let config =
        load("[store]\nurl = 'postgres://u:secret@h/d?sslmode=require'", &[], FlagOverrides::default()).unwrap();
    assert!(config.store.url.contains("secret"));
    assert!(!format!("{config:?}").contains("secret"));
}

#[test]
fn the_configuration_is_shown_as_a_file_that_says_the_same_without_passwords() {
    let file = "[server]\nlisten = '[::1]:7'\n[data]\ndir = '/a \"b\"'\n[store]\nurl = 'sqlite:/x/y.db'\n[ssh]\nkeepalive_s = 7\n\
                [log]\nformat = 'json'\n[dispatch]\nplacement = 'pack'\n\
                [outgoing]\nallow_networks = ['10.0.0.0/8', 'fd00::/8']\nca_file = '/a/b.pem'\n";
    let config = load(file, &[], FlagOverrides::default()).unwrap();
    let shown = config.to_toml();
    assert_eq!(load(&shown, &[], FlagOverrides::default()), Ok(config), "{shown}");
    for key in super::layers::KEYS {
        assert!(shown.lines().any(|line| line.starts_with(&format!("{} = ", key.split_once('.').unwrap().1))), "{key}");
    }
    for (url, expected) in [
        ("postgres://u:se/cr@et@h/d?sslmode=require", "postgres://u:***@h/d?sslmode=require"),
        ("postgres://u@h:5432/d", "postgres://u@h:5432/d"),
        ("postgresql://h/d?user=u&password=secret", "postgresql://h/d?***"),
        ("postgres://h:5432/d", "postgres://h:5432/d"),
    ] {
        let config = load(&format!("[store]\nurl = '{url}'"), &[], FlagOverrides::default()).unwrap();
        assert!(config.to_toml().contains(&format!("url = \"{expected}\"\n")), "{}", config.to_toml());
    }
}

#[test]
fn the_data_directory_is_for_its_owner_only() {
    let dir = tempfile::tempdir().unwrap();
    let flags = FlagOverrides { data_dir: Some(dir.path().join("a/b")), ..FlagOverrides::default() };
    let paths = load("", &[], flags).unwrap().paths();
    paths.create().unwrap();
    paths.create().unwrap();
    for made in [&paths.data_dir, &paths.logs] {
        assert_eq!(std::fs::metadata(made).unwrap().permissions().mode() & 0o777, 0o700);
    }
}

#[test]
fn the_file_is_found_in_the_users_directory() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("shuntyard/shuntd.toml");
    let env = |named: Option<&str>| {
        let home = [("XDG_CONFIG_HOME".to_owned(), dir.path().display().to_string())];
        home.into_iter().chain(named.map(|path| ("SHUNTD_CONFIG".to_owned(), path.to_owned())))
    };
    assert_ne!(default_file(env(None)), Some(file.clone()));
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "").unwrap();
    assert_eq!(default_file(env(None)), Some(file.clone()));
    assert_eq!(default_file(env(Some(""))), Some(file));
    assert_eq!(default_file(env(Some("/named"))), Some("/named".into()));
}

#[test]
fn a_place_to_dial_must_be_one() {
    let shown = |file: &str| {
        let config = load(file, &[], FlagOverrides::default())?;
        Ok::<_, Vec<String>>((config.dialout.listen.map(|listen| listen.to_string()), config.dialout.public))
    };
    assert_eq!(shown(""), Ok((None, None)));
    assert_eq!(shown("[dialout]\nlisten = '127.0.0.1:1'\n"), Ok((Some("127.0.0.1:1".into()), None)));
    let named = "[dialout]\nlisten = '[::]:8922'\npublic = '[2001:db8::1]:22'\n";
    assert_eq!(shown(named), Ok((Some("[::]:8922".into()), Some(("2001:db8::1".into(), 22)))));
    for bad in [
        "0.0.0.0:1'\n",
        "127.0.0.1:1'\npublic = 'h'\n",
        "127.0.0.1:1'\npublic = '-o:1'\n",
        "127.0.0.1:1'\npublic = '::1:1'\n",
    ] {
        let faults = shown(&format!("[dialout]\nlisten = '{bad}")).expect_err(bad);
        assert!(faults.len() == 1 && faults[0].contains("dialout.public"), "{faults:?}");
    }
}
