//! What was done, and what is left for a person to do.

use std::path::Path;

use super::{KEYS, MASTER_KEY, Made, Restored};

/// A finished backup.
#[must_use]
pub fn told(made: &Made) -> String {
    let manifest = &made.manifest;
    let mut text = format!("{} files, {} bytes: {}\n", manifest.files.len(), made.bytes, made.file.display());
    if manifest.database == "elsewhere" {
        text.push_str("The database is not in it: keep the pg_dump that you made before this beside it.\n");
    }
    if is_missing(&manifest.left_out) {
        text.push_str(
            "master.key is not in it: keep a copy of it apart, mode 0400; without it nobody opens what is sealed.\n",
        );
    } else {
        text.push_str(
            "master.key IS in it: who has this file has all runners and secrets. Keep it like the key itself.\n",
        );
    }
    text
}

/// A finished restore, with the next steps.
#[must_use]
pub fn told_restored(restored: &Restored, to: &Path) -> String {
    let manifest = &restored.manifest;
    let mut steps = Vec::new();
    if !restored.has_database() {
        steps.push("restore the pg_dump of that time into the database that [store] url names".to_owned());
    }
    let missing: Vec<&str> = KEYS.into_iter().filter(|key| manifest.left_out.iter().any(|left| left == key)).collect();
    if !missing.is_empty() {
        steps.push(format!("put {} back into {}, mode 0400", missing.join(" and "), to.display()));
    }
    steps.push(format!("look at it: shuntd check --data-dir {}", to.display()));
    steps.push(format!("start it: [data] dir = \"{}\"", to.display()));
    steps.push("the queue starts paused until every runner was asked: shunt queue show".to_owned());
    let steps: String = steps.iter().enumerate().map(|(n, step)| format!("  {}. {step}\n", n + 1)).collect();
    let (files, made_at) = (manifest.files.len(), &manifest.made_at);
    format!("{files} files of the backup of {made_at}, {} bytes: {}\n{steps}", restored.bytes, to.display())
}

fn is_missing(left_out: &[String]) -> bool {
    left_out.iter().any(|name| name == MASTER_KEY)
}
