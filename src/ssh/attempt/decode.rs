//! From a channel's bytes to an attempt's events: noise is dropped, control lines are read.

use std::collections::VecDeque;

use bytes::Bytes;
use shuntyard_domain::wire::control::{Control, after_marker, parse_control};
use shuntyard_domain::wire::frame::Nonce;

use super::{AttemptEvent, GoneWhy};
use crate::ssh::channel::ChannelEvent;

/// Login files may print this much before the wrapper speaks, and as much in one line of standard error.
const MAX_NOISE_BYTES: usize = 1 << 20;

/// Reads one channel. After a `Gone` it yields nothing more.
pub(super) struct Decoder {
    nonce: Nonce,
    marker_seen: bool,
    /// The end of standard output so far, while it may hold the beginning of the marker.
    tail: Vec<u8>,
    /// The unfinished line of standard error.
    line: Vec<u8>,
    noise_bytes: usize,
    gone: bool,
}

impl Decoder {
    pub(super) fn new(nonce: Nonce) -> Self {
        Self { nonce, marker_seen: false, tail: Vec::new(), line: Vec::new(), noise_bytes: 0, gone: false }
    }

    /// Takes what arrived (`None`: the channel said no more) and appends what it means.
    pub(super) fn feed(&mut self, arrived: Option<ChannelEvent>, events: &mut VecDeque<AttemptEvent>) {
        if self.gone {
            return;
        }
        let why = match arrived {
            Some(ChannelEvent::Stdout(bytes)) => self.output(bytes, events),
            Some(ChannelEvent::Stderr(bytes)) => self.control(&bytes, events),
            Some(ChannelEvent::ExitStatus(_) | ChannelEvent::ExitSignal | ChannelEvent::Eof) => None,
            Some(ChannelEvent::Closed) => Some(self.closed(events)),
            Some(ChannelEvent::Overflow) => Some(GoneWhy::Overflow),
            Some(ChannelEvent::Disconnected) | None => Some(GoneWhy::Disconnected),
        };
        if let Some(why) = why {
            self.gone = true;
            events.push_back(AttemptEvent::Gone { why });
        }
    }

    fn output(&mut self, bytes: Bytes, events: &mut VecDeque<AttemptEvent>) -> Option<GoneWhy> {
        if self.marker_seen {
            events.push_back(AttemptEvent::Output(bytes));
            return None;
        }
        self.tail.extend_from_slice(&bytes);
        if let Some(start) = after_marker(&self.nonce, &self.tail) {
            self.marker_seen = true;
            let first = std::mem::take(&mut self.tail).split_off(start);
            if !first.is_empty() {
                events.push_back(AttemptEvent::Output(first.into()));
            }
            return None;
        }
        // `@@NONCE\n` may be cut anywhere: its length less one is kept.
        let surplus = self.tail.len().saturating_sub(self.nonce.as_str().len() + 2);
        self.tail.drain(..surplus);
        self.noise(surplus)
    }

