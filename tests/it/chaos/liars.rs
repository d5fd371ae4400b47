//! Hosts whose wrapper lies, stammers or falls silent: only their own jobs suffer, and nothing false is believed.

use serde_json::Value;

use super::api::Api;
use super::witness::{Truth, script};
use crate::cli::house::{BLOCKER, House, await_that, host};
use crate::support::sshd::{DEBIAN_12, HostSpec, TestHost};

/// What the liar answers to `run` and `at`, and what may become of such a job while it lies.
///
/// `tell` writes a control line, `mark` the mark before the output.
const LIES: [(&str, &str, Believed); 11] = [
    ("garbage", "head -c 3000 /dev/urandom; tell dance", Believed::Nothing),
    ("noise", "yes noise", Believed::Nothing),
    ("endless", "yes | tr -d '\\n' >&2", Believed::Nothing),
    ("overflow", "tell ok 1; mark; printf abc; tell end 0 99999999999999999999999 0 -; sleep 1000", Believed::Nothing),
    ("negative", "tell ok 1; mark; printf abc; tell end 0 -3 0 -; sleep 1000", Believed::Nothing),
    ("far", "tell ok 1; mark; printf abc; tell end 0 18446744073709551615 0 -; sleep 1000", Believed::Nothing),
    ("foreign", "tell ok 1; mark; printf abc; tell job OTHER-1 end 0 3 0 -; sleep 1000", Believed::Nothing),
    ("silent", "tell ok 1; mark; printf abc; exit 0", Believed::Nothing),
    ("short", "tell ok 1; mark; printf abcdef; tell end 0 3 0 -; sleep 1000", Believed::Truncated),
    ("wrongsum", "tell ok 1; mark; printf abc; tell end 0 3 77 -; sleep 1000", Believed::Truncated),
    ("open", "tell ok 1; mark; printf abc; tell end 0 3 1219131554 -; sleep 1000", Believed::Whole),
];

/// What a lie may make of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Believed {
    /// It does not end.
    Nothing,
    /// It ends, and says that its log is not whole.
    Truncated,
    /// It ends: about its own jobs a host can say what it likes.
    Whole,
}

/// Puts a liar in the wrapper's place. It knows a job's lie by a word of its script, and answers `st` with `foreign`
/// jobs as well; every other verb goes to the real wrapper.
fn corrupt(house: &House, host: &TestHost, foreign: &str) {
    let base = house.api("runners/liar")["base_dir"].as_str().expect("a base directory").to_owned();
    let mut text = String::from(
        "base=${0%/*}; real() { exec /bin/sh \"$base/real\" \"$@\"; }\n\
         tell() { echo \"@$n $*\" >&2; }\nmark() { echo \"@@$n\"; }\nid=$2 n=${3:-}\ncase $1 in\n",
    );
    text += &format!(
        "st) n=$2; tell job {foreign}-1 'end 0 3 0 -'; tell job {foreign}-1 'run 0'; real \"$@\" ;;\n\
         run) while IFS= read -r line; do case $line in *lie-*) c=${{line#*lie-}}; echo \"${{c%%[!a-z]*}}\" \
         >\"$base/lie-$id\"; break ;; esac; done ;;\nat) ;;\n*) real \"$@\" ;;\nesac\n\
         read -r lie <\"$base/lie-$id\" || exit 1\ncase $lie in\n"
    );
    for (name, deed, _) in LIES {
        text += &format!("{name}) {} ;;\n", deed.replace("OTHER", foreign));
    }
    std::fs::write(host.path("home/deploy/liar"), text + "esac\n").expect("a file");
    host.run_inside(&format!(
        "cd {base}; w=$(echo wrapper-*); mv $w real; mv /home/deploy/liar $w; chown deploy: $w; dash -n $w"
    ));
}

/// Puts the real wrapper back, and ends what the liar has left.
fn reform(house: &House, host: &TestHost) {
    let base = house.api("runners/liar")["base_dir"].as_str().expect("a base directory").to_owned();
    host.run_inside(&format!("cd {base}; mv real $(echo wrapper-*); pkill -KILL -f 'wrapper-[0-9a-f]* [ra]' || :"));
    // Channels that processes of the liar still hold.
    host.restart();
}

