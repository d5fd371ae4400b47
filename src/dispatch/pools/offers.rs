//! What pools can do for a waiting job: for its explanation.

use shuntyard_domain::board::{Board, QueuedJob};
use shuntyard_domain::explain::PoolOffer;
use shuntyard_domain::pool::instance::InstanceState;

use crate::dispatch::{DispatchError, Dispatcher};
use crate::store::{Connection, StoreError, instances_live, pool_list};

impl Dispatcher {
    /// The pools whose machines could take the job, in the order in which they are asked.
    pub(in crate::dispatch) async fn offers(&self, job: &QueuedJob) -> Result<Vec<PoolOffer>, DispatchError> {
        let read = |c: &mut Connection| Ok::<_, StoreError>((pool_list(c)?, instances_live(c)?));
        let (pools, rows) = self.0.store.read(read).await?;
        let templates: Vec<_> = pools.iter().map(|pool| pool.spec.template()).collect();
        let memory = self.0.pools.memory();
        let offer = |at: usize| {
            let pool = &pools[at];
            let machines = || rows.iter().filter(|row| row.pool == pool.id);
            let starting = machines().filter(|row| row.instance.state == InstanceState::Starting).count();
            let failing = memory.of_pool.get(&pool.id).and_then(|of| of.error.as_ref());
            PoolOffer {
                pool: pool.name.to_string(),
                starting: u32::try_from(starting).unwrap_or(u32::MAX),
                machines: u32::try_from(machines().count()).unwrap_or(u32::MAX),
                max: pool.spec.max,
                enabled: pool.spec.enabled && !pool.deleting,
                failing: failing.map(|error| format!("{}: {}", error.action, error.error)),
            }
        };
        Ok(Board::could_take(job, &templates).into_iter().map(offer).collect())
    }
}
