//! A receiver of calls: an HTTPS server in the test's own process, which keeps what it was sent and answers as it is told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::Value;
use tempfile::TempDir;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Received {
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Received {
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a body in JSON")
    }
}

/// What the receiver does with a request.
#[derive(Clone, Debug)]
pub enum Reply {
    Answer(u16, Vec<u8>),
    /// `302` to this place.
    Redirect(String),
    /// No answer; the connection stays open until the receiver is dropped.
    Hang,
    /// The connection ends in the middle of nothing.
    Reset,
    /// A head, and then a body that never ends.
    Endless,
}

pub const OK: Reply = Reply::Answer(204, Vec::new());

type Answers = dyn Fn(&Received) -> Reply + Send + Sync;

/// The receiver; its connections end when it is dropped.
pub struct Receiver {
    port: u16,
    certificates: Option<TempDir>,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    tls: Option<Arc<ServerConfig>>,
    answers: Box<Answers>,
    received: Mutex<Vec<Received>>,
    connections: AtomicUsize,
    stopped: AtomicBool,
}

impl Receiver {
    /// Over https on loopback, as `127.0.0.1` and `localhost`, with a certificate of an authority of its own.
    pub fn start(answers: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let tls = certificate(dir.path());
        Self::listen(Some((dir, tls)), Box::new(answers))
    }

    /// Over plain http.
    pub fn start_plain(answers: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        Self::listen(None, Box::new(answers))
    }

    fn listen(tls: Option<(TempDir, ServerConfig)>, answers: Box<Answers>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let (dir, tls) = tls.map_or((None, None), |(dir, tls)| (Some(dir), Some(Arc::new(tls))));
        let (received, connections, stopped) = (Mutex::default(), AtomicUsize::new(0), AtomicBool::new(false));
        let shared = Arc::new(Shared { tls, answers, received, connections, stopped });
        let own = shared.clone();
        let accepting = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if own.stopped.load(Ordering::SeqCst) {
                    return;
                }
                own.connections.fetch_add(1, Ordering::SeqCst);
                let own = own.clone();
                std::thread::spawn(move || own.attend(stream));
            }
        });
        Self { port, certificates: dir, shared, accepting: Some(accepting) }
    }

    /// The authority's certificate, for `[outgoing] ca_file`.
    pub fn ca_file(&self) -> PathBuf {
        self.certificates.as_ref().expect("a receiver over https").path().join("ca.pem")
    }

    /// Its URL under this host name or address; `path` starts with a slash.
    pub fn url(&self, host: &str, path: &str) -> String {
        let scheme = if self.certificates.is_some() { "https" } else { "http" };
        format!("{scheme}://{host}:{}{path}", self.port)
    }

    /// Everything that has come so far, in the order of coming.
    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().expect("no panic").clone()
    }

    /// How many connections were made, also those that sent no request.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // The accepting thread wakes up for a connection only.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

impl Shared {
    fn attend(&self, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        match &self.tls {
            Some(tls) => {
                let Ok(session) = ServerConnection::new(tls.clone()) else { return };
                self.serve(StreamOwned::new(session, stream));
            }
            None => self.serve(stream),
        }
    }

    /// Requests one after the other, until one of the two hangs up.
    fn serve(&self, stream: impl Read + Write) {
        let mut stream = BufReader::new(stream);
        while let Some(request) = read_request(&mut stream) {
            self.received.lock().expect("no panic").push(request.clone());
            let reply = match (self.answers)(&request) {
                Reply::Answer(status, body) => [head(status, "", body.len()), body].concat(),
                Reply::Redirect(to) => head(302, &format!("Location: {to}\r\n"), 0),
                Reply::Reset => return,
                Reply::Hang => {
                    while !self.stopped.load(Ordering::SeqCst) {
                        std::thread::sleep(Duration::from_millis(20));
                    }
                    return;
                }
                Reply::Endless => {
                    let block = vec![b'x'; 64 * 1024];
                    let _ = stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n");
                    while stream.get_mut().write_all(&block).is_ok() {}
                    return;
                }
            };
            if stream.get_mut().write_all(&reply).and_then(|()| stream.get_mut().flush()).is_err() {
                return;
            }
        }
    }
}

fn head(status: u16, headers: &str, length: usize) -> Vec<u8> {
    format!("HTTP/1.1 {status} Said\r\n{headers}Content-Length: {length}\r\n\r\n").into_bytes()
}

fn read_request(stream: &mut impl BufRead) -> Option<Received> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let path = lines.first()?.split(' ').nth(1)?.to_owned();
    let header =
        |line: &String| line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    let headers: Vec<_> = lines.iter().skip(1).filter_map(header).collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).ok()?;
    Some(Received { path, headers, body })
}

/// Makes an authority, whose certificate is written to `ca.pem`, and a certificate of the receiver.
fn certificate(dir: &Path) -> ServerConfig {
    let mut of_authority = CertificateParams::new(Vec::new()).expect("no names");
    of_authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let authority = of_authority.self_signed(&key).expect("a certificate");
    std::fs::write(dir.join("ca.pem"), authority.pem()).expect("ca.pem");
    let issuer = Issuer::new(of_authority, key);
    let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
    let own_key = KeyPair::generate().expect("a key");
    let own = CertificateParams::new(names).expect("names").signed_by(&own_key, &issuer).expect("a certificate");
    let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(own_key.serialize_der()));
    ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions of TLS")
        .with_no_client_auth()
        .with_single_cert(vec![own.der().clone()], private)
        .expect("a certificate and its key")
}
