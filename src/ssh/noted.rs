//! What a connection says of each of its layers while it is being made; kept for people, also when it comes to nothing.

use std::sync::{Arc, Mutex, PoisonError};

use shuntyard_domain::probe::Layers;

/// A server may send this much before its identification (RFC 4253, 4.2, sets no limit; OpenSSH's client takes 1024 lines).
const MAX_HEAD_BYTES: usize = 8192;

/// Shared by all that takes part in making one connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Noted(Arc<Mutex<Layers>>);

impl Noted {
    pub(super) fn note(&self, change: impl FnOnce(&mut Layers)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn layers(&self) -> Layers {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Finds the server's identification in the first bytes that it sends.
pub(super) struct BannerTap {
    noted: Noted,
    /// `None` once it was found, or is not to be found any more.
    head: Option<Vec<u8>>,
}

impl BannerTap {
    pub(super) fn new(noted: &Noted) -> Self {
        Self { noted: noted.clone(), head: Some(Vec::new()) }
    }

    pub(super) fn take(&mut self, bytes: &[u8]) {
        let Some(head) = &mut self.head else { return };
        let room = MAX_HEAD_BYTES - head.len();
        head.extend(bytes.iter().take(room));
        let whole = head.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let mut lines = head[..whole].split(|byte| *byte == b'\n');
        if let Some(line) = lines.find(|line| line.starts_with(b"SSH-")) {
            let banner = String::from_utf8_lossy(line).trim_end().to_owned();
            self.noted.note(|layers| layers.banner = Some(banner));
            self.head = None;
        } else if head.len() >= MAX_HEAD_BYTES {
            self.head = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identification_is_found_in_pieces_and_behind_other_lines() {
        let noted = Noted::default();
        let mut tap = BannerTap::new(&noted);
        for piece in [&b"welcome\r\nSS"[..], b"H-2.0-Open", b"SSH_9.2\r\n\x00\x01SSH-2.0-other\n"] {
            assert_eq!(noted.layers().banner, None);
            tap.take(piece);
        }
        tap.take(b"SSH-2.0-later\n");
        assert_eq!(noted.layers().banner.as_deref(), Some("SSH-2.0-OpenSSH_9.2"));
        let endless = Noted::default();
        let mut tap = BannerTap::new(&endless);
        (0..100).for_each(|_| tap.take(&[b'x'; 1000]));
        tap.take(b"\nSSH-2.0-x\n");
        assert_eq!(endless.layers().banner, None);
    }
}
