//! Which files of a work directory are kept, and what a file of outputs says.

use proptest::prelude::*;
use shuntyard_domain::artifacts::{MAX_FILES, MAX_NAMES_BYTES, Pattern, roots, select};
use shuntyard_domain::outputs::{BadOutputs, MAX_OUTPUTS_BYTES, parse};

fn patterns(texts: &[&str]) -> Vec<Pattern> {
    texts.iter().map(|text| Pattern::parse(text).unwrap_or_else(|bad| panic!("{text}: {bad}"))).collect()
}

/// Names as `find -print0` lists them.
fn listed(names: &[&str]) -> Vec<u8> {
    names.iter().flat_map(|name| format!("./{name}\0").into_bytes()).collect()
}

#[test]
fn a_pattern_names_files_or_directories_with_all_that_is_in_them() {
    for (pattern, named, not_named) in [
        ("report.xml", &["report.xml", "report.xml/part"][..], &["a/report.xml", "report.xmlx", "Report.xml"][..]),
        ("target/", &["target/a", "target/b/c"], &["targets/a", "x/target/a"]),
        ("./logs/*.log", &["logs/a.log", "logs/.log"], &["logs/a/b.log", "a.log", "logs/a.log2"]),
        ("logs/**", &["logs/a", "logs/a/b"], &["logs", "a/logs/b"]),
        ("**/*.xml", &["a.xml", "x/a.xml", "x/y/a.xml"], &["a.xmlx", "x/a.txt"]),
        ("a/**/b", &["a/b", "a/x/b", "a/x/y/b", "a/x/b/c"], &["a", "b", "a/x", "x/a/b"]),
        ("**", &["a", "a/b"], &[]),
        ("*", &["a", ".a", "a/b"], &[]),
        ("??.[ch]", &["ab.c", "üb.h"], &["a.c", "ab.d", "abc.c"]),
        ("[!a-c]x", &["dx", "-x"], &["ax", "bx", "x"]),
        ("[]x]", &["]", "x"], &["a"]),
        ("[*]", &["*"], &["a"]),
        ("*a*b*c", &["abc", "xaxbxc", "aabbcc"], &["acb", "abcd"]),
    ] {
        let pattern = Pattern::parse(pattern).unwrap();
        named.iter().for_each(|path| assert!(pattern.matches(path), "{pattern:?} {path}"));
        not_named.iter().for_each(|path| assert!(!pattern.matches(path), "{pattern:?} {path}"));
    }
}

#[test]
fn what_leads_out_of_the_work_directory_or_means_nothing_is_no_pattern() {
    let (long, deep) = ("x".repeat(1025), format!("{}*.xml", "**/".repeat(32)));
    for bad in [
        "", " ", "/etc", "~/x", "..", "a/../b", "a//b", "a/./b", "a**", "**b/c", "[a", "a\\b", "a\nb", "{a,b}", "!a",
        &long, &deep,
    ] {
        let fault = Pattern::parse(bad).expect_err(bad);
        assert!(!fault.why.is_empty() && !fault.allowed.is_empty());
    }
}

#[test]
fn a_host_looks_below_as_few_directories_as_the_patterns_allow() {
    for (texts, expected) in [
        (&["target/report.xml", "logs/**", "logs/a/*.txt"][..], &["logs", "target/report.xml"][..]),
        (&["a/b", "*.log"], &["."]),
        (&["a", "a b", "a/x/y"], &["a", "a b"]),
        (&["a-b/c", "a/d"], &["a-b/c", "a/d"]),
    ] {
        assert_eq!(roots(&patterns(texts)), expected, "{texts:?}");
    }
}

#[test]
fn of_what_a_host_lists_only_matching_clean_names_are_asked_for() {
    let patterns = patterns(&["**/*.xml", "none/*", "d"]);
    let names = ["b.xml", "a/a.xml", "b.xml", "x.txt", "../up.xml", "a\nb.xml", "/etc/x.xml", "a/../b.xml"];
    let mut listing = listed(&names);
    listing.extend(listed(&[&"d/".repeat(1025)]));
    listing.extend(b"./d/\xff\0/etc/passwd.xml\0./cut.xm");
    let selection = select(&patterns, &listing);
    assert_eq!(selection.paths, ["a/a.xml", "b.xml"]);
    let told = selection.faults.join("; ");
    assert!(told.contains("no file matches `none/*`") && told.contains("7 file(s) have names"), "{told}");
}

#[test]
fn more_files_than_are_kept_are_told() {
    let names: Vec<String> = (0..=MAX_FILES).map(|n| format!("f{n:05}")).collect();
    let selection = select(&patterns(&["*"]), &listed(&names.iter().map(String::as_str).collect::<Vec<_>>()));
    assert_eq!((selection.paths.len(), selection.paths.last().unwrap().as_str()), (MAX_FILES, "f00999"));
    assert_eq!(selection.faults, ["1001 files match; the first 1000 are kept"]);
    let endless = select(&patterns(&["x"]), &vec![b'y'; MAX_NAMES_BYTES]);
    assert_eq!(endless.faults.len(), 2, "{endless:?}");
}

