//! config/config.schema.json names exactly the words that the core knows.

use serde_json::Value;
use shuntyard_domain::filter::FilterKey;
use shuntyard_domain::phase::Phase;
use shuntyard_domain::project_config::{MAX_ROWS, SettingKey};

fn schema() -> Value {
    serde_json::from_str(include_str!("../../../config/config.schema.json")).unwrap()
}

fn keys(pointer: &str) -> Vec<String> {
    let schema = schema();
    let object = schema.pointer(pointer).and_then(Value::as_object);
    object.unwrap_or_else(|| panic!("{pointer} is no object")).keys().cloned().collect()
}

fn sorted(words: impl Iterator<Item = &'static str>) -> Vec<String> {
    let mut words: Vec<String> = words.map(Into::into).collect();
    words.sort();
    words
}

#[test]
fn the_schema_and_the_core_name_the_same_phases_and_keys() {
    let phases: Vec<&str> = Phase::ALL.iter().map(|phase| phase.as_str()).collect();
    assert_eq!(schema()["$defs"]["phase"]["enum"], serde_json::json!(phases));
    assert_eq!(keys("/$defs/filter/properties"), sorted(FilterKey::ALL.iter().map(|key| key.as_str())));
    assert_eq!(keys("/$defs/phase_settings/properties"), sorted(SettingKey::ALL.iter().map(|key| key.as_str())));
}

#[test]
fn the_schema_and_the_core_allow_the_same_number_of_rows() {
    let matrix = "/$defs/job_dispatch/properties/filters/additionalProperties/anyOf/1/maxItems";
    assert_eq!(schema().pointer(matrix), Some(&MAX_ROWS.into()));
}

#[test]
fn every_reference_of_the_schema_leads_somewhere() {
    fn check(value: &Value, schema: &Value) {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(schema.pointer(pointer).is_some(), "{reference}");
        }
        match value {
            Value::Object(members) => members.values().for_each(|value| check(value, schema)),
            Value::Array(values) => values.iter().for_each(|value| check(value, schema)),
            _ => {}
        }
    }
    check(&schema(), &schema());
}
