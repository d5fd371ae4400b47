//! Names in front of the lines of several jobs that write at the same time.

/// A line longer than this is cut, so that a job without line feeds does not fill the memory.
const LINE_MAX_BYTES: usize = 64 << 10;

/// Puts a prefix in front of each of one job's lines, whatever pieces they come in.
#[derive(Debug)]
pub struct LinePrefix {
    prefix: Vec<u8>,
    partial: Vec<u8>,
}

impl LinePrefix {
    #[must_use]
    pub fn new(prefix: &str) -> Self {
        Self { prefix: prefix.into(), partial: Vec::new() }
    }

    /// Returns the lines that `bytes` completes, each with its prefix; the rest is kept for later.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut lines = Vec::new();
        for part in bytes.split_inclusive(|b| *b == b'\n') {
            self.partial.extend_from_slice(part);
            if part.ends_with(b"\n") {
                self.end_line(&mut lines);
            }
            while self.partial.len() > LINE_MAX_BYTES {
                let rest = self.partial.split_off(LINE_MAX_BYTES);
                self.end_line(&mut lines);
                self.partial = rest;
            }
        }
        lines
    }

    /// Returns what is left of an unfinished line, with a line feed.
    pub fn finish(&mut self) -> Vec<u8> {
        let mut lines = Vec::new();
        if !self.partial.is_empty() {
            self.end_line(&mut lines);
        }
        lines
    }

    fn end_line(&mut self, lines: &mut Vec<u8>) {
        lines.extend_from_slice(&self.prefix);
        lines.append(&mut self.partial);
        if lines.last() != Some(&b'\n') {
            lines.push(b'\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_line_gets_one_prefix_and_an_unfinished_one_waits() {
        let mut prefix = LinePrefix::new("u| ");
        assert_eq!(prefix.feed(b"a\nb"), b"u| a\n");
        assert_eq!(prefix.feed(b""), b"");
        assert_eq!(prefix.feed(b"c\n\n"), b"u| bc\nu| \n");
        assert_eq!(prefix.feed(b"end"), b"");
        assert_eq!(prefix.finish(), b"u| end\n");
        assert_eq!(prefix.finish(), b"");
    }

    #[test]
    fn an_endless_line_is_cut_instead_of_kept() {
        let mut prefix = LinePrefix::new("");
        let out = prefix.feed(&vec![b'x'; LINE_MAX_BYTES * 2 + 5]);
        assert_eq!(out.len(), LINE_MAX_BYTES * 2 + 2);
        assert_eq!(prefix.finish(), b"xxxxx\n");
    }

    proptest! {
        #[test]
        fn pieces_of_any_size_give_the_same_lines(text in "[ab\n]{0,60}", cuts in prop::collection::vec(1..7_usize, 1..30)) {
            let (mut whole, mut pieces) = (LinePrefix::new("> "), LinePrefix::new("> "));
            let mut expected = whole.feed(text.as_bytes());
            expected.extend(whole.finish());
            let (mut seen, mut rest) = (Vec::new(), text.as_bytes());
            for size in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (part, after) = rest.split_at((*size).min(rest.len()));
                seen.extend(pieces.feed(part));
                rest = after;
            }
            seen.extend(pieces.finish());
            prop_assert_eq!(&seen, &expected);
            let lines: Vec<u8> = text.lines().flat_map(|l| format!("> {l}\n").into_bytes()).collect();
            prop_assert_eq!(seen, lines);
        }
    }
}
