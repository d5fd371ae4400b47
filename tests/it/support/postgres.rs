//! A private PostgreSQL cluster from Debian's package: one per test process, one fresh database per test.
//!
//! nextest runs every test in a process of its own, so a cluster must be cheap: `initdb` (0.6 s) runs once
//! and is kept under the target directory; a process copies it (29 MB) and starts it, 0.1 s together.
//! A shell stands between the test and the server and reads from a pipe that the test process holds: when
//! that process ends, in whatever way, the shell stops the server by its pid and removes its directory.

use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

/// A running server that nobody else uses.
pub struct Cluster {
    programs: PathBuf,
    /// Holds the data, the socket and the log.
    pub dir: PathBuf,
    pub port: u16,
    /// Its stdin is the pipe that keeps the server alive.
    _watch: Child,
}

/// Starts the server (the first time), creates an empty database, and returns its URL on loopback.
pub fn fresh_database() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    cluster().sql("postgres", &format!("CREATE DATABASE {name}"));
    format!("postgres://postgres@127.0.0.1:{}/{name}", cluster().port)
}

/// The server of this process.
pub fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let started = (0..3).map(|_| Cluster::start()).find_map(|started| started.map_err(|e| eprintln!("{e:#}")).ok());
        started.expect("PostgreSQL does not start; Debian's package is `postgresql`")
    })
}

impl Cluster {
    /// Fails when somebody took the port between choosing and binding it.
    fn start() -> anyhow::Result<Self> {
        let programs = programs()?;
        let account = account()?;
        let dir = tempfile::Builder::new().prefix("shuntyard-pg-").tempdir()?.keep();
        run(Command::new("cp").arg("-a").arg(template(&programs, account)?).arg(dir.join("data")))?;
        give(&dir, account)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let watch = watched(&programs, account, &dir, port)?;
        let cluster = Self { programs, dir, port, _watch: watch };
        cluster.wait_until_ready()?;
        Ok(cluster)
    }

    /// Runs SQL as the superuser and returns what it prints.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-h"]).arg(&self.dir);
        run(psql.args(["-p", &self.port.to_string(), "-d", database, "-c", sql])).expect(sql)
    }

    fn wait_until_ready(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut ready = Command::new(self.programs.join("pg_isready"));
        ready.args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()]);
        while !ready.status()?.success() {
            let log = std::fs::read_to_string(self.dir.join("log")).unwrap_or_default();
            let hopeless = log.contains("could not bind") || log.contains("is shut down");
            ensure!(Instant::now() < deadline && !hopeless, "PostgreSQL did not become ready: {log}");
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

/// Starts the server under the shell that ends it.
fn watched(programs: &Path, account: Option<&str>, dir: &Path, port: u16) -> anyhow::Result<Child> {
    const WATCH: &str = r#"dir=$1; shift
        "$@" </dev/null >"$dir/log" 2>&1 &
        read -r _
        kill -INT $!; wait $!; rm -rf "$dir""#;
    let mut watch = Command::new("sh");
    watch.args(["-c", WATCH, "watch"]).arg(dir).args(as_account(account)).arg(programs.join("postgres"));
    watch.arg("-D").arg(dir.join("data")).arg("-k").arg(dir).arg("-F");
    let port = format!("port={port}");
    for setting in ["listen_addresses=127.0.0.1", &port, "max_connections=100", "shared_buffers=16MB", "autovacuum=off"]
    {
        watch.args(["-c", setting]);
    }
    // Not in the test's process group: what ends that group must not end the watch before its work is done.
    watch.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    watch.spawn().context("sh does not start")
}

/// The files of a fresh cluster; made once, by whoever comes first.
fn template(programs: &Path, account: Option<&str>) -> anyhow::Result<PathBuf> {
    let version = programs.ancestors().nth(1).and_then(Path::file_name).context("version")?;
    let name = format!("postgres-{}-{}", version.to_string_lossy(), account.unwrap_or("self"));
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if kept.exists() {
        return Ok(kept);
    }
    let work = tempfile::tempdir()?;
    give(work.path(), account)?;
    let mut initdb = command(account, &programs.join("initdb"));
    initdb.args(["--no-sync", "-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8", "--wal-segsize=1"]);
    run(initdb.arg("-D").arg(work.path().join("data")))?;
    let own = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    run(Command::new("cp").arg("-a").arg(work.path().join("data")).arg(own.path()))?;
    match std::fs::rename(own.path().join("data"), &kept) {
        Ok(()) => Ok(kept),
        // Another process was first.
        Err(_) if kept.exists() => Ok(kept),
        Err(fault) => Err(fault).context("cannot keep the template"),
    }
}

/// The newest installed server.
fn programs() -> anyhow::Result<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").context("no /usr/lib/postgresql")?;
    let numbered = versions.filter_map(|entry| {
        let path = entry.ok()?.path();
        let number: u32 = path.file_name()?.to_str()?.parse().ok()?;
        path.join("bin/initdb").exists().then(|| (number, path.join("bin")))
    });
    numbered.max().map(|(_, programs)| programs).context("no initdb below /usr/lib/postgresql")
}

/// PostgreSQL refuses to run as root: then the account that its package made.
fn account() -> anyhow::Result<Option<&'static str>> {
    let id = run(Command::new("id").arg("-u"))?;
    Ok((id.trim() == "0").then_some("postgres"))
}

fn as_account(account: Option<&str>) -> Vec<String> {
    match account {
        Some(name) => ["setpriv", "--reuid", name, "--regid", name, "--clear-groups"].map(str::to_owned).to_vec(),
        None => Vec::new(),
    }
}

fn command(account: Option<&str>, program: &Path) -> Command {
    match as_account(account).split_first() {
        Some((first, rest)) => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
        None => Command::new(program),
    }
}

fn give(dir: &Path, account: Option<&str>) -> anyhow::Result<()> {
    match account {
        Some(name) => run(Command::new("chown").arg("-R").arg(format!("{name}:")).arg(dir)).map(|_| ()),
        None => Ok(()),
    }
}

fn run(command: &mut Command) -> anyhow::Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
