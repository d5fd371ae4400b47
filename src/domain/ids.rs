//! Identifiers: UUIDv7 made outside the core, so that text order is creation order.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(schemars::JsonSchema), schemars(inline))]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::from_str(text).map(Self)
            }
        }
    };
}

uuid_id!(
    /// Identifies one job for ever.
    JobId
);
uuid_id!(
    /// Identifies one inventory record of a runner; a host enrolled again gets a new one only after deletion.
    RunnerId
);
uuid_id!(
    /// Identifies one inventory record of a jump host.
    JumpHostId
);
uuid_id!(
    /// Identifies one phase run: the jobs of one phase that were submitted together.
    PhaseRunId
);

uuid_id!(
    /// Identifies one change.
    ChangeId
);
uuid_id!(
    /// Identifies one run of one stage of one change.
    StageRunId
);
uuid_id!(
    /// Identifies one fan-out: the jobs of one command on every matching runner.
    FanOutId
);

/// Names one placement of a job on a runner, as the wrapper's directory is called: `JOB-ATTEMPT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId {
    pub job: JobId,
    /// Counts placements from 1; never used twice for a job.
    pub attempt: u32,
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.job.0.simple(), self.attempt)
    }
}

/// The text is not `32 hexadecimal digits, a hyphen, a number from 1 on`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an attempt id (JOB-NUMBER)")]
pub struct BadAttemptId(pub String);

impl FromStr for AttemptId {
    type Err = BadAttemptId;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || BadAttemptId(text.chars().take(80).collect());
        let (job, attempt) = text.split_once('-').ok_or_else(bad)?;
        let job = Uuid::try_parse(job).map_err(|_| bad())?;
        let attempt: u32 = attempt.parse().map_err(|_| bad())?;
        if attempt == 0 {
            return Err(bad());
        }
        Ok(Self { job: JobId(job), attempt })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_id_reads_back_as_it_was_written() {
        let id = AttemptId { job: JobId(Uuid::from_u128(7)), attempt: 3 };
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in ["", "x-1", "0000-0", "00000000000000000000000000000007-0", "00000000000000000000000000000007"] {
            assert!(bad.parse::<AttemptId>().is_err(), "{bad}");
        }
    }
}
