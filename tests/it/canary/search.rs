//! Known secrets, and looking for them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Secrets by what they are.
#[derive(Clone, Default)]
pub struct Canaries(BTreeMap<String, Vec<u8>>);

/// Raw, base64 at its three phases in both alphabets, hexadecimal in both cases.
pub fn forms(value: &[u8]) -> Vec<Vec<u8>> {
    let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![value.to_vec(), hex.to_uppercase().into_bytes(), hex.into_bytes()];
    for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
        for before in 0..3 {
            let whole = engine.encode([&[0; 2][..before], value].concat()).into_bytes();
            // Without the characters that hold bits of what stands beside.
            forms.push(whole[(before * 8).div_ceil(6)..(before + value.len()) * 8 / 6].to_vec());
        }
    }
    forms
}

fn holds(bytes: &[u8], form: &[u8]) -> bool {
    // One look for the first byte is much cheaper than a comparison at each place.
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| *byte == form[0]) {
        if rest[at..].starts_with(form) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

impl Canaries {
    /// The secret of this name, of this run alone: the watch sees the whole machine.
    pub fn make(&mut self, what: &str) -> String {
        let number = self.0.len();
        let made =
            || format!("c4nary-{}-{number}-{}", std::process::id(), what.to_lowercase().replace([' ', '_'], "-"));
        self.0.entry(what.to_owned()).or_insert_with(|| made().into_bytes());
        self.of(what)
    }

    pub fn make_all(&mut self, all: &[&str]) {
        all.iter().for_each(|what| drop(self.make(what)));
    }

    pub fn note(&mut self, what: &str, value: &[u8]) {
        assert!(value.len() >= 14, "{what} is too short to be told from noise");
        self.0.insert(what.to_owned(), value.to_owned());
    }

    pub fn of(&self, what: &str) -> String {
        String::from_utf8_lossy(&self.0[what]).into_owned()
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    pub fn in_bytes(&self, place: &str, bytes: &[u8]) -> Vec<String> {
        let shown = |what: &str| format!("{what} in {place}");
        let held = self.0.iter().filter(|(_, value)| forms(value).iter().any(|form| holds(bytes, form)));
        held.map(|(what, _)| shown(what)).collect()
    }

    /// Every file below `dir` but those named so.
    pub fn in_files(&self, dir: &Path, but: &[&str]) -> Vec<String> {
        let mut found = Vec::new();
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let (path, kind) = (entry.path(), entry.file_type().expect("its type"));
            // Names are kept, too.
            found.extend(self.in_bytes("a file's name", entry.file_name().as_encoded_bytes()));
            if kind.is_dir() {
                found.extend(self.in_files(&path, but));
            } else if kind.is_file() && !but.iter().any(|name| entry.file_name() == *name) {
                let bytes = fs::read(&path).unwrap_or_default();
                found.extend(self.in_bytes(&path.display().to_string(), &bytes));
            }
        }
        found
    }
}

/// Looks at the command lines of all processes of the machine, those in test hosts included, until it is told to end.
pub struct CommandLines {
    over: Arc<AtomicBool>,
    thread: JoinHandle<Vec<String>>,
}

impl CommandLines {
    pub fn watch(canaries: Canaries) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&over);
        let raw: Vec<Vec<u8>> = canaries.0.into_values().collect();
        let thread = std::thread::spawn(move || {
            let mut seen = Vec::new();
            while !ended.load(Ordering::Relaxed) {
                for process in fs::read_dir("/proc").expect("/proc").flatten() {
                    let text = fs::read(process.path().join("cmdline")).unwrap_or_default();
                    if raw.iter().any(|value| holds(&text, value)) {
                        seen.push(String::from_utf8_lossy(&text).replace('\0', " "));
                    }
                }
            }
            seen
        });
        Self { over, thread }
    }

    pub fn end(self) -> Vec<String> {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().expect("the watch")
    }
}
