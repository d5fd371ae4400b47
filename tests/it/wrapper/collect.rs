//! What an ended attempt hands out: its outputs, the names of its files, pieces of them; and nothing else.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use shuntyard_domain::artifacts::MAX_NAMES_BYTES;
use shuntyard_domain::ids::AttemptId;
use shuntyard_domain::wire::collect::{AnswerEnd, answer_end, collect_head, piece_request};
use shuntyard_domain::wire::control::{Control, ErrCode, SpoolState};
use shuntyard_domain::wire::frame::{Verb, Word};

use super::driver::{Channel, Host, id, nonce, spec, under_every_shell};

const FILE: AnswerEnd = AnswerEnd::File { executable: false };

/// Runs a script to its end; its files stay.
fn ended(host: &Host, id: AttemptId, script: &str) -> (Channel, bool) {
    let channel = host.run_with(id, &spec(script), &[]);
    let has_outputs = channel.wait_end(0).has_outputs;
    (channel, has_outputs)
}

/// One `get`, and its answers so far.
struct Asking {
    channel: Channel,
    taken: usize,
}

impl Asking {
    fn new(host: &Host, id: AttemptId, roots: &[&str]) -> Self {
        let nonce = nonce();
        let mut channel = host.open(&Verb::Get { id, nonce: &nonce }, &nonce);
        let roots: Vec<String> = roots.iter().map(|root| (*root).to_owned()).collect();
        channel.send(collect_head(&roots).as_bytes());
        Self { channel, taken: 0 }
    }

    fn answer(&mut self) -> (Vec<u8>, AnswerEnd) {
        let taken = self.taken;
        let nonce = self.channel.nonce.clone();
        self.channel.wait("an answer", |c| answer_end(&nonce, &c.output(), taken).is_some());
        let output = self.channel.output();
        let (length, end, next) = answer_end(&nonce, &output, taken).unwrap();
        self.taken = next;
        (output[taken..length].to_vec(), end)
    }

    fn piece(&mut self, path: &str, skip: u64, count: u64) -> (Vec<u8>, AnswerEnd) {
        self.channel.send(piece_request(path, skip, count).as_bytes());
        self.answer()
    }

