//! Trees of files on a host: received whole or as a difference, checked, copied for a job, evicted.

use std::fs;
use std::path::PathBuf;

use shuntyard_domain::digest::Digest;
use shuntyard_domain::ids::AttemptId;
use shuntyard_domain::job::JobSpec;
use shuntyard_domain::wire::control::{Control, ErrCode};
use shuntyard_domain::wire::frame::Verb;
use shuntyard_domain::wire::workspace::{Compression, Sums, parcel_head};
use shuntyard_domain::workspace::Delta;

use super::driver::{Channel, Host, id, nonce, spec, under_every_shell, wait_until};
use crate::support::trees::{Blobs, ROOMY, Tree};

const SHAPES: [(Compression, Sums); 3] =
    [(Compression::None, Sums::Cksum), (Compression::Gzip, Sums::Sha256), (Compression::Zstd, Sums::Sha256)];

fn first() -> Tree {
    Tree::new(&[
        ("src/a", "one\n"),
        ("src/b c", "two\n"),
        ("run*", "cat src/a\n"),
        ("link", "-> src/a"),
        ("old/x", "x"),
    ])
}

fn second() -> Tree {
    Tree::new(&[
        ("src/a", "ONE\n"),
        ("src/b c", "two\n"),
        ("run*", "cat src/a\n"),
        ("link", "-> src/b c"),
        ("new", "n"),
    ])
}

fn ask(host: &Host, id: AttemptId, digest: Digest) -> Channel {
    let nonce = nonce();
    host.open(&Verb::Workspace { id, nonce: &nonce, digest }, &nonce)
}

/// Sends the parcel when the host asks for it, and returns all that it has said.
fn deliver(host: &Host, id: AttemptId, tree: &Tree, parcel: &[u8]) -> Vec<Control> {
    let mut channel = ask(host, id, tree.digest());
    channel.wait("its first word", |c| !c.controls().is_empty());
    channel.send(parcel);
    channel.close();
    channel.wait_closed();
    channel.controls()
}

fn whole(blobs: &Blobs, tree: &Tree, shape: (Compression, Sums), free_kib: u64) -> Vec<u8> {
    let head = parcel_head(shape, None, &[], &tree.manifest, free_kib);
    [head.into_bytes(), blobs.parcel(tree, None, shape.0, shape.1)].concat()
}

fn difference(blobs: &Blobs, old: &Tree, new: &Tree, shape: (Compression, Sums)) -> Vec<u8> {
    let delta = Delta::between(&old.manifest, &new.manifest);
    let head = parcel_head(shape, Some(old.digest()), &delta.remove, &new.manifest, 1);
    [head.into_bytes(), blobs.parcel(new, Some(&delta.add), shape.0, shape.1)].concat()
}

fn in_tree(script: &str, tree: &Tree) -> JobSpec {
    JobSpec { workspace: Some(tree.digest()), ..spec(script) }
}

fn cached(host: &Host, tree: &Tree) -> PathBuf {
    host.base().join("ws").join(tree.digest().to_string()).join("tree")
}

/// Names in `ws`, `f` and `p`.
fn kept(host: &Host) -> Vec<String> {
    let names = |dir: &str| fs::read_dir(host.base().join(dir)).into_iter().flatten();
    let mut kept: Vec<String> =
        ["ws", "f", "p"].into_iter().flat_map(names).map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    kept.sort_unstable();
    kept
}

fn refusal(said: &[Control]) -> Option<ErrCode> {
    said.iter().find_map(|control| match control {
        Control::Err { code, .. } => Some(*code),
        _ => None,
    })
}

#[test]
fn a_tree_is_received_once_and_every_job_has_a_copy_of_its_own() {
    let (blobs, tree) = (Blobs::new(ROOMY), first());
    under_every_shell(|host| {
        for (n, shape) in SHAPES.into_iter().enumerate() {
            let _ = fs::remove_dir_all(host.base().join("ws"));
            let base = 10 * n as u128;
            let said = deliver(host, id(base), &tree, &whole(&blobs, &tree, shape, 1));
            let expected = [Control::Have, Control::Filled];
            assert!(matches!(&said[0], Control::Want { trees, .. } if trees.is_empty()), "{said:?}");
            assert_eq!(said[1..], expected, "{}: {shape:?}", host.shell.argv[0]);
            let (end, output) =
                host.run_with(id(base), &in_tree("./run; cat link; echo more >>src/a; rm -r old", &tree), &[]).finish();
            assert_eq!((end.exit_code, output.as_str()), (0, "one\none\n"));
            // The second job starts from what was sent, not from what the first has left.
            assert_eq!(deliver(host, id(base + 1), &tree, b""), expected);
            let (end, output) = host.run_with(id(base + 1), &in_tree("./run; ls old", &tree), &[]).finish();
            assert_eq!((end.exit_code, output.as_str()), (0, "one\nx\n"));
            assert_eq!(kept(host), [tree.digest().to_string()], "nothing else stays");
        }
    });
}