#[test]
fn outputs_are_lines_of_key_and_value() {
    let outputs = parse("version=1.2\n\nurl=https://x/?a=b\n_k.e-y=\nversion=ü 2".as_bytes()).unwrap();
    let pairs: Vec<(&str, &str)> = outputs.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(pairs, [("_k.e-y", ""), ("url", "https://x/?a=b"), ("version", "ü 2")]);
    let (long_key, long_value) = (format!("{}=1", "k".repeat(101)), format!("k={}", "v".repeat(4097)));
    let many: String = (0..101).map(|n| format!("k{n}=\n")).collect();
    for (text, told) in [
        ("a=1\nnothing", "line 2 is `nothing`"),
        ("1a=1", "line 1 has the key `1a`"),
        ("=1", "the key ``"),
        ("a b=1", "the key `a b`"),
        (&long_key, "up to 100 letters"),
        (&long_value, "a value of 4097 bytes"),
        ("a=b\r\n", "control character"),
        ("a=\0", "control character"),
        (&many, "more than 100 keys"),
    ] {
        let fault = parse(text.as_bytes()).expect_err(text).to_string();
        assert!(fault.contains(told), "{fault}");
    }
    assert_eq!(parse(b"a=\xff"), Err(BadOutputs::NotText { line: 1 }));
    assert_eq!(parse(&vec![b'\n'; MAX_OUTPUTS_BYTES + 1]), Err(BadOutputs::TooLarge));
}

/// Tries every way; the oracle of `Pattern::matches` for patterns without sets.
fn slow(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        // What is left of the path lies in the directory that was named.
        (None, _) => true,
        (Some((&"**", rest)), Some((_, below))) => {
            (!rest.is_empty() && slow(rest, path)) || slow(pattern, below) || (rest.is_empty())
        }
        (Some((name, rest)), Some((first, below))) => slow_name(name, first) && slow(rest, below),
        (Some(_), None) => false,
    }
}

fn slow_name(pattern: &str, name: &str) -> bool {
    match (pattern.chars().next(), name.chars().next()) {
        (None, None) => true,
        (Some('*'), first) => {
            slow_name(&pattern[1..], name) || first.is_some_and(|c| slow_name(pattern, &name[c.len_utf8()..]))
        }
        (Some('?'), Some(c)) => slow_name(&pattern[1..], &name[c.len_utf8()..]),
        (Some(p), Some(c)) if p == c => slow_name(&pattern[1..], &name[c.len_utf8()..]),
        _ => false,
    }
}

proptest! {
    #[test]
    fn matching_agrees_with_trying_every_way(
        pattern in prop::collection::vec(prop_oneof![3 => "[ab*?]{1,5}", 1 => Just("**".to_owned())], 1..5),
        path in prop::collection::vec("[abé]{1,5}", 1..6),
    ) {
        // `**` inside a name is refused.
        let pattern: Vec<String> = pattern.into_iter().map(|n| if n.contains("**") { "**".to_owned() } else { n }).collect();
        let names: Vec<&str> = pattern.iter().map(String::as_str).collect();
        let parts: Vec<&str> = path.iter().map(String::as_str).collect();
        let found = Pattern::parse(&names.join("/")).unwrap().matches(&parts.join("/"));
        prop_assert_eq!(found, slow(&names, &parts));
    }

    #[test]
    fn every_match_lies_below_the_patterns_root(
        pattern in "[ab*?/]{1,12}",
        path in prop::collection::vec("[ab]{1,3}", 1..5),
    ) {
        if let Ok(pattern) = Pattern::parse(&pattern) {
            let (path, root) = (path.join("/"), pattern.root());
            if pattern.matches(&path) {
                let below = path.starts_with(&format!("{root}/"));
                prop_assert!(root.is_empty() || path == root || below);
            }
        }
    }

    #[test]
    fn no_text_makes_pattern_or_outputs_panic(text in "\\PC{0,40}", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Pattern::parse(&text).map(|pattern| pattern.matches(&text));
        let _ = parse(&bytes);
        let _ = select(&patterns(&["**"]), &bytes);
    }

    #[test]
    fn outputs_read_back_as_they_were_written(
        pairs in prop::collection::btree_map("[A-Za-z_][A-Za-z0-9_.-]{0,20}", "[^\\p{Cc}]{0,40}", 0..20),
    ) {
        let text: String = pairs.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
        prop_assert_eq!(parse(text.as_bytes()), Ok(pairs));
    }
}
