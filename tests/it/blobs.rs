//! The store of workspaces: what it takes, what it refuses, what it keeps, what it lets go.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use shuntyard::blobs::{BlobError, BlobLimits, BlobStore, Parcel, Swept};
use shuntyard_domain::digest::Digest;
use shuntyard_domain::wire::workspace::{Compression, Sums, bundle_line};

use crate::support::trees::{Blobs, ROOMY, Tree, bundle, sha256, zstd};

fn tree() -> Tree {
    Tree::new(&[("a/one", "1\n"), ("a/two", "22\n"), ("run*", "1\n"), ("link", "-> a/one")])
}

/// Where a content lies.
fn file(blobs: &Blobs, content: &[u8]) -> PathBuf {
    let name = sha256(content).to_string();
    blobs.dir.path().join("files").join(&name[..2]).join(&name[2..])
}

#[test]
fn an_upload_is_resumed_where_it_was_cut() {
    let (blobs, tree) = (Blobs::new(ROOMY), tree());
    let held = blobs.store.put_manifest(tree.digest(), tree.text().as_bytes()).unwrap();
    assert_eq!(held.missing.len(), 2, "equal contents are asked for once: {held:?}");
    let noise: Vec<u8> = (0..40_000_u32).flat_map(|n| sha256(n.to_le_bytes()).to_string().into_bytes()).collect();
    let big = Tree::new(&[("small", "1\n"), ("big", std::str::from_utf8(&noise).unwrap())]);
    blobs.store.put_manifest(big.digest(), big.text().as_bytes()).unwrap();
    let whole = zstd(&bundle(&[b"1\n", &noise]));
    let cut = blobs.store.receive(big.digest(), &whole[..whole.len() - 100]);
    assert!(matches!(cut, Err(BlobError::CutOff(_))), "{cut:?}");
    let missing = blobs.store.find(big.digest()).unwrap().missing;
    assert_eq!(missing, [(sha256(&noise), noise.len() as u64)], "what had come whole is kept");
    assert!(blobs.store.receive(big.digest(), &zstd(&bundle(&[&noise]))[..]).unwrap().missing.is_empty());
    assert_eq!(fs::read_dir(blobs.dir.path().join("incoming")).unwrap().count(), 0, "nothing is left half-written");
    // The first tree now has one content from the second.
    assert_eq!(blobs.store.find(tree.digest()).unwrap().missing, [(sha256("22\n"), 3)]);
    // Another process finds the same.
    let again = BlobStore::open(blobs.dir.path(), ROOMY).unwrap();
    assert!(again.find(big.digest()).unwrap().missing.is_empty());
    assert_eq!(again.used_bytes(), noise.len() as u64 + 2);
}

#[test]
fn what_is_not_what_was_announced_is_refused() {
    let (blobs, tree) = (Blobs::new(ROOMY), tree());
    let manifest = blobs.store.put_manifest(sha256("other"), tree.text().as_bytes());
    assert!(matches!(manifest, Err(BlobError::OtherManifest { .. })), "{manifest:?}");
    let unknown = blobs.store.receive(tree.digest(), &zstd(b"")[..]);
    assert!(matches!(unknown, Err(BlobError::NoWorkspace(_))), "{unknown:?}");
    blobs.store.put_manifest(tree.digest(), tree.text().as_bytes()).unwrap();
    let said = |digest: Digest, size: u64, bytes: &[u8]| [bundle_line(digest, size).as_bytes(), bytes].concat();
    let (one, two) = (sha256("1\n"), sha256("22\n"));
    type Check = fn(&BlobError) -> bool;
    let cases: [(&str, Vec<u8>, Check); 9] = [
        ("other contents", zstd(&said(one, 2, b"2\n")), |e| matches!(e, BlobError::OtherContent { .. })),
        ("another length", zstd(&said(one, 3, b"1\nx")), |e| matches!(e, BlobError::NotAsked { .. })),
        ("a file of nobody", zstd(&bundle(&[b"foreign"])), |e| matches!(e, BlobError::NotAsked { .. })),
        ("a file twice", zstd(&bundle(&[b"1\n", b"1\n"])), |e| matches!(e, BlobError::NotAsked { .. })),
        ("no head", zstd(&b"x".repeat(1000)), |e| matches!(e, BlobError::BadBundle(_))),
        ("a head cut off", zstd(two.to_string().as_bytes()), |e| matches!(e, BlobError::BadBundle(_))),
        ("a file cut off", zstd(&said(two, 3, b"2")), |e| matches!(e, BlobError::CutOff(_))),
        ("no zstd", b"not a bundle at all, not a bundle at all".to_vec(), |e| matches!(e, BlobError::BadBundle(_))),
        ("an archive", include_bytes!("blobs.rs").to_vec(), |e| matches!(e, BlobError::BadBundle(_))),
    ];
    for (what, bytes, expected) in cases {
        let refused = blobs.store.receive(tree.digest(), &bytes[..]).unwrap_err();
        assert!(expected(&refused), "{what}: {refused:?}");
    }
    assert!(!file(&blobs, b"2\n").exists() && !file(&blobs, b"foreign").exists());
}