#[test]
fn a_difference_makes_the_new_tree_and_leaves_the_old_one() {
    let (blobs, old, new) = (Blobs::new(ROOMY), first(), second());
    under_every_shell(|host| {
        for shape in SHAPES {
            let _ = fs::remove_dir_all(host.base().join("ws"));
            deliver(host, id(1), &old, &whole(&blobs, &old, shape, 1));
            let said = deliver(host, id(2), &new, &difference(&blobs, &old, &new, shape));
            assert!(matches!(&said[0], Control::Want { trees, .. } if *trees == [old.digest()]), "{said:?}");
            assert_eq!(said[1..], [Control::Have, Control::Filled], "{}: {shape:?}", host.shell.argv[0]);
            let text = |tree: &Tree, name: &str| fs::read_to_string(cached(host, tree).join(name)).unwrap_or_default();
            assert_eq!(
                (text(&old, "src/a"), text(&old, "link"), text(&old, "old/x")),
                ("one\n".into(), "one\n".into(), "x".into())
            );
            assert_eq!(
                (text(&new, "src/a"), text(&new, "link"), text(&new, "new")),
                ("ONE\n".into(), "two\n".into(), "n".into())
            );
            assert!(!cached(host, &new).join("old").exists());
        }
    });
}

#[test]
fn what_arrives_cut_off_or_other_than_it_was_sent_is_refused_and_leaves_nothing() {
    let (blobs, old, new) = (Blobs::new(ROOMY), first(), second());
    under_every_shell(|host| {
        for shape in SHAPES {
            let parcel = whole(&blobs, &old, shape, 1);
            let head = parcel.iter().position(|b| *b == b'\n').unwrap();
            for cut in [0, head / 2, head + 1, head + 200, parcel.len() / 2] {
                let said = deliver(host, id(1), &old, &parcel[..cut.min(parcel.len() * 2 / 3)]);
                let refused = refusal(&said);
                assert!(
                    matches!(refused, Some(ErrCode::Frame | ErrCode::Id | ErrCode::Magic | ErrCode::Workspace)),
                    "{cut}: {said:?}"
                );
                assert!(kept(host).is_empty(), "{cut}: {:?}", kept(host));
            }
            // A job with the rights of the account has changed the cache.
            for (damage, at) in [("two!", "src/b c"), ("more", "stranger")] {
                deliver(host, id(2), &old, &whole(&blobs, &old, shape, 1));
                fs::write(cached(host, &old).join(at), damage).unwrap();
                let said = deliver(host, id(3), &new, &difference(&blobs, &old, &new, shape));
                assert_eq!(refusal(&said), Some(ErrCode::Workspace), "{at}: {said:?}");
                let _ = fs::remove_dir_all(host.base().join("f"));
                assert!(kept(host).is_empty(), "the damaged tree is gone, too: {:?}", kept(host));
            }
        }
    });
}

#[test]
fn of_two_deliveries_of_one_tree_the_second_leaves_nothing_beside_it() {
    let (blobs, tree) = (Blobs::new(ROOMY), first());
    under_every_shell(|host| {
        let parcel = whole(&blobs, &tree, SHAPES[0], 1);
        let mut late = ask(host, id(1), tree.digest());
        late.wait_control("want", |c| matches!(c, Control::Want { .. }));
        assert_eq!(deliver(host, id(2), &tree, &parcel).last(), Some(&Control::Filled));
        late.send(&parcel);
        late.close();
        late.wait_closed();
        assert_eq!(late.controls().last(), Some(&Control::Filled));
        let digest = tree.digest().to_string();
        assert_eq!(kept(host), [id(1).to_string(), id(2).to_string(), digest]);
    });
}

#[test]
fn a_job_whose_tree_is_not_laid_ready_never_starts() {
    let tree = first();
    under_every_shell(|host| {
        let mut channel = host.run_with(id(1), &in_tree("echo never", &tree), &[]);
        channel.wait_closed();
        assert_eq!(refusal(&channel.controls()), Some(ErrCode::Workspace));
        assert!(!host.base().join("c").join(id(1).to_string()).exists(), "no claim is left");
        assert_eq!(host.ask(|nonce| Verb::Fence { id: id(1), nonce }), [Control::Fenced]);
    });
}

#[test]
fn trees_make_room_but_not_those_that_an_attempt_is_being_given() {
    let (blobs, one, two) = (Blobs::new(ROOMY), first(), second());
    let shape = SHAPES[0];
    under_every_shell(|host| {
        deliver(host, id(1), &one, &whole(&blobs, &one, shape, 1));
        let pin = host.base().join("p").join(format!("{}.{}", one.digest(), id(9)));
        fs::write(&pin, "").unwrap();
        // As much as no disk has.
        let said = deliver(host, id(2), &two, &whole(&blobs, &two, shape, 1 << 50));
        assert_eq!(refusal(&said), Some(ErrCode::NoSpace), "{said:?}");
        assert!(cached(host, &one).exists(), "another attempt is being given it");
        fs::remove_file(&pin).unwrap();
        deliver(host, id(2), &two, &whole(&blobs, &two, shape, 1 << 50));
        assert!(!cached(host, &one).exists() && !cached(host, &two).exists(), "{:?}", kept(host));
    });
}

#[test]
fn a_delivery_that_is_given_up_leaves_nothing() {
    let (blobs, tree) = (Blobs::new(ROOMY), first());
    under_every_shell(|host| {
        let parcel = whole(&blobs, &tree, SHAPES[0], 1);
        let mut channel = ask(host, id(1), tree.digest());
        channel.wait_control("want", |c| matches!(c, Control::Want { .. }));
        channel.send(&parcel[..parcel.len() / 2]);
        wait_until("it has begun", || kept(host).iter().any(|name| name.contains('.')), || format!("{:?}", kept(host)));
        drop(channel);
        let gone = || kept(host).is_empty();
        // The driver kills the shell itself, as nothing on a real host does: the next delivery of the tree is whole.
        if !gone() {
            let said = deliver(host, id(2), &tree, &parcel);
            assert_eq!(said.last(), Some(&Control::Filled), "{said:?}");
        }
    });
}