#[test]
fn a_host_that_lies_about_its_jobs_falsifies_nothing_and_hinders_no_other_host() {
    let (liar, honest) = (host("liar", DEBIAN_12), host("honest", DEBIAN_12));
    let house = House::with(&[(&liar, LIES.len() as u32), (&honest, 2)]);
    let api = Api::of(&house);
    let long = script("long", "until [ -e ~/go ]; do say on; sleep 0.2; done; leave 6");
    let long = api.submit("long", Some("honest"), &long).expect("an id");
    house.await_state(&long, &["running"]);
    let since = api.contact("honest")["since"].clone();
    corrupt(&house, &liar, &long);
    // At its connect the liar is asked what it has, and says that it has the other host's job, and its end.
    liar.restart();
    house.await_contact(&liar, "connected");
    let tell = |(name, _, believed): (&'static str, &str, Believed)| {
        let text = script(name, &format!("say lie-{name}\nleave 0\n"));
        (name, believed, api.submit(name, Some("liar"), &text).expect("an id"))
    };
    let (disbelieved, believed): (Vec<_>, Vec<_>) = LIES.iter().partition(|lie| lie.2 == Believed::Nothing);
    for (name, believed, id) in believed.into_iter().map(tell) {
        let (job, whole) = (house.await_end(&id), believed == Believed::Whole);
        assert_eq!((&job["state"], &job["truncated"]), (&"succeeded".into(), &Value::Bool(!whole)), "{name}: {job}");
        // The channel of an ended job would be given the next one, which a liar would never answer.
        liar.restart();
        house.await_contact(&liar, "connected");
    }
    // These are told again and again, and take every session of their host in the end.
    let disbelieved: Vec<_> = disbelieved.into_iter().map(tell).collect();
    let tries = || house.log().matches("attaching again").count();
    await_that("the liar is asked again and again", || tries() >= 40, || house.log());
    for (number, name) in (0..6).map(|n| (n, format!("other{n}"))) {
        let text = script(&name, &format!("say hello\nleave {number}\n"));
        let id = api.submit(&name, Some("honest"), &text).expect("an id");
        house.await_end(&id);
        Truth::of(&honest, &name).check_ended(&api, &id);
    }
    for (name, _, id) in &disbelieved {
        let job = api.job(id);
        assert!(job["state"] == "starting" || job["state"] == "running", "{name} was believed: {job}");
    }
    assert_eq!(api.contact("honest")["since"], since, "the other host's connection suffered");
    reform(&house, &liar);
    for (name, _, id) in &disbelieved {
        // The host had said of some that they run: they never did, and are lost with proof. The others run now.
        let (job, truth) = (house.await_end(id), Truth::of(&liar, name));
        let lost = job["state"] == "lost" && job["lost_evidence"] == "spool_gone" && truth.starts == 0;
        assert!(lost || job["attempt"] == 2 && truth.starts == 1, "{name}: {job} {truth:?}");
        if !lost {
            truth.check_ended(&api, id);
        }
    }
    honest.run_inside("touch /home/deploy/go");
    house.await_end(&long);
    Truth::of(&honest, "long").check_ended(&api, &long);
}

#[test]
fn a_host_that_opens_few_sessions_runs_all_its_slots_and_hinders_no_other_host() {
    let spec = |hostname: &str, max_sessions| HostSpec {
        hostname: hostname.into(),
        max_sessions,
        host_key_types: vec!["ed25519"],
        ..HostSpec::default()
    };
    let (few, ten) = (TestHost::start(spec("few", 2)), TestHost::start(spec("ten", 10)));
    let house = House::with(&[(&few, 4), (&ten, 11)]);
    let api = Api::of(&house);
    let jobs: Vec<_> = (0..15).map(|_| house.submit(&[], BLOCKER)).collect();
    jobs.iter().for_each(|id| drop(house.await_state(id, &["running"])));
    for host in [&few, &ten] {
        assert_eq!(api.contact(&host.spec.hostname)["status"], "connected");
        host.run_inside("touch /home/deploy/go");
    }
    for id in &jobs {
        assert_eq!(house.await_end(id)["state"], "succeeded");
        assert_eq!(api.log(id), b"begun\ndone\n");
    }
}
