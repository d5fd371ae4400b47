//! `shuntd rotate-master-key`: whole, stopped behind each of its steps, refused, and with a key that somebody else keeps.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;

use shuntyard::config::{Config, ConfigSources, FlagOverrides};
use shuntyard::rotation::{Until, rotate_master_key};

use super::house::{House, command, host};
use crate::support::sshd::UBUNTU_2204;

fn rotate(house: &House, flags: &[&str], env: &[(&str, &str)]) -> Output {
    let mut rotate = command("shuntd", house.home());
    rotate.arg("rotate-master-key").args(flags).envs(env.iter().copied()).output().expect("shuntd")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn key_files(house: &House) -> Vec<String> {
    let names = fs::read_dir(house.data_dir()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.starts_with("master.")).collect();
    names.sort();
    names
}

fn write_key(path: &Path, byte: u8) {
    fs::write(path, [byte; 32]).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o400)).unwrap();
}

/// Everything that is sealed opens: the runner connects, a job is handed its secret.
fn expect_works(house: &House) {
    let ran = house.shunt(&["run", "--secret", "TOKEN", "--", "sh", "-c", "printf %s $TOKEN | wc -c"]);
    ran.expect(0, &[]);
    assert_eq!(ran.text().trim(), "14", "{ran:#?}");
}

#[test]
fn a_rotation_seals_everything_anew_and_goes_on_from_wherever_it_was_interrupted() {
    let host = host("u1", UBUNTU_2204);
    let mut house = House::with(&[(&host, 1)]);
    house.begin_with_input(&["secret", "set", "TOKEN", "--whole-enterprise"], b"fourteen-bytes").end().expect(0, &[]);
    expect_works(&house);
    let running = rotate(&house, &[], &[]);
    assert!(running.status.code() == Some(1) && said(&running).contains("another shuntd runs"), "{}", said(&running));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let key = |house: &House| fs::read(house.data_dir().join("master.key")).unwrap();
    for until in [Until::KeyMade, Until::Resealed, Until::KeptAside, Until::Replaced] {
        house.terminate();
        let before = key(&house);
        let flags = FlagOverrides { data_dir: Some(house.data_dir()), ..FlagOverrides::default() };
        let config = Config::load(ConfigSources { file: None, env: Vec::new(), flags }).unwrap();
        runtime.block_on(rotate_master_key(&config, None, until)).unwrap();
        if until != Until::Replaced {
            let refused = house.shuntd_command("127.0.0.1:0").output().expect("shuntd");
            assert!(said(&refused).contains("a rotation of the master key was interrupted"), "{}", said(&refused));
        }
        let finished = rotate(&house, &[], &[]);
        assert_eq!(finished.status.code(), Some(0), "{until:?}: {}", said(&finished));
        assert!(said(&finished).contains("value(s) open"), "{}", said(&finished));
        assert_eq!(key_files(&house), ["master.key"]);
        assert!(key(&house) != before && key(&house).len() == 32);
        assert_eq!(fs::metadata(house.data_dir().join("master.key")).unwrap().permissions().mode() & 0o777, 0o400);
        house.start_again();
        house.await_contact(&host, "connected");
        expect_works(&house);
    }
}

#[test]
fn a_key_that_somebody_else_keeps_is_read_from_there_and_replaced_by_them() {
    let mut house = House::start();
    house.begin_with_input(&["secret", "set", "TOKEN", "--whole-enterprise"], b"fourteen-bytes").end().expect(0, &[]);
    house.terminate();
    let (credentials, new, loose) =
        (house.home().join("credentials"), house.home().join("new.key"), house.home().join("loose.key"));
    fs::create_dir(&credentials).unwrap();
    let credential = credentials.join("shuntd-master-key");
    fs::rename(house.data_dir().join("master.key"), &credential).unwrap();
    let directory = credentials.to_str().unwrap().to_owned();
    house.set(&[("CREDENTIALS_DIRECTORY", &directory)]);
    house.start_again();
    house.terminate();
    assert!(key_files(&house).is_empty(), "no other key is made");
    let env = [("CREDENTIALS_DIRECTORY", directory.as_str())];
    let asked = rotate(&house, &[], &env);
    assert!(asked.status.code() == Some(1) && said(&asked).contains("--new-key FILE"), "{}", said(&asked));
    fs::write(&loose, [9; 32]).unwrap();
    let refused = rotate(&house, &["--new-key", loose.to_str().unwrap()], &env);
    assert!(refused.status.code() == Some(1) && said(&refused).contains("mode 0"), "{}", said(&refused));
    write_key(&new, 7);
    let rotated = rotate(&house, &["--new-key", new.to_str().unwrap()], &env);
    assert!(rotated.status.success() && said(&rotated).contains("put "), "{}", said(&rotated));
    // Not replaced yet: the old key says that it is another one.
    house.set(&[("SHUNTD_DATA_MASTER_KEY_FILE", new.to_str().unwrap())]);
    house.start_again();
    house.shunt(&["secret", "list", "--whole-enterprise"]).expect(0, &[]);
    house.terminate();
    house.set(&[("SHUNTD_DATA_MASTER_KEY_FILE", "/nonexistent/key")]);
    let missing = house.shuntd_command("127.0.0.1:0").output().expect("shuntd");
    assert!(said(&missing).contains("/nonexistent/key is missing"), "{}", said(&missing));
}
