//! The reader against serde_json: the same texts are JSON, and they mean the same.

use proptest::prelude::*;
use serde_json::Value;

use super::fault::{Fault, Faults};
use super::reader;

fn read(text: &str) -> Result<Value, Vec<Fault>> {
    let mut faults = Faults::of(text);
    let node = reader::read(text, &mut faults);
    match (node, faults.into_sorted()) {
        (Some(node), faults) if faults.is_empty() => Ok(node.value.plain()),
        (_, faults) => {
            assert!(!faults.is_empty(), "a text that cannot be read has a fault: {text:?}");
            Err(faults)
        }
    }
}

/// Holds the two readers against each other; repeated keys and depth are faults only for ours.
fn compare(text: &str) {
    let ours_alone = |fault: &Fault| fault.message.contains("repeated") || fault.message.contains("nested");
    match (read(text), serde_json::from_str::<Value>(text)) {
        (Ok(ours), Ok(theirs)) => assert_eq!(ours, theirs, "{text:?}"),
        (Err(_), Err(_)) => {}
        (Err(faults), Ok(_)) => assert!(faults.iter().all(ours_alone), "{text:?}: {faults:?}"),
        (Ok(_), Err(error)) => panic!("{text:?} is no JSON: {error}"),
    }
}

#[test]
fn the_grammars_edges_are_those_of_serde_json() {
    let numbers = "0 -0 00 01 -01 1. .5 1.5 -1.5e10 1e 1e+ 1e+5 1E-5 +1 - 1e400 -1e400 1e-400 0x10 1_0 NaN";
    let escapes = r#""" "a "\"" "\x" "\u00e4" "\u00E4" "\u12" "\u+123" "\u0000" "\" "\/\b\f\n\r\t\\" 'a'"#;
    let surrogates = r#""\ud83d\ude00" "\ud83d" "\ude00" "\ud83d\u0041" "\ud83d\ud83d" "\ud83d\n""#;
    let lists = r#"[] [,] [1,] [1,,2] [1 2] ["a""b"] [{}{}] [1} [ ] ]] null, 18446744073709551616"#;
    let objects = r#"{} {,} {"a"} {"a":} {"a":1,} {"a":1"b":2} {"a":1,"b":2} {a:1} {"a":1] { } }} {1:1} {"a"1}"#;
    let words = "true True nul null nullx false0 // # undefined";
    for text in [numbers, escapes, surrogates, lists, objects, words].into_iter().flat_map(|texts| texts.split(' ')) {
        compare(text);
        compare(&format!("[{text}]"));
        compare(&format!("{{\"k\": {text}\n}}"));
    }
    for text in
        ["", " ", "\u{feff}{}", "\"a\tb\"", "\"a\nb\"", "\"a\u{7f}\"", "[1]x", "{} // no", "\u{a0}1", "[\"a\" \"b\"]"]
    {
        compare(text);
    }
}

#[test]
fn one_reading_shows_every_slip_that_leaves_no_doubt() {
    let text = "{\n \"a\": [1, 2,],\n \"a\": \"\\q\"\n \"b\": 01,\n}";
    let faults = read(text).unwrap_err();
    let at: Vec<_> = faults.iter().map(|f| (f.line, f.column, f.path.as_str(), f.found.as_str())).collect();
    assert_eq!(
        at,
        [
            (2, 12, "a", ","),
            (3, 2, "a", "\"a\""),
            (3, 8, "a", "\\q"),
            (4, 2, "$", "\""),
            (4, 7, "b", "01"),
            (4, 9, "$", ","),
        ]
    );
}

#[test]
fn nesting_is_read_to_32_and_refused_beyond_without_using_up_the_stack() {
    let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    assert!(read(&nested(32)).is_ok());
    for depth in [33, 99, 101, 130_000] {
        let faults = read(&nested(depth)).unwrap_err();
        assert_eq!(faults.len(), 1, "{depth}");
        assert_eq!((faults[0].column, faults[0].message.contains("nested")), (33, true));
    }
    assert!(read(&"{\"a\":".repeat(40_000)).is_err());
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        let list = prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from);
        let object = prop::collection::btree_map(any::<String>(), inner, 0..6);
        prop_oneof![list, object.prop_map(|members| members.into_iter().collect::<Value>())]
    })
}

proptest! {
    #[test]
    fn every_value_is_read_as_it_was_written(value in any_json()) {
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            // Through the text: a float may have another nearest spelling than the value it came from.
            prop_assert_eq!(read(&text).unwrap(), serde_json::from_str::<Value>(&text).unwrap());
        }
    }

    #[test]
    fn damaged_json_is_refused_exactly_when_serde_json_refuses_it(
        value in any_json(), at in any::<prop::sample::Index>(), cut in 0usize..3,
        put in r#"["\[\]{},:\\u0-9eE.+ntf -]{0,3}"#,
    ) {
        let mut text: Vec<char> = value.to_string().chars().collect();
        let at = at.index(text.len());
        text.splice(at..(at + cut).min(text.len()), put.chars());
        compare(&text.into_iter().collect::<String>());
    }

    #[test]
    fn json_like_noise_is_refused_exactly_when_serde_json_refuses_it(
        text in r#"["\[\]{},:\\u0-9eE.+truefalsn \n-]{0,24}"#,
    ) {
        compare(&text);
    }
}