    fn control(&mut self, bytes: &[u8], events: &mut VecDeque<AttemptEvent>) -> Option<GoneWhy> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                match self.read(&line) {
                    Ok(Some(event)) => events.push_back(event),
                    Ok(None) => {
                        if let Some(why) = self.noise(line.len()) {
                            return Some(why);
                        }
                    }
                    Err(why) => return Some(why),
                }
            }
        }
        (self.line.len() > MAX_NOISE_BYTES).then(|| GoneWhy::BadControl("a line without end on standard error".into()))
    }

    /// The host closes: a last line may lack its newline.
    fn closed(&mut self, events: &mut VecDeque<AttemptEvent>) -> GoneWhy {
        let line = std::mem::take(&mut self.line);
        match self.read(&line) {
            Ok(event) => {
                events.extend(event);
                GoneWhy::Closed
            }
            Err(why) => why,
        }
    }

    fn read(&self, line: &[u8]) -> Result<Option<AttemptEvent>, GoneWhy> {
        let control = parse_control(&self.nonce, line).map_err(|bad| GoneWhy::BadControl(bad.to_string()))?;
        Ok(Some(match control {
            None => return Ok(None),
            Some(Control::Ok { pid }) => AttemptEvent::Started { pid },
            Some(Control::At { pid }) => AttemptEvent::Attached { pid },
            Some(Control::End(result)) => AttemptEvent::Ended(result),
            Some(Control::Lost { why, size }) => AttemptEvent::Lost { why, size },
            Some(Control::Receipt(line)) => AttemptEvent::Receipt(line),
            Some(Control::None) => AttemptEvent::Unknown,
            Some(Control::Fenced) => AttemptEvent::Fenced,
            Some(Control::Err { code, detail }) => AttemptEvent::Refused { code, detail },
            Some(
                other @ (Control::Job { .. }
                | Control::Eol
                | Control::Hello(_)
                | Control::Removed { .. }
                | Control::Want { .. }
                | Control::Have
                | Control::Filled),
            ) => {
                return Err(GoneWhy::BadControl(format!("{other:?} does not belong into an attempt's channel")));
            }
        }))
    }

    /// Counts dropped bytes while the wrapper has not spoken yet.
    fn noise(&mut self, bytes: usize) -> Option<GoneWhy> {
        if self.marker_seen {
            return None;
        }
        self.noise_bytes += bytes;
        (self.noise_bytes > MAX_NOISE_BYTES)
            .then(|| GoneWhy::BadControl("login files print without end before the wrapper starts".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shuntyard_domain::wire::control::ResultRecord;

    fn nonce() -> Nonce {
        Nonce::from_random([0xab; 16])
    }

    fn decoded(arrived: Vec<ChannelEvent>) -> Vec<AttemptEvent> {
        let (mut decoder, mut events) = (Decoder::new(nonce()), VecDeque::new());
        for event in arrived {
            decoder.feed(Some(event), &mut events);
        }
        events.into()
    }

    /// Neighbouring output as one piece.
    fn joined(events: Vec<AttemptEvent>) -> (Vec<u8>, Vec<AttemptEvent>) {
        let mut bytes = Vec::new();
        let mut rest = Vec::new();
        for event in events {
            match event {
                AttemptEvent::Output(piece) => bytes.extend_from_slice(&piece),
                other => rest.push(other),
            }
        }
        (bytes, rest)
    }

    #[test]
    fn the_meaning_does_not_depend_on_how_the_bytes_are_cut() {
        let out = format!("motd\n@@abab\nprompt@@{}\nraw @@{} \0\n", nonce(), nonce());
        let err = format!("rc: warning\nrc2@{} ok 42\n@{} end 3 9 77 -\nnoise", nonce(), nonce());
        for cut in [1, 2, 3, 7, 40, 1000] {
            let pieces = |text: &str| text.as_bytes().chunks(cut).map(Bytes::copy_from_slice).collect::<Vec<_>>();
            let mut arrived: Vec<_> = pieces(&out).into_iter().map(ChannelEvent::Stdout).collect();
            arrived.extend(pieces(&err).into_iter().map(ChannelEvent::Stderr));
            arrived.extend([ChannelEvent::Eof, ChannelEvent::Closed, ChannelEvent::Closed]);
            let (bytes, rest) = joined(decoded(arrived));
            assert_eq!(String::from_utf8_lossy(&bytes), format!("raw @@{} \0\n", nonce()));
            let ended = ResultRecord { exit_code: 3, size: 9, cksum: 77, stopped: None, has_outputs: false };
            let expected = [
                AttemptEvent::Started { pid: 42 },
                AttemptEvent::Ended(ended),
                AttemptEvent::Gone { why: GoneWhy::Closed },
            ];
            assert_eq!(rest, expected, "cut at {cut}");
        }
    }

    #[test]
    fn endless_noise_and_garbage_after_our_nonce_end_the_channel() {
        let noise = Bytes::from(vec![b'x'; 700 << 10]);
        for stream in [ChannelEvent::Stdout as fn(Bytes) -> ChannelEvent, ChannelEvent::Stderr] {
            let events = decoded(vec![stream(noise.clone()), stream(noise.clone())]);
            assert!(matches!(&events[..], [AttemptEvent::Gone { why: GoneWhy::BadControl(_) }]), "{events:?}");
        }
        let line = format!("@{} dance\n@{} ok 1\n", nonce(), nonce());
        let events = decoded(vec![ChannelEvent::Stderr(line.into())]);
        assert!(matches!(&events[..], [AttemptEvent::Gone { why: GoneWhy::BadControl(_) }]), "{events:?}");
        assert_eq!(decoded(vec![ChannelEvent::Overflow]), [AttemptEvent::Gone { why: GoneWhy::Overflow }]);
    }
}
