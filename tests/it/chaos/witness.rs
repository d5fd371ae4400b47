//! Jobs that write down on their host what happens to them: how often they started, what they said, how they ended.

use std::fs;

use serde_json::Value;

use super::api::Api;
use crate::support::sshd::TestHost;

/// Shell functions for the scripts of witnesses: `say LINE` and `keep` (a filter) go to the truth and to the output.
fn prelude(name: &str) -> String {
    format!(
        "echo x >>~/{name}.starts\nsay() {{ echo \"$*\" >>~/{name}.out; echo \"$*\"; }}\n\
         keep() {{ tee -a ~/{name}.out; }}\nleave() {{ echo $1 >~/{name}.code; exit $1; }}\n"
    )
}

/// The whole script of a witness; `body` ends with `leave CODE`.
pub fn script(name: &str, body: &str) -> String {
    prelude(name) + body
}

/// What a witness wrote down on this host.
#[derive(Debug)]
pub struct Truth {
    pub starts: usize,
    pub output: Vec<u8>,
    /// `None`: it did not come to its end.
    pub exit_code: Option<i64>,
}

impl Truth {
    pub fn of(host: &TestHost, name: &str) -> Self {
        let file = |what: &str| fs::read(host.path(&format!("home/deploy/{name}.{what}"))).unwrap_or_default();
        let text = |what: &str| String::from_utf8_lossy(&file(what)).trim().to_owned();
        Self { starts: text("starts").lines().count(), output: file("out"), exit_code: text("code").parse().ok() }
    }

    /// What two hosts wrote down about one job.
    pub fn and(self, other: Self) -> Self {
        Self {
            starts: self.starts + other.starts,
            output: [self.output, other.output].concat(),
            exit_code: self.exit_code.or(other.exit_code),
        }
    }

    /// Compares the dispatcher's record of a job that was left alone with this; returns the bytes compared.
    pub fn check_ended(&self, api: &Api, id: &str) -> usize {
        let job = api.job(id);
        let code = self.exit_code.unwrap_or_else(|| panic!("the job has not come to its end: {job}"));
        assert_eq!(self.starts, 1, "not started exactly once: {job}");
        let state = if code == 0 { "succeeded" } else { "failed" };
        assert_eq!((job["state"].as_str(), job["exit_code"].as_i64()), (Some(state), Some(code)), "{job}");
        let logged = api.log(id);
        assert_eq!(job["truncated"], false, "{job}");
        assert!(logged == self.output, "{id}: {} bytes logged, {} written", logged.len(), self.output.len());
        logged.len()
    }

    /// Compares the log of a job that was stopped: it may have been stopped between its two copies of a line.
    pub fn check_stopped_log(&self, api: &Api, id: &str, job: &Value) -> usize {
        let logged = api.log(id);
        assert_eq!(job["truncated"], false, "{job}");
        let (short, long) =
            if logged.len() < self.output.len() { (&logged, &self.output) } else { (&self.output, &logged) };
        assert!(long.starts_with(short), "{id}: the log is not what the job wrote");
        short.len()
    }
}
