//! One `shunt run` of the largest matrix, on one slot, with others at work.

use std::fs;

use super::house::{BLOCKER, House, await_that, host};
use crate::support::sshd::UBUNTU_2204;

/// The largest matrix: its rows are all alike.
fn project() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a project");
    let row = r#"{"platform":["ubuntu"]}"#;
    let rows = vec![row; 500].join(",");
    let config = format!(
        r#"{{"job_dispatch":{{"version":"v2","filters":{{"unit":[{rows}]}}}},"phases":{{"unit":{{"run":"echo row done"}}}}}}"#
    );
    fs::write(dir.path().join("config.json"), config).expect("a configuration");
    dir
}

/// Sockets that the process holds.
fn sockets(pid: u32) -> usize {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).expect("its files").flatten();
    let is_socket = |file: &fs::DirEntry| {
        fs::read_link(file.path()).is_ok_and(|target| target.to_string_lossy().starts_with("socket:"))
    };
    files.filter(is_socket).count()
}

#[test]
fn a_run_of_500_rows_leaves_room_for_others_and_shows_each_row_that_starts() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    let blocker = house.submit(&[], BLOCKER);
    house.await_state(&blocker, &["running"]);
    let project = project();
    let run = house.begin(&["run", "--phase", "unit", "--project", project.path().to_str().expect("a path")]);
    // It asks why they wait, all of them; meanwhile somebody else lists, submits and cancels.
    let mut most = 0;
    let mut asked = || {
        most = most.max(sockets(run.id()));
        let job = house.submit(&["--filter", "platform=plan9"], "true");
        house.shunt(&["jobs", "--limit", "5"]).expect(0, &["queued"]);
        house.shunt(&["cancel", &job]).expect(0, &[]);
        run.stderr().contains("unit#500")
    };
    await_that("it says what the last row waits for", &mut asked, || run.stderr());
    assert!(most > 0 && most <= 100, "one run holds {most} connections");
    host.run_inside("touch /home/deploy/go");
    run.await_output("unit#40  | row done");
    assert!(sockets(run.id()) <= 100);
    run.interrupt();
    let ran = run.end();
    ran.expect(130, &["cancelled while queued"]);
}
