//! What every client relies on: who may ask, what is not there, and how an error looks.

use crate::support::daemon::TestDaemon;

#[test]
fn the_status_needs_no_token_and_looks_like_chefs() {
    let daemon = TestDaemon::start();
    let status = daemon.request("GET", "/api/_status", &[], b"").expect(200).json();
    assert_eq!(status["status"], "pong", "{status}");
    assert_eq!(status["upstreams"][0]["postgres"]["status"], "pong", "{status}");
    assert_eq!(status["configuration_mode"], "standalone", "{status}");
    daemon.stop();
    daemon.start_again();
    daemon.request("GET", "/api/_status", &[], b"").expect(200);
    daemon.kill();
    daemon.start_again();
    daemon.request("GET", "/api/_status", &[], b"").expect(200);
    daemon.shunt(&["ctl", "list-runners"]).expect(0);
}
