//! A reader of an event stream as a browser is one, with no more than a socket.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cli::house::{House, LIMIT};

/// One event of a stream.
#[derive(Clone, Debug)]
pub struct Told {
    pub name: String,
    /// Its own.
    pub id: Option<String>,
    pub data: Value,
}

/// An open stream; it is cut when it is dropped.
pub struct Stream {
    socket: TcpStream,
    told: Receiver<Told>,
    /// The last id that came, or the one with which it was opened.
    pub last: Option<String>,
}

impl Stream {
    /// Opens a stream below the enterprise with the admin's token.
    pub fn open(house: &House, path: &str, last: Option<&str>) -> Self {
        Self::of(house.address(), &house.token(), path, last)
    }

    pub fn of(address: &str, token: &str, path: &str, last: Option<&str>) -> Self {
        let mut socket = TcpStream::connect(address).unwrap();
        let last_id = last.map_or_else(String::new, |last| format!("Last-Event-ID: {last}\r\n"));
        let head = format!(
            "GET /api/v0/e/default/{path} HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{last_id}\r\n",
        );
        socket.write_all(head.as_bytes()).unwrap();
        let mut lines = BufReader::new(socket.try_clone().unwrap());
        let status = line(&mut lines).expect("a status");
        assert!(status.contains(" 200 "), "{status}");
        while line(&mut lines).is_some_and(|line| !line.is_empty()) {}
        let (sender, told) = channel();
        thread::spawn(move || read(lines, &sender));
        Self { socket, told, last: last.map(Into::into) }
    }

    /// The next event, in time.
    pub fn next(&mut self) -> Told {
        self.next_within(LIMIT).expect("an event in time")
    }

    /// The next event; `None` when none comes for so long, or the stream has ended.
    pub fn next_within(&mut self, limit: Duration) -> Option<Told> {
        let until = Instant::now() + limit;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let told = match self.told.recv_timeout(left) {
                Ok(told) => told,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
            };
            if let Some(id) = &told.id {
                // Those of a log are offsets.
                if let Some(last) = self.last.as_ref().filter(|last| last.contains('-')) {
                    let rises = number(id) > number(last) || epoch(id) != epoch(last) || told.name == "snapshot";
                    assert!(rises, "{last}, then {id}");
                }
                self.last = Some(id.clone());
            }
            // A place alone is no event.
            if !told.name.is_empty() {
                return Some(told);
            }
        }
    }

    /// Whether the server has ended it.
    pub fn ends(&mut self) -> bool {
        let until = Instant::now() + LIMIT;
        while Instant::now() < until {
            match self.told.recv_timeout(LIMIT) {
                Ok(_) => (),
                Err(RecvTimeoutError::Disconnected) => return true,
                Err(RecvTimeoutError::Timeout) => return false,
            }
        }
        false
    }

    pub fn until(&mut self, mut is_it: impl FnMut(&Told) -> bool) -> Told {
        loop {
            let told = self.next();
            if is_it(&told) {
                return told;
            }
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

fn line(lines: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    let read = lines.read_line(&mut line).ok()?;
    (read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Passes on events until the stream or its reader ends; an id alone has neither name nor data.
fn read(mut lines: BufReader<TcpStream>, sender: &Sender<Told>) {
    let (mut name, mut id, mut data) = (String::new(), None, Value::Null);
    while let Some(line) = line(&mut lines) {
        match line.split_once(": ") {
            Some(("event", value)) => name = value.to_owned(),
            Some(("id", value)) => id = Some(value.to_owned()),
            Some(("data", value)) => data = serde_json::from_str(value).expect("JSON in one line"),
            _ if line.is_empty() && (id.is_some() || !name.is_empty()) => {
                let told = Told { name: std::mem::take(&mut name), id: id.take(), data: data.take() };
                if sender.send(told).is_err() {
                    return;
                }
            }
            // A heartbeat.
            _ => (),
        }
    }
}

pub fn epoch(id: &str) -> &str {
    id.split_once('-').expect("EPOCH-SEQ").0
}

pub fn number(id: &str) -> u64 {
    id.split_once('-').expect("EPOCH-SEQ").1.parse().expect("a number")
}
