//! One line of output as a terminal would leave it: runs of text, each of one style.
//!
//! The line's own escape sequences are the only ones that count, apart from the pen that the lines before have left.
//! What moves the cursor out of the line, sets titles, writes to the clipboard or asks the terminal is left out.

use shuntyard_domain::wire::api::{LogRun, LogStyle};
use vte::{Params, Parser, Perform};

use super::pen::{apply, shown};

/// The cells of one line.
#[derive(Default)]
struct Screen {
    cells: Vec<(char, LogStyle)>,
    cursor: usize,
    pen: LogStyle,
}

impl Screen {
    fn put(&mut self, c: char) {
        match self.cells.get_mut(self.cursor) {
            Some(cell) => *cell = (c, self.pen),
            None => self.cells.push((c, self.pen)),
        }
        self.cursor += 1;
    }

    /// Writes a character that would not be seen, or would change how others are seen, as its number.
    fn name(&mut self, c: char) {
        format!("⟨U+{:04X}⟩", u32::from(c)).chars().for_each(|c| self.put(c));
    }
}

/// Characters without a picture of their own: direction (UAX #9), line ends, and such as are not there at all. The
/// joiners that scripts and emoji need are not among them.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{7f}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{206f}'
        | '\u{ad}' | '\u{180e}' | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}')
}

impl Perform for Screen {
    fn print(&mut self, c: char) {
        if is_invisible(c) { self.name(c) } else { self.put(c) }
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\r' => self.cursor = 0,
            8 => self.cursor = self.cursor.saturating_sub(1),
            b'\t' => self.put('\t'),
            // Bell, and the two that switch character sets.
            7 | 14 | 15 => {}
            _ => self.name(char::from(byte)),
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], ignore: bool, action: char) {
        match (action, intermediates, ignore) {
            ('m', [], false) => apply(&mut self.pen, params),
            // Erases in the line: progress bars write shorter text over longer.
            ('K', [], false) => match params.iter().next().and_then(|own| own.first()).copied().unwrap_or(0) {
                0 => self.cells.truncate(self.cursor),
                2 => {
                    self.cells.clear();
                    (0..self.cursor).for_each(|_| self.cells.push((' ', LogStyle::default())));
                }
                _ => {}
            },
            _ => {}
        }
    }
}

/// Renders a line, without its line feed, from the pen that it begins with.
pub(super) fn render(line: &[u8], pen: LogStyle) -> Vec<LogRun> {
    let mut screen = Screen { pen, ..Screen::default() };
    let mut parser: Parser = Parser::new();
    parser.advance(&mut screen, line);
    // What is left of a character that has no end is told as one that cannot be read.
    parser.advance(&mut screen, b"\x1b");
    let mut runs: Vec<LogRun> = Vec::new();
    for (c, pen) in screen.cells {
        let style = shown(pen);
        match runs.last_mut() {
            Some(run) if run.style == style => run.text.push(c),
            _ => runs.push(LogRun { text: c.into(), style }),
        }
    }
    runs
}

/// The line's text without styles.
pub(super) fn plain(line: &[u8]) -> String {
    let ordinary = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~');
    match std::str::from_utf8(line) {
        Ok(text) if line.iter().all(ordinary) => text.to_owned(),
        _ => render(line, LogStyle::default()).into_iter().map(|run| run.text).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs as `text`, or `[fg/bg,flags|text]`.
    fn told(line: &[u8]) -> String {
        let flag = |on: bool, word: &'static str| on.then_some(word);
        let number = |n: Option<u8>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
        let mut told = String::new();
        for LogRun { text, style } in render(line, LogStyle::default()) {
            let flags = [
                flag(style.bold, "b"),
                flag(style.dim, "d"),
                flag(style.italic, "i"),
                flag(style.underline, "u"),
                flag(style.strike, "s"),
                flag(style.inverse, "v"),
            ];
            let flags: String = flags.into_iter().flatten().collect();
            if style.is_plain() {
                told.push_str(&text);
            } else {
                told.push_str(&format!("[{}/{}{flags}|{text}]", number(style.fg), number(style.bg)));
            }
        }
        told
    }

    #[test]
    fn a_line_is_what_a_terminal_would_leave_of_it() {
        for (line, expected) in [
            ("plain", "plain"),
            ("\x1b[31mred\x1b[0m x", "[1/-|red] x"),
            ("\x1b[1;4;92;101mx\x1b[22;24my\x1b[39;49mz", "[10/9bu|x][10/9|y]z"),
            ("\x1b[mx\x1b[;1my", "x[-/-b|y]"),
            ("\x1b[38;5;196ma\x1b[38:5:21mb\x1b[38;5;999mc", "[64/-|a][19/-|bc]"),
            ("\x1b[38;2;255;0;0ma\x1b[38:2::0:255:0mb\x1b[48:2:0:0:255mc", "[64/-|a][28/-|b][28/19|c]"),
            ("\x1b[58;5;1mx\x1b[38;5my", "xy"),
            ("\x1b[7mx\x1b[31my\x1b[44mz\x1b[27m", "[-/-v|x][-/1|y][4/1|z]"),
            ("\x1b[8mhidden\x1b[5mblinks", "hiddenblinks"),
            ("10%\r20%\rdone", "done"),
            ("a long one\rshort", "shortg one"),
            ("a long one\r\x1b[Kshort", "short"),
            ("abc\x1b[2Kd", "   d"),
            ("12%\x08\x083%", "13%"),
            ("crlf\r", "crlf"),
            ("\x1b]0;title\x07a\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "alink"),
            ("\x1b]52;c;c2VjcmV0\x07x\x1b[2J\x1b[10;10Hy\x1b[5Az\x1bc!\x1b[6n\x1b[?25l", "xyz!"),
            ("\x1bPq#0;2;0;0;0\x1b\\after", "after"),
            ("a\x1b]never ends", "a"),
            ("a\0b\x01\x7f\x0b", "a⟨U+0000⟩b⟨U+0001⟩⟨U+007F⟩⟨U+000B⟩"),
            ("ding\x07", "ding"),
            ("\u{202e}evil\u{2066}\u{200f}\u{feff}", "⟨U+202E⟩evil⟨U+2066⟩⟨U+200F⟩⟨U+FEFF⟩"),
            ("a\u{2028}b\u{85}c\u{9b}31m", "a⟨U+2028⟩b⟨U+0085⟩c⟨U+009B⟩31m"),
            ("tab\there", "tab\there"),
            ("<script>alert(1)</script>&amp;", "<script>alert(1)</script>&amp;"),
            ("👩\u{200d}💻 Ünïcödé", "👩\u{200d}💻 Ünïcödé"),
        ] {
            assert_eq!(told(line.as_bytes()), expected, "{line:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_told_as_such() {
        for (line, expected) in [
            (&b"a\xffb"[..], "a�b"),
            (b"cut \xe2\x82", "cut �"),
            (b"\x9b31m", "⟨U+009B⟩31m"),
            (b"\xed\xa0\x80", "��⟨U+0080⟩"),
        ] {
            assert_eq!(told(line), expected, "{line:?}");
        }
    }
}
