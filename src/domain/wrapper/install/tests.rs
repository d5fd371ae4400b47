//! Plans that are refused and answers that are read; the scripts themselves run in tests/it/wrapper.

use super::*;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample job_runner@old";

const HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn nonce() -> Nonce {
    Nonce::from_random([3; 16])
}

fn plan<'a>(nonce: &'a Nonce, key: &'a str, hostname: &'a str, base: Option<&'a str>) -> InstallPlan<'a> {
    InstallPlan {
        nonce,
        system_mode: false,
        wanted_base: base,
        public_key_line: key,
        hostname,
        replace: true,
        retire_hash: HASH,
    }
}

#[test]
fn plans_that_could_write_something_else_are_refused() {
    let nonce = nonce();
    assert!(install_script(&plan(&nonce, KEY, "h1", None)).is_ok());
    for key in [
        "",
        "ssh-ed25519",
        "ssh-ed25519 short",
        "ssh-rsa AAAA\nssh-rsa BBBBBBBBBBBBBBBBBB",
        "a\"b AAAABBBBCCCCDDDDEEEE",
    ] {
        assert!(matches!(install_script(&plan(&nonce, key, "h1", None)), Err(BadPlan::Key(_))), "{key}");
    }
    for base in ["", "/", "relative", "/a b", "/a;b", "/a/../b"] {
        assert!(matches!(install_script(&plan(&nonce, KEY, "h1", Some(base))), Err(BadPlan::Path(_))), "{base}");
    }
    assert!(matches!(install_script(&plan(&nonce, KEY, "h;1", None)), Err(BadPlan::Hostname(_))));
    for hash in ["", "x", &HASH.to_uppercase(), &HASH.replace('e', "'")] {
        let plan = InstallPlan { retire_hash: hash, ..plan(&nonce, KEY, "h1", None) };
        assert_eq!(install_script(&plan).err(), Some(BadPlan::RetireHash), "{hash}");
    }
}

#[test]
fn a_failed_install_says_what_is_to_be_undone() {
    let answer = |text: &str| parse_install(format!("@@{}\n{text}", nonce()).as_bytes(), &nonce());
    let whole = "made key\nbase /b\nwrapper /b/wrapper-1\ninstance i\nboot b\neol\n";
    assert_eq!(answer(whole).map(|i| (i.base_dir, i.made)), Ok(("/b".into(), ["key".to_owned()].into())));
    let made: BTreeSet<String> = ["user".to_owned()].into();
    assert_eq!(
        answer("made user\nerr keys cannot write\neol\n"),
        Err(InstallFault::Refused {
            code: "keys".into(),
            sentence: "cannot write".into(),
            begun: Begun { made: made.clone(), places: None }
        })
    );
    let places = Some(("/b".to_owned(), "/b/wrapper-1".to_owned()));
    assert_eq!(
        answer("made user\nbase /b\nwrapper /b/wrapper-1\n"),
        Err(InstallFault::CutOff { begun: Begun { made, places } })
    );
    assert_eq!(answer("eol\n"), Err(InstallFault::Answer(BadAnswer::Missing("base"))));
    assert_eq!(parse_install(b"", &nonce()), Err(InstallFault::Answer(BadAnswer::NoMarker)));
}
