//! What is a workspace, and what is refused.

use super::super::Delta;
use super::*;

const ROOMY: Limits = Limits { max_entries: 100, max_bytes: 1000 };

fn digest(n: u8) -> Digest {
    Digest::of_sha256([n; 32])
}

fn file(n: u8, size: u64) -> Entry {
    Entry::File { digest: digest(n), size, executable: false }
}

fn link(target: &str) -> Entry {
    Entry::Link { target: target.into() }
}

fn listed(entries: &[(&str, Entry)]) -> Result<Manifest, BadManifest> {
    Manifest::new(entries.iter().map(|(path, entry)| ((*path).to_owned(), entry.clone())))
}

fn parse(lines: &str) -> Result<Manifest, BadManifest> {
    Manifest::parse(&format!("{HEADER}\n{lines}"), ROOMY)
}

#[test]
fn a_manifest_reads_back_as_it_was_written() {
    let run = Entry::File { digest: digest(2), size: 0, executable: true };
    let tree = listed(&[
        ("src/deep/a b.rs", file(1, 7)),
        ("run", run),
        ("src.old", file(1, 7)),
        ("src/up", link("../run")),
        ("empty", Entry::Directory),
    ])
    .unwrap();
    assert_eq!(Manifest::parse(&tree.text(), ROOMY), Ok(tree.clone()));
    let paths: Vec<&str> = tree.entries().map(|(path, _)| path).collect();
    assert_eq!(paths, ["empty", "run", "src", "src.old", "src/deep", "src/deep/a b.rs", "src/up"]);
    assert_eq!((tree.len(), tree.bytes()), (7, 14));
    assert_eq!(parse(""), Ok(Manifest::default()));
}

#[test]
fn paths_that_lead_elsewhere_are_refused() {
    for path in ["/etc/passwd", "..", "../x", "a/../../x", "a/./b", "a//b", "", "a/", ".", "a\u{1b}[2J", "a\rb"] {
        let refused = parse(&format!("d\t{path}\n"));
        assert!(matches!(refused, Err(BadManifest::Path { .. })), "{path:?}: {refused:?}");
        assert!(listed(&[(path, file(1, 1))]).is_err(), "{path:?}");
    }
    let long = "n".repeat(256);
    assert!(matches!(parse(&format!("d\t{long}\n")), Err(BadManifest::Path { .. })));
}

#[test]
fn only_directories_files_and_links_can_be_written_down() {
    let hex = digest(1);
    for line in [
        "b\tdev/sda".to_owned(),
        "c\tnull".into(),
        "p\tfifo".into(),
        "h\ta\tb".into(),
        format!("f\t{hex}\t-1\ta"),
        format!("f\t{hex}\t+1\ta"),
        format!("f\t{hex}\t01\ta"),
        format!("f\t{hex}\t99999999999999999999\ta"),
        "f\tabc\t1\ta".into(),
        format!("s\t{hex}\t1\ta"),
        "d".into(),
        "d\ta\tb".into(),
    ] {
        let refused = parse(&format!("{line}\n"));
        assert!(matches!(refused, Err(BadManifest::Line { line: 2, .. })), "{line:?}: {refused:?}");
    }
    assert!(matches!(parse("d\ta"), Err(BadManifest::Line { .. })), "a cut line");
    assert!(matches!(Manifest::parse("", ROOMY), Err(BadManifest::Line { line: 1, .. })));
}

#[test]
fn each_path_stands_once_in_order_below_directories() {
    for (lines, path) in [("d\tb\nd\ta\n", "a"), ("d\ta\nd\ta\n", "a")] {
        assert_eq!(parse(lines), Err(BadManifest::Order { path: path.into() }));
    }
    let hex = digest(1);
    for above in ["", "l\ta\tb\n", &format!("f\t{hex}\t1\ta\n")] {
        let refused = parse(&format!("{above}f\t{hex}\t1\ta/x\n"));
        assert!(matches!(refused, Err(BadManifest::Parent { .. })), "{above:?}: {refused:?}");
    }
}

#[test]
fn links_stay_in_the_tree_however_they_are_followed() {
    let tree = |path: &str, target: &str| {
        listed(&[
            ("a/b/c/top", link("../../..")),
            ("a/b/file", file(1, 1)),
            ("loop", link("loop")),
            ("deep", link("a/b/c")),
            (path, link(target)),
        ])
    };
    // The loop of its own leaves every tree: it leads nowhere.
    assert!(matches!(tree("x", "a"), Err(BadManifest::Link { path, .. }) if path == "loop"));
    let tree = |path: &str, target: &str| {
        listed(&[
            ("a/b/c/top", link("../../..")),
            ("a/b/file", file(1, 1)),
            ("deep", link("a/b/c")),
            (path, link(target)),
        ])
    };
    for (path, target) in [
        ("x", "a/b/file"),
        ("a/b/x", "../../a/b/file"),
        ("x", "not/there"),
        ("x", "."),
        ("x", "deep/../../b/file"),
        ("x", "a/b/c/top/a"),
    ] {
        assert!(tree(path, target).is_ok(), "{path} -> {target}");
    }
    for (path, target) in [
        ("x", "/etc/passwd"),
        ("x", ".."),
        ("x", "../x"),
        ("a/x", "../../etc"),
        ("x", "a/../.."),
        ("x", "a/b/c/top/.."),
        ("x", "deep/top/../etc"),
        ("x", "x"),
        ("x", ""),
        ("x", "a\nb"),
    ] {
        assert!(matches!(tree(path, target), Err(BadManifest::Link { .. })), "{path} -> {target}");
    }
}

#[test]
fn what_is_too_large_says_how_much_is_allowed() {
    let hex = digest(1);
    let refused = parse(&format!("f\t{hex}\t600\ta\nf\t{hex}\t401\tb\n")).unwrap_err();
    assert_eq!(refused, BadManifest::Bytes { found: 1001, allowed: 1000 });
    assert!(refused.is_too_large() && refused.allowed().contains("1000"));
    let many: String = (0..101).map(|n| format!("d\t{n:03}\n")).collect();
    assert_eq!(parse(&many), Err(BadManifest::Entries { allowed: 100 }));
    let huge = format!("f\t{hex}\t{}\ta\nf\t{hex}\t{}\tb\n", u64::MAX, u64::MAX);
    assert!(parse(&huge).unwrap_err().is_too_large(), "sizes that overflow");
}

#[test]
fn a_delta_turns_the_old_tree_into_the_new_one() {
    let old = listed(&[
        ("same", file(1, 10)),
        ("dir/x", file(2, 20)),
        ("dir/y", file(3, 30)),
        ("kind", file(4, 40)),
        ("mode", file(5, 50)),
    ])
    .unwrap();
    let new = listed(&[
        ("same", file(1, 10)),
        ("dir", file(6, 60)),
        ("kind/inside", file(4, 40)),
        ("mode", Entry::File { digest: digest(5), size: 50, executable: true }),
    ])
    .unwrap();
    let delta = Delta::between(&old, &new);
    assert_eq!(delta.remove, ["dir", "kind", "mode"]);
    assert_eq!(delta.add, ["dir", "kind", "kind/inside", "mode"]);
    assert_eq!(delta.add_bytes, 150);
    assert_eq!(Delta::between(&new, &new), Delta::default());
}
