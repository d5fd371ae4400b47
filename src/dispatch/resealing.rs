//! Sealing everything anew under another master key, in one transaction; nothing else runs meanwhile.

use super::{job_secrets, jump_hosts, keeper, pools, secrets, webhooks};
use crate::sealed::{SealError, Sealer};
use crate::store::{SealedRow, Store, StoreError, sealed_value_replace, sealed_values};

/// Why a rotation stopped; nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ResealError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// What a rotation found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Values that were sealed anew.
    pub anew: usize,
    /// Values that had been, by a rotation that was interrupted behind its commit.
    pub before: usize,
}

/// Opens every value with `old` and seals it with `new`. One that `new` has sealed already is only opened.
///
/// # Errors
/// `Seal` for a value that neither opens.
pub async fn reseal(store: &Store, old: Sealer, new: Sealer) -> Result<Resealed, ResealError> {
    let work = move |c: &mut crate::store::Connection| -> Result<Resealed, ResealError> {
        let mut done = Resealed::default();
        for (row, sealed) in sealed_values(c)? {
            let context = context_of(&row);
            if new.has_sealed(&sealed) && new.open(&context, &sealed).is_ok() {
                done.before += 1;
                continue;
            }
            let plain = old.open(&context, &sealed)?;
            sealed_value_replace(c, &row, &new.seal(&context, &plain)?)?;
            done.anew += 1;
        }
        Ok(done)
    };
    store.write(work).await
}

/// Opens every value.
///
/// # Errors
/// `Seal` for one that does not open.
pub async fn check_sealed(store: &Store, sealer: Sealer) -> Result<usize, ResealError> {
    let values = store.read(sealed_values).await?;
    values.iter().try_for_each(|(row, sealed)| open_sealed(&sealer, row, sealed))?;
    Ok(values.len())
}

/// Opens one value, and forgets what is in it.
///
/// # Errors
/// As `Sealer::open`.
pub fn open_sealed(sealer: &Sealer, row: &SealedRow, sealed: &[u8]) -> Result<(), SealError> {
    sealer.open(&context_of(row), sealed).map(drop)
}

/// The associated data of each kind of row.
fn context_of(row: &SealedRow) -> String {
    match row {
        SealedRow::RunnerKey(id) => keeper::key_context_of(id),
        SealedRow::JumpHostKey(id) => jump_hosts::key_context_of(id),
        SealedRow::WebhookSecret(id) => webhooks::context(id),
        SealedRow::PoolSecret(id) => pools::secret_context_of(id),
        SealedRow::PoolInstanceToken(id) => pools::token_context(id),
        SealedRow::Secret(key) => secrets::context(key),
        SealedRow::JobSecrets(id) => job_secrets::handed_context_of(id),
    }
}
