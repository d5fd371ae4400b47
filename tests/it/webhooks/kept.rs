//! The secret is shown once, and lies sealed.

use std::fs;

use super::{house, webhook};
use crate::support::receiver::{OK, Receiver};

#[test]
fn the_secret_is_in_no_later_answer_no_log_and_not_in_the_database() {
    let receiver = Receiver::start(|_| OK);
    let mut house = house(&receiver);
    let secret = webhook(&house, "chat", &receiver.url("localhost", "/"), "job");
    assert!(secret.starts_with("whsec_") && secret.len() > 40, "{secret}");
    house.shunt(&["ctl", "webhook", "test", "chat"]).expect(0, &[]);
    let coded = secret.strip_prefix("whsec_").unwrap();
    for answer in [house.api("webhooks").to_string(), house.shunt(&["ctl", "webhook", "show", "chat"]).text()] {
        assert!(!answer.contains(coded), "{answer}");
    }
    assert!(!house.log().contains(coded));
    house.terminate();
    let files = fs::read_dir(house.data_dir()).unwrap().flatten().filter(|entry| entry.path().is_file());
    let mut looked = 0;
    for file in files {
        let bytes = fs::read(file.path()).unwrap();
        looked += 1;
        assert!(!bytes.windows(coded.len()).any(|window| window == coded.as_bytes()), "{}", file.path().display());
    }
    assert!(looked >= 3);
}
