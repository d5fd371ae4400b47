//! Masking against a reference that looks at the whole text for every form; and what no cut may change.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Which bytes some form covers, found by trying every place.
fn covered(values: &[String], text: &[u8]) -> Vec<bool> {
    let mut forms = Forms::default();
    values.iter().for_each(|value| forms.add(value));
    let mut covered = vec![false; text.len()];
    for from in 0..text.len() {
        for form in &forms.exact {
            if text[from..].starts_with(form) {
                covered[from..from + form.len()].fill(true);
            }
        }
        for form in &forms.wrapped {
            if let Some(range) = wrapped_at(form, text, from) {
                covered[range].fill(true);
            }
        }
    }
    covered
}

/// What a form covers that begins at `from`, with breaks of up to 32 bytes in it.
fn wrapped_at(form: &[u8], text: &[u8], from: usize) -> Option<Range<usize>> {
    let (mut at, mut start, mut broken) = (from, from, false);
    for (index, byte) in form.iter().enumerate() {
        let gap = text[at..].iter().take_while(|byte| b" \t\r\n".contains(byte)).count();
        if index > 0 && gap > 0 {
            if !broken && index < 8 {
                start = at + gap;
            }
            broken = true;
            at += gap;
        }
        if gap > 32 || (index == 0 && gap > 0) || text.get(at) != Some(byte) {
            return None;
        }
        at += 1;
    }
    Some(start..at)
}

fn reference(values: &[String], text: &[u8]) -> Vec<u8> {
    let covered = covered(values, text);
    text.iter().zip(covered).map(|(byte, covered)| if covered { b'*' } else { *byte }).collect()
}

fn patterns(values: &[String]) -> Arc<Patterns> {
    Arc::new(Patterns::of(values.iter().map(String::as_str)))
}

/// Values that overlap with themselves and each other, and ordinary ones.
fn value() -> impl Strategy<Value = String> {
    prop_oneof!["[ab]{4,9}", "[a-z0-9/+'\" äß€%\\\\]{4,24}", "[a-z]{3,12}\n[A-Z']{6,14}\n[0-9]{1,20}"]
}

/// A form of a value, whole or a part of it, or noise.
fn piece(value: String) -> impl Strategy<Value = Vec<u8>> {
    let forms: Vec<Vec<u8>> = [
        value.clone().into_bytes(),
        STANDARD.encode(&value).into_bytes(),
        URL_SAFE.encode(format!("x{value}yy")).into_bytes(),
        STANDARD.encode(format!("xy{value}z")).into_bytes(),
        utf8_percent(&value).into_bytes(),
        serde_json::to_vec(&value).unwrap_or_default(),
        value.bytes().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect(),
    ]
    .into();
    let form = proptest::sample::select(forms);
    prop_oneof![
        4 => form.clone(),
        2 => (form.clone(), any::<prop::sample::Index>()).prop_map(|(form, at)| form[..at.index(form.len())].to_vec()),
        2 => (form, 1..30_usize, 0..34_usize).prop_map(|(form, width, gap)| broken(&form, width, gap)),
        2 => "[ab \n]{0,12}".prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..12),
    ]
}

