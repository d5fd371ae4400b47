//! The result of a runner's last Test: the fact by which placement leaves it out.

use serde::{Deserialize, Serialize};

/// The last Test, in Chef's words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Health {
    #[default]
    Untested,
    /// A Test is under way.
    Pending {
        /// What the Test before had found counts until it has ended.
        #[serde(default, skip_serializing_if = "super::is_false")]
        unhealthy: bool,
    },
    Ok {
        command_output: String,
    },
    Error {
        command_output: String,
    },
}

impl Health {
    /// True when the runner is given no job because of it.
    #[must_use]
    pub const fn keeps_jobs_away(&self) -> bool {
        match self {
            Self::Error { .. } | Self::Pending { unhealthy: true } => true,
            Self::Untested | Self::Pending { unhealthy: false } | Self::Ok { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_under_way_leaves_the_runner_as_it_was() {
        let bad = Health::Error { command_output: String::new() };
        assert!(bad.keeps_jobs_away() && Health::Pending { unhealthy: bad.keeps_jobs_away() }.keeps_jobs_away());
        for good in [Health::Untested, Health::Ok { command_output: String::new() }] {
            assert!(
                !good.keeps_jobs_away() && !Health::Pending { unhealthy: good.keeps_jobs_away() }.keeps_jobs_away()
            );
        }
        // As earlier versions have stored it.
        let pending = r#"{"status":"pending"}"#;
        assert_eq!(serde_json::from_str::<Health>(pending).unwrap(), Health::Pending { unhealthy: false });
        assert_eq!(serde_json::to_string(&Health::Pending { unhealthy: false }).unwrap(), pending);
    }
}
