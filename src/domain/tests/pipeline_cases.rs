//! Scripts under fixtures/pipelines: what happens to a change, and what the reconciler says then.

mod fixture_files;
mod pipeline_world;

use std::path::Path;

use fixture_files::fixture_files;
use pipeline_world::{World, path};
use serde::Deserialize;
use serde_json::Value;
use shuntyard_domain::ids::ChangeId;
use shuntyard_domain::project_config::parse;
use shuntyard_domain::stage::allowed;
use uuid::Uuid;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    about: String,
    /// The change's config.json.
    config: Value,
    #[serde(default)]
    consumers: Vec<ConsumerTold>,
    script: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConsumerTold {
    project: String,
    config: Value,
}

/// What happens, and what follows. Keys that are not given are not looked at, except for `then`: nothing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    event: String,
    /// Every step until there is none.
    #[serde(default)]
    then: Vec<String>,
    /// The event is refused, and why.
    refused: Option<String>,
    allowed: Option<Vec<String>>,
    shown: Option<String>,
}

fn check(file: &Path) {
    let text = std::fs::read_to_string(file).unwrap();
    let case: Case = serde_json::from_str(&text).unwrap_or_else(|fault| panic!("{}: {fault}", file.display()));
    let mut world = World::new(&case.config.to_string());
    for (number, told) in (0..).zip(case.consumers) {
        let config = parse(&told.config.to_string()).unwrap();
        world.consumers.push((path(&told.project), ChangeId(Uuid::from_u128(10 + number)), config));
    }
    for (number, entry) in (1..).zip(case.script) {
        let place = format!("{} ({}), entry {number}, `{}`", file.display(), case.about, entry.event);
        assert_eq!(world.event(&entry.event).err(), entry.refused, "{place}");
        let steps = world.settle();
        let steps: Vec<String> = steps.iter().map(|step| world.told(step)).collect();
        assert_eq!(steps, entry.then, "{place}");
        if let Some(expected) = entry.allowed {
            let found: Vec<String> = allowed(&world.view()).iter().map(ToString::to_string).collect();
            assert_eq!(found, expected, "{place}");
        }
        if let Some(expected) = entry.shown {
            assert_eq!(world.shown(), expected, "{place}");
        }
    }
}

#[test]
fn every_script_of_a_change_gives_its_steps() {
    fixture_files("pipelines", "json", 8).iter().for_each(|file| check(file));
}