fn utf8_percent(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn broken(form: &[u8], width: usize, gap: usize) -> Vec<u8> {
    form.chunks(width).collect::<Vec<_>>().join([b"\n".as_slice(), &vec![b' '; gap]].concat().as_slice())
}

fn values_and_text() -> impl Strategy<Value = (Vec<String>, Vec<u8>)> {
    vec(value(), 1..4).prop_flat_map(|values| {
        let pieces = vec(proptest::sample::select(values.clone()).prop_flat_map(piece), 0..8);
        (Just(values), pieces.prop_map(|pieces| pieces.concat()))
    })
}

/// The text in pieces that end at the cuts.
fn cut<'t>(text: &'t [u8], cuts: &[prop::sample::Index]) -> Vec<&'t [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).chain([text.len()]).collect();
    at.sort_unstable();
    let mut from = 0;
    at.into_iter().map(|to| &text[std::mem::replace(&mut from, to)..to]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn however_it_is_cut_the_same_bytes_are_masked_and_all_others_are_as_they_were(
        (values, text) in values_and_text(),
        cuts in vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let patterns = patterns(&values);
        let whole = patterns.mask(&text);
        let mut masker = Masker::new(Arc::clone(&patterns));
        let (mut masked, mut came) = (Vec::new(), 0);
        for piece in cut(&text, &cuts) {
            masked.extend(masker.feed(piece));
            came += piece.len();
            prop_assert_eq!(masked.len() as u64 + masker.held_bytes(), came as u64);
            // What is given out is final.
            prop_assert_eq!(&masked, &reference(&values, &text)[..masked.len()]);
        }
        masked.extend(masker.finish());
        prop_assert_eq!(&masked, &whole);
        let expected = reference(&values, &text);
        // At the very end more may be masked: what only begins as a secret.
        let same = whole.iter().zip(&expected).take_while(|(a, b)| a == b).count();
        prop_assert!(whole[same..].iter().all(|byte| *byte == b'*'), "{:?}", String::from_utf8_lossy(&whole));
    }

    #[test]
    fn a_masker_that_begins_anew_before_what_is_stored_goes_on_as_the_first(
        (values, text) in values_and_text(),
        at in any::<prop::sample::Index>(),
        further in 0..100_usize,
    ) {
        let patterns = patterns(&values);
        let stored = Masker::new(Arc::clone(&patterns)).feed(&text[..at.index(text.len() + 1)]);
        let lookback = usize::try_from(patterns.lookback_bytes()).unwrap() + further;
        let from = stored.len().saturating_sub(lookback);
        let again = patterns.mask(&text[from..]);
        let resumed = [&stored, &again[stored.len() - from..]].concat();
        prop_assert_eq!(resumed, patterns.mask(&text));
    }

    #[test]
    fn no_value_survives((values, text) in values_and_text()) {
        let masked = patterns(&values).mask(&text);
        for value in values.iter().map(|value| value.trim().as_bytes()).filter(|value| value.len() >= 4) {
            prop_assert!(!masked.windows(value.len()).any(|window| window == value));
        }
    }
}

fn masked(values: &[&str], text: &str) -> String {
    Arc::new(Patterns::of(values.iter().copied())).mask_text(text)
}

#[test]
fn every_form_in_which_a_value_is_printed_is_masked() {
    let value = "p\"s/s wörd&'x'";
    let wide = STANDARD.encode(format!("{}{value}", "-".repeat(50)));
    for shown in [
        value.to_owned(),
        "'p\"s/s wörd&'\\''x'\\'''".to_owned(),
        "p\\\"s/s w\\u00f6rd\\u0026'x'".replace("\\u0026", "&"),
        "p\\\"s/s wörd\\u0026'x'".to_owned(),
        "p%22s%2Fs%20w%C3%B6rd%26%27x%27".to_owned(),
        "p%22s/s%20w%c3%b6rd%26%27x%27".to_owned(),
        "p%22s%2Fs+w%C3%B6rd%26%27x%27".to_owned(),
        STANDARD.encode(value),
        URL_SAFE.encode(format!("1{value}1")),
        STANDARD.encode(format!("12{value}12")),
        format!("{}\n{}", &wide[..76], &wide[76..]),
        value.bytes().fold(String::new(), |hex, byte| format!("{hex} {byte:02x}")),
        value.bytes().map(|byte| format!("{byte:02X}")).collect(),
    ] {
        let hidden = masked(&[value], &format!("({shown})"));
        assert!(hidden.contains("********"), "{shown}: {hidden}");
        assert_eq!(hidden.len(), shown.len() + 2, "{shown}");
        assert!(hidden.starts_with('(') && hidden.ends_with(')'), "{hidden}");
    }
}

#[test]
fn what_is_short_is_shown_and_what_is_unfinished_is_not() {
    assert_eq!(masked(&["abc"], "abc"), "abc");
    assert_eq!(masked(&["abcd"], "abcd abc"), "**** abc");
    assert_eq!(masked(&["one\nseven77\neight888\n"], "one seven77 eight888"), "one seven77 ********");
    assert_eq!(masked(&["correct horse battery"], "correct hors"), "************");
    assert_eq!(masked(&["correct horse battery"], "correct"), "correct");
}

#[test]
fn a_line_that_ends_as_a_form_begins_is_given_out_at_once() {
    let mut masker = Masker::new(Arc::new(Patterns::of(["hunter2hunter2"])));
    // `a` and `aHV` begin its base64.
    assert_eq!(masker.feed(b"a\naHV\n"), b"a\naHV\n");
    assert_eq!(masker.feed(b"hunt"), b"");
    assert_eq!(masker.held_bytes(), 4);
    assert_eq!(masker.feed(b"ing\n"), b"hunting\n");
}

#[test]
fn output_whose_secrets_are_not_known_is_masked_whole() {
    assert_eq!(Arc::new(Patterns::everything()).mask(b"a\nb"), b"***");
}