#[test]
fn a_bomb_is_refused_before_it_is_unpacked() {
    let blobs = Blobs::new(ROOMY);
    let zeros = vec![0_u8; 200 << 20];
    let text = format!("shuntyard workspace 1\nf\t{}\t{}\tzeros\n", sha256(&zeros), zeros.len());
    blobs.store.put_manifest(sha256(&text), text.as_bytes()).unwrap();
    let refused = blobs.store.receive(sha256(&text), &zstd(&bundle(&[&zeros]))[..]).unwrap_err();
    assert!(matches!(refused, BlobError::Ratio { found, .. } if found < 100 << 20), "{refused:?}");
    // Sizes that are only said are held against the limits, too.
    let small = Blobs::new(BlobLimits { store_bytes: 10, ..ROOMY });
    let tree = Tree::new(&[("big", "0123456789ABC")]);
    small.store.put_manifest(tree.digest(), tree.text().as_bytes()).unwrap();
    let refused = small.store.receive(tree.digest(), &zstd(&bundle(&[b"0123456789ABC"]))[..]).unwrap_err();
    assert!(matches!(refused, BlobError::StoreFull { found: 13, allowed: 10 }), "{refused:?}");
    let full = Blobs::new(BlobLimits { min_free_bytes: u64::MAX, ..ROOMY });
    full.store.put_manifest(tree.digest(), tree.text().as_bytes()).unwrap();
    let refused = full.store.receive(tree.digest(), &zstd(&bundle(&[b"0123456789ABC"]))[..]).unwrap_err();
    assert!(matches!(refused, BlobError::DiskFull { .. }), "{refused:?}");
}

#[test]
fn the_longest_unused_workspaces_go_and_those_in_use_stay() {
    let blobs = Blobs::new(BlobLimits { store_bytes: 25, ..ROOMY });
    let trees: Vec<Tree> = ["a", "b", "c"].map(|name| Tree::new(&[("x", &name.repeat(8)), ("shared", "!")])).into();
    for (age_h, tree) in [3, 2, 1].into_iter().zip(&trees) {
        blobs.put(tree);
        let manifest = blobs.dir.path().join("manifests").join(tree.digest().to_string());
        let then = fs::metadata(&manifest).unwrap().modified().unwrap() - Duration::from_secs(age_h * 3600);
        fs::File::options().append(true).open(manifest).unwrap().set_modified(then).unwrap();
    }
    let oldest = HashSet::from([trees[0].digest()]);
    assert!(!blobs.store.lacks_room(0));
    assert_eq!(blobs.store.sweep(&oldest, &HashSet::new(), 0).unwrap().files, 0);
    // One more than there is room for; it is young.
    fs::write(blobs.dir.path().join("manifests").join("not-a-digest"), "").unwrap();
    let smaller = BlobStore::open(blobs.dir.path(), BlobLimits { store_bytes: 20, ..ROOMY }).unwrap();
    assert!(smaller.lacks_room(0));
    let swept = smaller.sweep(&oldest, &HashSet::new(), 0).unwrap();
    assert_eq!((swept.workspaces, swept.files, swept.bytes), (1, 1, 8), "{swept:?}");
    assert!(smaller.find(trees[0].digest()).unwrap().missing.is_empty(), "the oldest is in use");
    assert!(matches!(smaller.find(trees[1].digest()), Err(BlobError::NoWorkspace(_))));
    assert!(smaller.find(trees[2].digest()).unwrap().missing.is_empty(), "shared contents stay");
    let none = BlobStore::open(blobs.dir.path(), BlobLimits { store_bytes: 0, ..ROOMY }).unwrap();
    assert_eq!(
        none.sweep(&HashSet::new(), &HashSet::new(), 0).unwrap().workspaces,
        0,
        "both were asked for a moment ago"
    );
}

