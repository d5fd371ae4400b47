//! Repositories of git, and servers that hand them out: git's own daemon, and a web server with a login.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use tempfile::TempDir;

use super::sshd::free_port;

/// `DIR/hello.git`, a repository with a branch `main`, which every account may read.
pub struct Repository {
    dir: TempDir,
}

impl Repository {
    /// One commit on `main` with these files.
    pub fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::Builder::new().prefix("shunt-git-").tempdir().expect("a temporary directory");
        fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("chmod");
        let repository = Self { dir };
        fs::create_dir(repository.path()).expect("a directory");
        repository.git(&["init", "-q", "-b", "main"]);
        repository.commit(files);
        repository
    }

    /// Where repositories are.
    pub fn base(&self) -> &Path {
        self.dir.path()
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("hello.git")
    }

    /// Changes these files and commits; returns the commit.
    pub fn commit(&self, files: &[(&str, &str)]) -> String {
        for (name, text) in files {
            let path = self.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            fs::write(&path, text).expect("a file");
        }
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", "a change"]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Runs git in the repository; returns what it says.
    pub fn git(&self, words: &[&str]) -> String {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=t", "-c", "user.email=t@example.com"]).args(words).current_dir(self.path());
        let done = git.env("HOME", self.base()).env("GIT_CONFIG_NOSYSTEM", "1").output().expect("git");
        assert!(done.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    }
}

/// `git daemon` on a port of its own: everybody may read.
pub struct GitDaemon {
    process: Child,
    pub port: u16,
}

impl GitDaemon {
    pub fn start(repository: &Repository) -> Self {
        // Another process may take the free port first.
        for _ in 0..5 {
            let port = free_port();
            let mut command = Command::new("git");
            command.args(["daemon", "--export-all", "--listen=127.0.0.1", &format!("--port={port}")]);
            command.arg(format!("--base-path={}", repository.base().display())).env("HOME", repository.base());
            let mut process = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().expect("git daemon");
            while process.try_wait().expect("its state").is_none() {
                if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return Self { process, port };
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        panic!("git daemon does not start");
    }

    pub fn url(&self) -> String {
        format!("git://127.0.0.1:{}/hello.git", self.port)
    }
}

impl Drop for GitDaemon {
    fn drop(&mut self) {
        // `git` has become the daemon, or waits for it: asked to end, it ends it.
        let pid = rustix::process::Pid::from_child(&self.process);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.process.wait();
    }
}

/// A web server that hands out repositories to who logs in.
///
/// `/hello.git` is git's smart protocol in its first version, `/hang/…` takes the request and never answers,
/// `/moved/…` sends to the same path of another place.
pub struct WebGit {
    pub port: u16,
    requests: Arc<Mutex<Vec<String>>>,
    held: Arc<AtomicBool>,
}

#[derive(Clone)]
struct Site {
    held: Arc<AtomicBool>,
    base: PathBuf,
    login: String,
    moved_to: Option<String>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl WebGit {
    /// `login` is `USER:PASSWORD`; `moved_to` the origin behind `/moved/`. It ends with the test's process.
    pub fn start(repository: &Repository, login: &str, moved_to: Option<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let held = Arc::new(AtomicBool::new(false));
        let (base, login) = (repository.base().into(), login.into());
        let site = Site { base, login, moved_to, requests: Arc::clone(&requests), held: Arc::clone(&held) };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let site = site.clone();
                std::thread::spawn(move || site.answer(stream));
            }
        });
        Self { port, requests, held }
    }

    pub fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn url(&self) -> String {
        format!("{}/hello.git", self.origin())
    }

    /// Lets every request that comes with a login wait, or go on.
    pub fn hold(&self, held: bool) {
        self.held.store(held, Ordering::SeqCst);
    }

    /// The heads of all requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

impl Site {
    fn answer(&self, stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            if line.trim_end().is_empty() {
                break;
            }
            head.push(line.trim_end().to_owned());
        }
        self.requests.lock().unwrap().push(head.join("\n"));
        let mut words = head.first()?.split(' ');
        let (method, target) = (words.next()?, words.next()?);
        let header = |name: &str| {
            let found = head.iter().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}:")));
            found.and_then(|line| line.split_once(": ")).map(|(_, value)| value.to_owned())
        };
        if target.starts_with("/hang/") {
            let mut rest = Vec::new();
            // Until the client gives up.
            let _ = reader.read_to_end(&mut rest);
            return None;
        }
        let mut stream = stream;
        if let (Some(path), Some(origin)) = (target.strip_prefix("/moved"), &self.moved_to) {
            return write!(
                stream,
                "HTTP/1.1 302 Found\r\nLocation: {origin}{path}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
            .ok();
        }
        while header("authorization").is_some() && self.held.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let expected = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(&self.login));
        if header("authorization") != Some(expected) {
            return write!(
                stream,
                "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"git\"\r\nContent-Length: 0\r\n\
                 Connection: close\r\n\r\n"
            )
            .ok();
        }
        let mut body = vec![0; header("content-length").and_then(|n| n.parse().ok()).unwrap_or(0)];
        reader.read_exact(&mut body).ok()?;
        stream.write_all(&self.backend(method, target, &header, &body)).ok()
    }

    /// What `git http-backend` answers, as HTTP.
    fn backend(&self, method: &str, target: &str, header: &dyn Fn(&str) -> Option<String>, body: &[u8]) -> Vec<u8> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut command = Command::new("git");
        command.arg("http-backend").env("GIT_PROJECT_ROOT", &self.base).env("GIT_HTTP_EXPORT_ALL", "1");
        command.env("HOME", &self.base).env("REQUEST_METHOD", method).env("PATH_INFO", path).env("QUERY_STRING", query);
        command.env("CONTENT_TYPE", header("content-type").unwrap_or_default());
        command.env("HTTP_CONTENT_ENCODING", header("content-encoding").unwrap_or_default());
        command.env("CONTENT_LENGTH", body.len().to_string());
        let mut backend = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("git http-backend");
        let mut input = backend.stdin.take().expect("its input");
        let body = body.to_owned();
        let feeding = std::thread::spawn(move || input.write_all(&body));
        let output = backend.wait_with_output().expect("its output").stdout;
        let _ = feeding.join();
        let text = String::from_utf8_lossy(&output).into_owned();
        let status = text.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK").to_owned();
        [format!("HTTP/1.1 {status}\r\nConnection: close\r\n").as_bytes(), &output].concat()
    }
}
