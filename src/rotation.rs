//! `shuntd rotate-master-key`: everything sealed anew under another key, while no daemon runs.
//!
//! Steps, each of which may be the last before a crash: the new key lies beside the old one (`master.key.next`); all values
//! are sealed anew in one transaction; the old key is kept aside (`master.key.old`) and the new one takes its place; all
//! values open, and the old key goes. The same command again goes on from wherever it stopped, and no daemon starts before.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::config::{Config, DataPaths, Kept, next_master_key};
use crate::daemon::lock;
use crate::dispatch::{Resealed, check_sealed, reseal};
use crate::sealed::{Sealer, make_key_file, read_key_file, sync_directory_of};
use crate::store::{Store, StoreOptions, StoreUrl};

/// The step behind which a rotation stops; all but the last are for tests of what a crash leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Until {
    KeyMade,
    Resealed,
    KeptAside,
    Replaced,
    Done,
}

fn old_of(master_key: &Path) -> PathBuf {
    master_key.with_extension("key.old")
}

/// # Errors
/// When a rotation has not reached its end: the values may be sealed with either key.
pub(crate) fn refuse_half_a_rotation(paths: &DataPaths) -> anyhow::Result<()> {
    if let Some(next) = paths.half_a_rotation() {
        bail!(
            "a rotation of the master key was interrupted ({} is there); run `shuntd rotate-master-key` again, which finishes it",
            next.display()
        );
    }
    Ok(())
}

/// Rotates the master key, to the key of the file `given` or to a fresh one; answers what to tell.
///
/// # Errors
/// When a daemon runs on the data directory, a key cannot be read, or a value does not open: nothing has changed then.
pub async fn rotate_master_key(config: &Config, given: Option<&Path>, until: Until) -> anyhow::Result<String> {
    let paths = config.paths();
    if !paths.master_key.exists() {
        bail!("there is no master key {}; a first start makes it", paths.master_key.display());
    }
    let _lock = lock(&paths.lock)?;
    let url = StoreUrl::parse(&config.store.url).context("see [store] url")?;
    let store = Store::open(&url, StoreOptions::default()).with_context(|| format!("cannot open the store {url}"))?;
    let rotated = match (paths.master_key_kept, given) {
        (Kept::InDataDir, given) => Rotation { store: &store, key: &paths.master_key, given }.run(until).await,
        (kept, Some(given)) => kept_elsewhere(&store, &paths.master_key, kept, given).await,
        (_, None) => Err(anyhow::anyhow!(
            "the master key {} is not the daemon's own file; give the new one with --new-key FILE, and put it there yourself then",
            paths.master_key.display()
        )),
    };
    store.close().await;
    rotated
}

/// A person or systemd keeps the key: everything is sealed anew, and they replace it.
async fn kept_elsewhere(store: &Store, key: &Path, kept: Kept, given: &Path) -> anyhow::Result<String> {
    let old = Sealer::new(&read_key_file(key, kept == Kept::BySystemd)?);
    let new = Sealer::new(&read_key_file(given, false)?);
    let done = reseal(store, old, new.clone()).await?;
    check_sealed(store, new.clone()).await?;
    let told = told(done, &new);
    Ok(format!("{told}; put {} in the place of {} before the daemon starts", given.display(), key.display()))
}

struct Rotation<'r> {
    store: &'r Store,
    key: &'r Path,
    given: Option<&'r Path>,
}

impl Rotation<'_> {
    async fn run(&self, until: Until) -> anyhow::Result<String> {
        let (next, kept) = (next_master_key(self.key), old_of(self.key));
        if !next.exists() && kept.exists() {
            return self.finish("the interrupted rotation is finished").await;
        }
        self.make_next(&next)?;
        let (old, new) = (read_key_file(self.key, false)?, read_key_file(&next, false)?);
        let (old, new) = (Sealer::new(&old), Sealer::new(&new));
        if until == Until::KeyMade {
            return Ok(String::new());
        }
        let done = reseal(self.store, old, new.clone()).await?;
        if until == Until::Resealed {
            return Ok(String::new());
        }
        if !kept.exists() {
            fs::hard_link(self.key, &kept).with_context(|| format!("cannot keep the old key as {}", kept.display()))?;
            sync_directory_of(self.key)?;
        }
        if until == Until::KeptAside {
            return Ok(String::new());
        }
        fs::rename(&next, self.key).with_context(|| format!("cannot replace {}", self.key.display()))?;
        sync_directory_of(self.key)?;
        if until == Until::Replaced {
            return Ok(String::new());
        }
        self.finish(&told(done, &new)).await
    }

    /// Lays the new key ready; one that an interrupted rotation has left is taken again.
    fn make_next(&self, next: &Path) -> anyhow::Result<()> {
        match (self.given, next.exists()) {
            (None, true) => Ok(()),
            (None, false) => Ok(make_key_file(next)?),
            (Some(given), false) => {
                read_key_file(given, false)?;
                // Renamed when it is whole; the mode comes along.
                let fresh = next.with_extension("fresh");
                fs::copy(given, &fresh).with_context(|| format!("cannot copy {}", given.display()))?;
                fs::File::open(&fresh).and_then(|file| file.sync_all()).context("cannot sync the new key")?;
                fs::rename(&fresh, next).with_context(|| format!("cannot make {}", next.display()))?;
                Ok(sync_directory_of(next)?)
            }
            (Some(given), true) => {
                let (theirs, ours) = (read_key_file(given, false)?, read_key_file(next, false)?);
                if Sealer::new(&theirs).key_id() != Sealer::new(&ours).key_id() {
                    bail!("a rotation to another key was interrupted; finish it first, without --new-key");
                }
                Ok(())
            }
        }
    }

    /// The old key goes once every value opens with the new one.
    async fn finish(&self, told: &str) -> anyhow::Result<String> {
        let sealer = Sealer::new(&read_key_file(self.key, false)?);
        let opened = check_sealed(self.store, sealer).await?;
        let kept = old_of(self.key);
        fs::remove_file(&kept).with_context(|| format!("cannot remove {}", kept.display()))?;
        sync_directory_of(self.key)?;
        Ok(format!("{told}; all {opened} value(s) open; back up {} again", self.key.display()))
    }
}

fn told(done: Resealed, new: &Sealer) -> String {
    let before = if done.before > 0 { format!(" ({} were already)", done.before) } else { String::new() };
    format!("{} value(s) are sealed with master key {} now{before}", done.anew, new.key_id())
}
