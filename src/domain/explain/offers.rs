//! What pools can do for a waiting job.

use serde::{Deserialize, Serialize};

use super::{Explanation, Verdict};

/// A pool whose machines could take the job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct PoolOffer {
    pub pool: String,
    /// Machines on the way.
    pub starting: u32,
    /// Machines that there are, those on the way and those on their way out included.
    pub machines: u32,
    pub max: u32,
    pub enabled: bool,
    /// Why the last call of its provider failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing: Option<String>,
}

impl PoolOffer {
    fn told(&self) -> String {
        let Self { pool, starting, machines, max, .. } = self;
        let state = match (self.enabled, *starting, machines >= max) {
            (false, _, _) => "it is disabled".to_owned(),
            (true, 0, true) => format!("max reached, {machines} of {max}"),
            (true, _, true) => format!("{starting} starting, max reached, {machines} of {max}"),
            (true, _, false) => format!("{starting} starting, {machines} of {max}"),
        };
        let failing = self.failing.iter().map(|why| format!("; its last call failed: {why}")).collect::<String>();
        format!("a pool ({pool}) can start a runner for it: {state}{failing}")
    }
}

impl Explanation {
    /// The same, with what pools can do: a job that one of them can start a runner for is never told that it cannot run.
    #[must_use]
    pub fn with_pools(mut self, offers: Vec<PoolOffer>) -> Self {
        // The one that will act comes first.
        let Some(best) = offers.iter().find(|offer| offer.enabled).or(offers.first()) else { return self };
        let told = best.told();
        if self.verdict == Verdict::Never {
            self.unblock = if !best.enabled {
                format!("enable pool `{}`: `shunt ctl pool update {} --enable`", best.pool, best.pool)
            } else if best.starting > 0 {
                "the enrolment of the machine that is being started".into()
            } else if best.machines >= best.max {
                format!("the end of a job in pool `{}`, or a higher max of it", best.pool)
            } else {
                format!("pool `{}` starts a machine in a moment", best.pool)
            };
            self.summary = if best.enabled { told } else { format!("{}; {told}", self.summary) };
            self.verdict = if offers.iter().any(|offer| offer.enabled) { Verdict::NotNow } else { Verdict::Never };
        } else {
            self.summary = format!("{}; {told}", self.summary);
        }
        self.pools = offers;
        self
    }
}
