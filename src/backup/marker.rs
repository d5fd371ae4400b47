//! The first start on restored data: the queue begins paused.

use std::fs;
use std::io;

use serde::Deserialize;

use super::{BackupError, MARKER, at};
use crate::config::DataPaths;
use crate::dispatch::pause_restored;
use crate::store::Store;

#[derive(Deserialize)]
struct Marker {
    made_at: String,
}

/// Stores the pause that a restore has asked for, once. Before the engine starts.
///
/// # Errors
/// `BackupError` when the mark cannot be read or the pause cannot be stored: then nothing may start.
pub async fn take_up(paths: &DataPaths, store: &Store, now_ms: i64) -> Result<(), BackupError> {
    let path = paths.data_dir.join(MARKER);
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        text => text.map_err(at("read", &path))?,
    };
    let made_at =
        serde_json::from_str(&text).map_or_else(|_| "an unknown time".to_owned(), |mark: Marker| mark.made_at);
    let reason = format!("the data is from the backup of {made_at}");
    store.write(move |c| pause_restored(c, now_ms, reason)).await?;
    fs::remove_file(&path).map_err(at("remove", &path))
}
