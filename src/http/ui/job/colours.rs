//! Makes `colours.css`: the colours of a terminal such that every one can be read on every ground, in both themes.

use std::fmt::Write as _;

type Rgb = [u8; 3];

const SIXTEEN: [Rgb; 16] = [
    [0, 0, 0],
    [205, 49, 49],
    [13, 188, 121],
    [200, 180, 16],
    [36, 114, 200],
    [188, 63, 188],
    [17, 168, 205],
    [229, 229, 229],
    [102, 102, 102],
    [241, 76, 76],
    [35, 209, 139],
    [245, 245, 67],
    [59, 142, 234],
    [214, 112, 214],
    [41, 184, 219],
    [255, 255, 255],
];
const COUNT: u8 = 80;

/// Grounds of text without a colour of its own: `--ground` and `--raised`, light and dark.
const GROUNDS: [[Rgb; 2]; 2] = [[[255, 255, 255], [0xf5, 0xf7, 0xf9]], [[0x0f, 0x14, 0x19], [0x18, 0x1e, 0x26]]];
/// `--text`, light and dark.
const TEXTS: [Rgb; 2] = [[0x1a, 0x1f, 0x25], [0xe6, 0xe9, 0xed]];

fn colour(number: u8) -> Rgb {
    match SIXTEEN.get(usize::from(number)) {
        Some(colour) => *colour,
        None => [number / 16 - 1, number / 4 % 4, number % 4].map(|level| level * 85),
    }
}

/// Relative luminance, WCAG 2.
fn luminance(colour: Rgb) -> f64 {
    let part = |value: u8| {
        let value = f64::from(value) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * part(colour[0]) + 0.7152 * part(colour[1]) + 0.0722 * part(colour[2])
}

fn contrast(one: Rgb, other: Rgb) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// The colour itself, or the nearest one on the way to `end` that `fits`.
fn towards(from: Rgb, end: u8, fits: impl Fn(Rgb) -> bool) -> Rgb {
    let mixed = |step: u16| {
        from.map(|value| {
            let mix = (u16::from(value) * (255 - step) + u16::from(end) * step) / 255;
            u8::try_from(mix).unwrap_or(end)
        })
    };
    (0..=255).map(mixed).find(|mixed| fits(*mixed)).unwrap_or([end; 3])
}

/// Text and ground of a colour on light pages, then on dark ones.
fn shades(number: u8) -> [[Rgb; 2]; 2] {
    let given = colour(number);
    [
        [towards(given, 0, |c| luminance(c) <= 0.115), towards(given, 255, |c| luminance(c) >= 0.70)],
        [towards(given, 255, |c| luminance(c) >= 0.31), towards(given, 0, |c| luminance(c) <= 0.03)],
    ]
}

fn sheet() -> String {
    let hex = |[red, green, blue]: Rgb| format!("#{red:02x}{green:02x}{blue:02x}");
    let mut sheet =
        "/* Colours of job output, made by src/http/ui/job/colours.rs: f is text, b is ground. */\n".to_owned();
    for number in 0..COUNT {
        let [light, dark] = shades(number);
        let pair = |which: usize| format!("light-dark({}, {})", hex(light[which]), hex(dark[which]));
        let _ = writeln!(sheet, ".f{number} {{ color: {}; }}\n.b{number} {{ background: {}; }}", pair(0), pair(1));
    }
    sheet
}

/// `UPDATE_COLOURS=1 cargo test --lib colours` writes it anew.
#[test]
fn the_style_sheet_of_colours_is_the_one_that_is_made_here() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/http/ui/assets/colours.css");
    if std::env::var_os("UPDATE_COLOURS").is_some() {
        std::fs::write(file, sheet()).unwrap();
    }
    assert!(std::fs::read_to_string(file).unwrap_or_default() == sheet(), "UPDATE_COLOURS=1 writes {file} anew");
}

#[test]
fn every_text_can_be_read_on_every_ground_in_both_themes() {
    for theme in 0..2 {
        let all: Vec<[Rgb; 2]> = (0..COUNT).map(|number| shades(number)[theme]).collect();
        let grounds: Vec<Rgb> = all.iter().map(|shade| shade[1]).chain(GROUNDS[theme]).collect();
        for ground in &grounds {
            for text in all.iter().map(|shade| shade[0]).chain([TEXTS[theme]]) {
                assert!(contrast(text, *ground) >= 4.5, "{text:?} on {ground:?}: {}", contrast(text, *ground));
            }
        }
    }
}
