//! How text is shown from one escape sequence to the next: SGR (ECMA-48 §8.3.117, and the colours of xterm).

use shuntyard_domain::wire::api::LogStyle;
use vte::Params;

/// The nearest colour of the cube of 64 that pages know.
const fn cube(red: u16, green: u16, blue: u16) -> u8 {
    const fn level(value: u16) -> u8 {
        let value = if value > 255 { 255 } else { value };
        ((value + 42) / 85) as u8
    }
    16 + 16 * level(red) + 4 * level(green) + level(blue)
}

/// One of xterm's 256 colours.
fn indexed(number: u16) -> Option<u8> {
    const LEVELS: [u16; 6] = [0, 95, 135, 175, 215, 255];
    let level = |n: u16| LEVELS[usize::from(n % 6)];
    match number {
        0..=15 => u8::try_from(number).ok(),
        16..=231 => Some(cube(level((number - 16) / 36), level((number - 16) / 6), level(number - 16))),
        232..=255 => Some(cube(8 + 10 * (number - 232), 8 + 10 * (number - 232), 8 + 10 * (number - 232))),
        _ => None,
    }
}

/// Reads what follows 38 or 48: `5;N`, `2;R;G;B`, and the same with colons.
fn extended(own: &[u16], rest: &mut dyn Iterator<Item = u16>) -> Option<u8> {
    match own {
        [_, 5, number, ..] => indexed(*number),
        [_, 2, _, red, green, blue, ..] | [_, 2, red, green, blue] => Some(cube(*red, *green, *blue)),
        [_] => match rest.next()? {
            5 => indexed(rest.next()?),
            2 => Some(cube(rest.next()?, rest.next()?, rest.next()?)),
            _ => None,
        },
        _ => None,
    }
}

/// Applies the parameters of one SGR sequence. What it does not know has no effect: nothing blinks, nothing is hidden.
pub(super) fn apply(pen: &mut LogStyle, params: &Params) {
    let mut params = params.iter();
    while let Some(own) = params.next() {
        match own.first().copied().unwrap_or(0) {
            0 => *pen = LogStyle::default(),
            1 => pen.bold = true,
            2 => pen.dim = true,
            3 => pen.italic = true,
            4 => pen.underline = own.get(1) != Some(&0),
            7 => pen.inverse = true,
            9 => pen.strike = true,
            21 => pen.underline = true,
            22 => (pen.bold, pen.dim) = (false, false),
            23 => pen.italic = false,
            24 => pen.underline = false,
            27 => pen.inverse = false,
            29 => pen.strike = false,
            colour @ 30..=37 => pen.fg = indexed(colour - 30),
            38 => pen.fg = extended(own, &mut params.by_ref().map(first)).or(pen.fg),
            39 => pen.fg = None,
            colour @ 40..=47 => pen.bg = indexed(colour - 40),
            48 => pen.bg = extended(own, &mut params.by_ref().map(first)).or(pen.bg),
            49 => pen.bg = None,
            // The colour of an underline: its numbers are not to be taken for others.
            58 => drop(extended(own, &mut params.by_ref().map(first))),
            colour @ 90..=97 => pen.fg = indexed(colour - 82),
            colour @ 100..=107 => pen.bg = indexed(colour - 92),
            _ => {}
        }
    }
}

fn first(param: &[u16]) -> u16 {
    param.first().copied().unwrap_or(0)
}

/// The pen as it is shown: colours that are swapped stand swapped.
pub(super) fn shown(pen: LogStyle) -> LogStyle {
    match (pen.fg, pen.bg) {
        (None, None) => pen,
        (fg, bg) if pen.inverse => LogStyle { fg: bg, bg: fg, inverse: false, ..pen },
        _ => pen,
    }
}