#[test]
fn damaged_contents_are_never_sent() {
    let (blobs, tree) = (Blobs::new(ROOMY), tree());
    let held = blobs.put(&tree);
    for damage in [&b"9\n"[..], b"1", b""] {
        fs::write(file(&blobs, b"1\n"), damage).unwrap();
        let parcel = Parcel { held: held.clone(), only: None, compression: Compression::None, sums: Sums::Sha256 };
        let mut sent = Vec::new();
        let refused = blobs.store.send(&parcel, &mut sent).unwrap_err();
        assert!(matches!(refused, BlobError::Damaged(digest) if digest == sha256("1\n")), "{damage:?}: {refused:?}");
        let mut archive = tar::Archive::new(&sent[..]);
        let names = archive.entries().unwrap().map_while(Result::ok).map(|e| e.path().unwrap().into_owned());
        assert!(names.into_iter().all(|name| name.as_os_str() != "end"), "no end mark");
        assert_eq!(blobs.store.find(tree.digest()).unwrap().missing, [(sha256("1\n"), 2)], "it is asked for again");
        blobs.put(&tree);
    }
}

#[test]
fn equal_trees_are_equal_parcels_of_plain_entries() {
    let tree = Tree::new(
        &[("a/one", "1\n"), ("run*", "x\n"), ("link", "-> a/one"), (&"long/".repeat(40), "deep\n")]
            .map(|(path, text)| (path.trim_end_matches('/'), text)),
    );
    let parcel = |blobs: &Blobs| blobs.parcel(&tree, None, Compression::None, Sums::Sha256);
    let (first, second) = (parcel(&Blobs::new(ROOMY)), parcel(&Blobs::new(ROOMY)));
    assert!(first == second);
    for entry in tar::Archive::new(&first[..]).entries().unwrap() {
        let entry = entry.unwrap();
        let header = entry.header();
        let owner = (header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap());
        assert_eq!(owner, (0, 0, 315_619_200));
        let mode = header.mode().unwrap();
        assert!([0o644, 0o755, 0o777].contains(&mode), "{mode:o}");
    }
}

#[test]
fn contents_of_artifacts_stay_as_long_as_they_are_named_or_about_to_be() {
    let blobs = Blobs::new(BlobLimits { store_bytes: 20, ..ROOMY });
    let store = &blobs.store;
    let take = |bytes: &[u8]| {
        let mut intake = store.take_in().unwrap();
        bytes.chunks(3).for_each(|piece| intake.write(piece).unwrap());
        intake.keep().unwrap()
    };
    let sweep = |kept: &[Digest]| {
        store.begin_sweep();
        store.sweep(&HashSet::new(), &kept.iter().copied().collect(), 0).unwrap()
    };
    let (named, pinned) = (take(b"named"), take(b"pinned"));
    assert_eq!((named.digest, named.size, store.used_bytes()), (sha256("named"), 5, 11));
    let digest = named.digest;
    drop(named.pin);
    assert_eq!(sweep(&[digest]).files, 0);
    assert_eq!(store.read_content(digest, 2, 2).unwrap(), b"me");
    // The same content again, and one in the place of a damaged one.
    fs::write(file(&blobs, b"named"), "nam..").unwrap();
    drop(take(b"named").pin);
    assert_eq!((store.read_content(digest, 0, 9).unwrap(), store.used_bytes()), (b"named".to_vec(), 11));
    let mut full = store.take_in().unwrap();
    full.write(b"123456789").unwrap();
    assert!(matches!(full.write(b"0"), Err(BlobError::StoreFull { found: 21, allowed: 20 })));
    let mut beside = store.take_in().unwrap();
    assert!(matches!(beside.write(b"0"), Err(BlobError::StoreFull { found: 21, allowed: 20 })), "both are counted");
    drop(full);
    assert_eq!(store.used_bytes(), 11, "what was set aside is let go of");
    drop(beside);
    assert_eq!(fs::read_dir(blobs.dir.path().join("incoming")).unwrap().count(), 0, "what was not kept is gone");
    drop(pinned.pin);
    assert_eq!(sweep(&[digest]), Swept { workspaces: 0, files: 1, bytes: 6 });
    assert_eq!((sweep(&[]).files, store.used_bytes()), (1, 0));
}
