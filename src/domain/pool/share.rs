//! Which pool starts a machine for which waiting jobs, when several could.

/// Waiting jobs of one class that no runner takes now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassDemand {
    pub jobs: u32,
    /// The pools whose machines could take them, in the order in which pools are asked.
    pub pools: Vec<usize>,
}

/// Gives each pool the jobs that it has to start machines for: the first pool that could as many as it has room for, the
/// next one the rest. `room` are the jobs that each pool can serve beside what it runs, those whose machines are on the
/// way included. What nobody has room for falls to the first: it has reached its limit, and says so.
#[must_use]
pub fn share(demand: &[ClassDemand], room: &[u32]) -> Vec<u32> {
    let mut left = room.to_vec();
    let mut shares = vec![0_u32; room.len()];
    for class in demand {
        let mut jobs = class.jobs;
        let pools = || class.pools.iter().copied().filter(|pool| *pool < room.len());
        for pool in pools() {
            let taken = jobs.min(left[pool]);
            left[pool] -= taken;
            shares[pool] += taken;
            jobs -= taken;
        }
        if let Some(first) = pools().next() {
            shares[first] = shares[first].saturating_add(jobs);
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(jobs: u32, pools: &[usize]) -> ClassDemand {
        ClassDemand { jobs, pools: pools.to_vec() }
    }

    #[test]
    fn a_job_is_started_for_by_one_pool() {
        assert_eq!(share(&[class(3, &[0, 1])], &[2, 5]), [2, 1]);
        assert_eq!(share(&[class(3, &[1])], &[2, 5]), [0, 3]);
        assert_eq!(share(&[class(9, &[0, 1])], &[2, 5]), [4, 5], "what has no room falls to the first");
        assert_eq!(share(&[class(2, &[0]), class(2, &[0, 1])], &[2, 5]), [2, 2]);
        assert_eq!(share(&[class(2, &[])], &[2]), [0]);
        assert_eq!(share(&[], &[]), Vec::<u32>::new());
    }
}