    fn names(&mut self) -> Vec<String> {
        let (listed, end) = self.answer();
        assert_eq!(end, FILE);
        let names = listed.split(|byte| *byte == 0).filter(|name| !name.is_empty());
        let mut names: Vec<String> = names.map(|name| String::from_utf8_lossy(name).into_owned()).collect();
        names.sort_unstable();
        names
    }
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn an_ended_attempt_hands_out_outputs_names_and_pieces_of_files() {
    under_every_shell(|host| {
        let script = "echo version=1 >>\"$SHUNT_OUTPUT\"; mkdir -p 'a b/c'; echo one >'a b/c/ x '; printf '#!\\n' >run; \
                      chmod 755 run; : >empty; exit 3";
        let (mut job, has_outputs) = ended(host, id(1), script);
        assert!(has_outputs);
        // Exactly two blocks, and a bit more than two.
        let (even, odd) = (vec![b'e'; 128 << 10], b"0123456789\n@@\0".repeat(10_000));
        write(&host.work(id(1)).join("even"), &even);
        write(&host.work(id(1)).join("-odd"), &odd);
        let mut asking = Asking::new(host, id(1), &["."]);
        assert_eq!(asking.answer(), (b"version=1\n".to_vec(), FILE));
        assert_eq!(asking.names(), ["./-odd", "./a b/c/ x ", "./empty", "./even", "./run"]);
        assert_eq!(asking.piece("a b/c/ x ", 0, 1), (b"one\n".to_vec(), FILE));
        assert_eq!(asking.piece("run", 0, 1), (b"#!\n".to_vec(), AnswerEnd::File { executable: true }));
        assert_eq!(asking.piece("empty", 0, 1), (Vec::new(), FILE));
        assert_eq!(asking.piece("even", 0, 2), (even, FILE));
        assert_eq!(asking.piece("even", 2, 16).0, b"");
        assert_eq!(asking.piece("-odd", 0, 1), (odd[..65536].to_vec(), FILE));
        assert_eq!(asking.piece("-odd", 1, 16), (odd[65536..].to_vec(), FILE));
        assert_eq!(asking.piece("gone", 0, 1), (Vec::new(), AnswerEnd::NoFile));
        asking.channel.close();
        asking.channel.wait_closed();
        // It can be asked again, until the dispatcher has everything.
        let mut again = Asking::new(host, id(1), &["a b", "run", "none"]);
        assert_eq!(again.answer().0, b"version=1\n");
        assert_eq!(again.names(), ["./a b/c/ x ", "./run"]);
        job.word(Word::Ack { remove: true });
        job.wait_closed();
        assert!(!host.work(id(1)).exists() && !host.spool(id(1)).exists());
    });
}

#[test]
fn nothing_is_handed_out_that_a_job_only_points_to() {
    under_every_shell(|host| {
        let (_job, has_outputs) = ended(host, id(1), "rm $SHUNT_OUTPUT; ln -s /etc/passwd $SHUNT_OUTPUT");
        assert!(has_outputs, "it is looked at when it is fetched");
        let work = host.work(id(1));
        write(&work.join("kept/ok"), b"ok");
        write(&host.dir.path().join("secret/file"), b"secret");
        symlink(host.dir.path().join("secret"), work.join("out")).unwrap();
        symlink(host.dir.path().join("secret/file"), work.join("link")).unwrap();
        symlink("kept", work.join("inner")).unwrap();
        std::process::Command::new("mkfifo").arg(work.join("fifo")).status().unwrap();
        fs::write(work.join("new\nline"), "x").unwrap();
        let mut asking = Asking::new(host, id(1), &["."]);
        assert_eq!(asking.answer(), (Vec::new(), AnswerEnd::NoFile));
        assert_eq!(asking.names(), ["./kept/ok", "./new\nline"]);
        for path in ["out/file", "link", "inner/ok", "fifo", "kept", "/dev/zero"] {
            assert_eq!(asking.piece(path, 0, 1), (Vec::new(), AnswerEnd::NoFile), "{path}");
        }
        let mut below = Asking::new(host, id(1), &["out", "link", "inner/ok", "kept"]);
        below.answer();
        assert_eq!(below.names(), ["./kept/ok"]);
        // Also not when the work directory itself has become another one.
        fs::rename(&work, host.dir.path().join("moved")).unwrap();
        symlink(host.dir.path().join("secret"), &work).unwrap();
        let mut moved = Asking::new(host, id(1), &["."]);
        moved.answer();
        assert_eq!(moved.answer(), (Vec::new(), AnswerEnd::NoFile));
    });
}

#[test]
fn a_directory_without_end_and_a_file_that_grows_are_handed_out_as_far_as_asked() {
    under_every_shell(|host| {
        let (_job, has_outputs) = ended(host, id(1), "head -c 70000 /dev/zero >$SHUNT_OUTPUT; echo x >grows");
        assert!(has_outputs);
        // Long paths need few files to fill what is listed.
        let deep = (0..15).fold(host.work(id(1)), |dir, _| dir.join("d".repeat(230)));
        fs::create_dir_all(&deep).unwrap();
        for n in 0..2_500 {
            fs::File::create(deep.join(n.to_string())).unwrap();
        }
        let mut asking = Asking::new(host, id(1), &["."]);
        assert_eq!(asking.answer().0.len(), 65537);
        assert_eq!(asking.answer().0.len(), MAX_NAMES_BYTES);
        fs::write(host.work(id(1)).join("grows"), vec![b'g'; 300_000]).unwrap();
        assert_eq!(asking.piece("grows", 1, 2).0.len(), 131_072);
        fs::write(host.work(id(1)).join("grows"), "short").unwrap();
        assert_eq!(asking.piece("grows", 3, 2).0, b"");
    });
}

#[test]
fn only_an_ended_attempt_hands_out_and_only_to_a_request_of_its_form() {
    under_every_shell(|host| {
        let running = host.run(id(1), "echo up; exec sleep 30");
        running.wait("the job is up", |c| c.output() == b"up\n");
        let mut asking = Asking::new(host, id(1), &["."]);
        asking.channel.wait_closed();
        assert!(matches!(asking.channel.controls()[..], [Control::Job { state: SpoolState::Run { .. }, .. }]));
        assert_eq!(asking.channel.output(), b"");
        let mut unknown = Asking::new(host, id(2), &["."]);
        unknown.channel.wait_closed();
        assert_eq!(unknown.channel.controls(), [Control::None]);
        host.ask(|nonce| Verb::Kill { id: id(1), nonce, grace_s: 0 });
        drop(ended(host, id(3), "true"));
        fs::remove_dir_all(host.spool(id(3))).unwrap();
        let mut removed = Asking::new(host, id(3), &["."]);
        removed.channel.wait_closed();
        assert!(matches!(&removed.channel.controls()[..], [Control::Err { code: ErrCode::Removed, .. }]));
        for (request, code) in [("2 1\n.\n", ErrCode::Magic), ("1 x\n", ErrCode::Id), ("", ErrCode::Frame)] {
            let nonce = nonce();
            let mut channel = host.open(&Verb::Get { id: id(1), nonce: &nonce }, &nonce);
            channel.send(request.as_bytes());
            channel.close();
            channel.wait_closed();
            assert!(matches!(&channel.controls()[..], [Control::Err { code: said, .. }] if *said == code), "{request}");
        }
    });
}
