//! What the verb `get` is told and answers (docs/PROTOCOL.md, What a job leaves).
//!
//! Every answer is bytes on standard output and a mark behind them. The nonce is fresh, so that no file that was written
//! before can hold the mark.

use crate::wire::frame::Nonce;

/// Bytes of a block, the unit in which pieces of files are asked for.
pub const BLOCK_BYTES: u64 = 64 << 10;

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerEnd {
    /// All that there is.
    File { executable: bool },
    /// There is no regular file, or a symbolic link is on the way to it.
    NoFile,
    /// It could not be read, or not to its end.
    Unreadable,
}

/// The head of the request: the paths below which files are looked for.
#[must_use]
pub fn collect_head(roots: &[String]) -> String {
    roots.iter().fold(format!("1 {}\n", roots.len()), |head, root| head + root + "\n")
}

/// Asks for `count` blocks of the file at `path`, from block `skip` on. The path holds no newline.
#[must_use]
pub fn piece_request(path: &str, skip: u64, count: u64) -> String {
    format!("{skip} {count} {path}\n")
}

/// Finds the end of an answer in what was received; looks from `from` on, up to which no mark begins.
///
/// Returns the answer's length, how it ended, and where the next one begins. `None`: more has to come.
#[must_use]
pub fn answer_end(nonce: &Nonce, received: &[u8], from: usize) -> Option<(usize, AnswerEnd, usize)> {
    let mark = format!("@@{nonce} ");
    let mark = mark.as_bytes();
    let mut at = from;
    loop {
        at += received.get(at..)?.iter().position(|byte| *byte == b'@')?;
        let behind = received.get(at..)?;
        if behind.len() > mark.len() && behind.starts_with(mark) {
            let word = behind.get(mark.len()..).unwrap_or_default();
            for (text, end) in [
                (&b"f\n"[..], AnswerEnd::File { executable: false }),
                (b"x\n", AnswerEnd::File { executable: true }),
                (b"none\n", AnswerEnd::NoFile),
                (b"err\n", AnswerEnd::Unreadable),
            ] {
                if word.starts_with(text) {
                    return Some((at, end, at + mark.len() + text.len()));
                }
            }
        }
        at += 1;
    }
}

/// Up to where no mark can begin any more; what `answer_end` is told next time.
#[must_use]
pub fn looked_at(nonce: &Nonce, received: &[u8]) -> usize {
    received.len().saturating_sub(nonce.as_str().len() + "@@ none\n".len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_found_however_their_bytes_are_cut() {
        let nonce = Nonce::from_random([0xab; 16]);
        let stream = format!("a@@{nonce}\nb@@@{nonce} x\n@@{nonce} none\ncut@@{nonce} err\n").into_bytes();
        for step in [1, 2, 3, 7, 1000] {
            let (mut received, mut answers, mut looked) = (Vec::new(), Vec::new(), 0);
            for bytes in stream.chunks(step) {
                received.extend_from_slice(bytes);
                while let Some((length, end, next)) = answer_end(&nonce, &received, looked) {
                    answers.push((String::from_utf8_lossy(&received[..length]).into_owned(), end));
                    received.drain(..next);
                    looked = 0;
                }
                looked = looked_at(&nonce, &received);
            }
            let expected = [
                (format!("a@@{nonce}\nb@"), AnswerEnd::File { executable: true }),
                (String::new(), AnswerEnd::NoFile),
                ("cut".to_owned(), AnswerEnd::Unreadable),
            ];
            assert_eq!(answers, expected, "steps of {step}");
        }
    }

    #[test]
    fn requests_are_lines() {
        assert_eq!(collect_head(&["a b".into(), "c".into()]), "1 2\na b\nc\n");
        assert_eq!(piece_request("a b", 1, 16), "1 16 a b\n");
    }
}
