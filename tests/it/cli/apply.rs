//! `shunt ctl apply` and `export`: the inventory as a file.

use std::fs;

use serde_json::json;

use super::house::{House, host};
use super::terminal::Terminal;
use crate::support::sshd::{DEPLOY_PASSWORD, UBUNTU_2204};

#[test]
fn a_file_makes_new_runners_changes_others_and_does_nothing_the_second_time() {
    let (h1, h2) = (host("h1", UBUNTU_2204), host("h2", UBUNTU_2204));
    let house = House::with(&[(&h1, 1)]);
    let file = house.home().join("inventory.toml");
    let apply = |flags: &[&str]| {
        let words = [&["ctl", "apply", "-f", file.to_str().unwrap()], flags].concat();
        house.begin_with_input(&words, format!("{DEPLOY_PASSWORD}\n").as_bytes()).end()
    };
    let bootstrap = format!("address = \"{}\"\nport = {}\nuser = \"deploy\"\nno_sudo = true\n", h2.address, h2.port);
    let text = format!(
        "[runners.h1]\nlabels = [\"gpu\", \"region=eu\"]\nslots = 3\n\n[runners.h2]\n{bootstrap}\
         labels = [\"big\"]\ncapabilities = [\"docker\"]\nstate = \"draining\"\nreason = \"not yet\"\n"
    );
    fs::write(&file, text).unwrap();
    let planned = ["change  h1", "labels: [] -> [\"gpu\", \"region=eu\"]", "slots: 1 -> 3", "create  h2", "1 create"];
    apply(&["--dry-run"]).expect(0, &planned);
    apply(&[]).expect(2, &["add --yes"]);
    assert_eq!(house.api("runners").as_array().map(Vec::len), Some(1), "a plan has changed something");
    // Nobody has confirmed the new host's key.
    let ran = apply(&["--yes", "--password-stdin"]);
    ran.expect(1, &["h1: done", "the host's key is not confirmed", "1 runners are not as the file says"]);
    let ran = apply(&["--yes", "--password-stdin", "--accept-host-keys"]);
    ran.expect(0, &["none    h1", "create  h2", "bootstrap of h2", "h2: done"]);
    let (one, two) = (house.api("runners/h1"), house.api("runners/h2"));
    assert_eq!((&one["labels"], &one["slots"]), (&json!(["gpu", "region=eu"]), &json!(3)));
    assert_eq!(
        (&two["capabilities"], &two["state"], &two["state_note"]["reason"]),
        (&json!(["docker"]), &json!("draining"), &json!("not yet"))
    );
    apply(&[]).expect(0, &["plan: 0 create, 0 move, 0 change, 0 delete, 2 none"]);

    // What is written can be applied: the same, and by the file alone.
    let exported = house.home().join("exported.toml");
    house.shunt(&["ctl", "export", "-o", exported.to_str().unwrap()]).expect(0, &["wrote 2 runners"]);
    let text = fs::read_to_string(&exported).unwrap();
    assert_eq!(house.shunt(&["ctl", "export"]).text(), text);
    fs::write(&file, &text).unwrap();
    apply(&["--prune"]).expect(0, &["0 delete, 2 none"]);
    let without = text.split("\n[runners.\"h2\"]").next().unwrap().replace("slots = 3", "slots = 1");
    fs::write(&file, without).unwrap();
    apply(&[]).expect(2, &["slots: 3 -> 1", "add --yes"]);
    apply(&["--prune", "--yes"]).expect(0, &["change  h1", "delete  h2", "runner h2 is removed"]);
    assert_eq!(house.api("runners").as_array().map(Vec::len), Some(1));
}

#[test]
fn a_faulty_file_shows_every_fault_and_nothing_is_sent() {
    let house = House::start();
    let file = house.home().join("bad.toml");
    fs::write(&file, include_str!("../../../fixtures/inventories/bad.toml")).unwrap();
    let ran = house.shunt(&["ctl", "apply", "--yes", "-f", file.to_str().unwrap()]);
    ran.expect(
        2,
        &["bad.toml:1:1: version", "runners.h1.labels[0]", "did you mean `gpu`?", "20 faults", "nothing was sent"],
    );
    fs::write(&file, "[runners.h1]\nslots = 1\n").unwrap();
    house.shunt(&["ctl", "apply", "--yes", "-f", file.to_str().unwrap()]).expect(2, &["h1 is new", "--user"]);
}

#[test]
fn what_somebody_changed_after_the_plan_is_not_overwritten() {
    let h1 = host("h1", UBUNTU_2204);
    let house = House::with(&[(&h1, 1)]);
    let file = house.home().join("inventory.toml");
    fs::write(&file, "[runners.h1]\nlabels = [\"gpu\"]\n").unwrap();
    let mut command = house.shunt_command();
    command.args(["ctl", "apply", "-f", file.to_str().unwrap()]);
    let mut terminal = Terminal::start(&command);
    terminal.await_text("Do this?");
    house.shunt(&["ctl", "label", "h1", "+new"]).expect(0, &[]);
    terminal.answer("Do this?", "y");
    let (code, screen) = terminal.end();
    assert!(code == 1 && screen.contains("h1: it was changed after the plan was made"), "{code}: {screen}");
    assert_eq!(house.api("runners/h1")["labels"], json!(["new"]));
}
