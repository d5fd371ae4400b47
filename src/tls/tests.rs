//! Certificates that are good, and every way in which they are not.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use super::*;

/// Within the validity of what is made here.
const NOW_MS: i64 = 1_800_000_000_000;

fn files(dir: &Path) -> TlsFiles {
    TlsFiles { cert_file: dir.join("c.pem"), key_file: dir.join("k.pem") }
}

/// A certificate for these years, and its key with mode 0600.
fn make(files: &TlsFiles, from: i32, until: i32) {
    let mut wanted = CertificateParams::new(vec!["h.example".to_owned()]).unwrap();
    (wanted.not_before, wanted.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(until, 1, 1));
    let key = KeyPair::generate().unwrap();
    fs::write(&files.cert_file, wanted.self_signed(&key).unwrap().pem()).unwrap();
    fs::write(&files.key_file, key.serialize_pem()).unwrap();
    fs::set_permissions(&files.key_file, fs::Permissions::from_mode(0o600)).unwrap();
}

fn told(files: &TlsFiles) -> Vec<String> {
    files.faults(NOW_MS).iter().map(ToString::to_string).collect()
}

#[test]
fn every_fault_of_certificate_and_key_is_told_with_its_path() {
    let dir = tempfile::tempdir().unwrap();
    let good = files(dir.path());
    let holds = |files: &TlsFiles, expected: &[&str]| {
        let told = told(files);
        assert_eq!(told.len(), expected.len(), "{told:?}");
        for (told, expected) in told.iter().zip(expected) {
            assert!(told.contains(expected) && told.contains(&dir.path().display().to_string()), "{told}");
        }
    };
    holds(&good, &["cannot read", "cannot read"]);
    make(&good, 2020, 2100);
    holds(&good, &[]);
    fs::set_permissions(&good.key_file, fs::Permissions::from_mode(0o640)).unwrap();
    holds(&good, &[]);
    fs::set_permissions(&good.key_file, fs::Permissions::from_mode(0o644)).unwrap();
    holds(&good, &["everybody may read"]);
    let swapped = TlsFiles { cert_file: good.key_file.clone(), key_file: good.cert_file.clone() };
    fs::set_permissions(&good.cert_file, fs::Permissions::from_mode(0o600)).unwrap();
    holds(&swapped, &["no certificate in PEM form", "no private key in PEM form"]);
    // All at once: expired, and the key of another one that everybody may read.
    make(&good, 2020, 2021);
    holds(&good, &["has expired on 2021-01-01"]);
    fs::write(&good.key_file, KeyPair::generate().unwrap().serialize_pem()).unwrap();
    fs::set_permissions(&good.key_file, fs::Permissions::from_mode(0o604)).unwrap();
    holds(&good, &["has expired", "everybody may read", "does not belong to"]);
    make(&good, 2090, 2100);
    holds(&good, &["good only from 2090-01-01"]);
    fs::write(&good.cert_file, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    holds(&good, &["cannot be read"]);
}

#[test]
fn a_certificate_of_our_own_is_made_once_and_only_its_owner_may_read_the_key() {
    let dir = tempfile::tempdir().unwrap();
    let own =
        SelfSigned { files: files(dir.path()), names: names_for("192.0.2.1".parse().unwrap(), &["h.example".into()]) };
    for name in ["h.example", "192.0.2.1", "localhost", "::1"] {
        assert!(own.names.contains(&name.to_owned()), "{name}");
    }
    let made = own.read_or_make(NOW_MS).unwrap();
    assert_eq!(fs::metadata(&own.files.key_file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(own.read_or_make(NOW_MS).unwrap().fingerprint, made.fingerprint);
    // Clients have pinned it: a lost key is told, and no other certificate made.
    fs::remove_file(&own.files.key_file).unwrap();
    assert!(matches!(own.read_or_make(NOW_MS), Err(TlsError::Faults(_))));
    fs::remove_file(&own.files.cert_file).unwrap();
    assert_ne!(own.read_or_make(NOW_MS).unwrap().fingerprint, made.fingerprint);
}
