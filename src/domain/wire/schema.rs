//! JSON Schemas that a derive cannot tell: texts with a shape of their own, and words that several enums make up.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::digest::Digest;
use crate::fan_out::Share;
use crate::outcome::Outcome;
use crate::pool::name::PoolName;
use crate::tenancy::Name;

/// Gives a type a schema that stands where the type is used, instead of a reference to a named one.
macro_rules! inline_schema {
    ($of:ty, $name:literal, $schema:expr) => {
        impl JsonSchema for $of {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

inline_schema!(Digest, "Digest", json_schema!({"type": "string", "pattern": "^[0-9a-f]{64}$"}));
inline_schema!(
    Name,
    "Name",
    json_schema!({"type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$", "examples": ["default"]})
);
inline_schema!(
    PoolName,
    "PoolName",
    json_schema!({"type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$", "examples": ["builders"]})
);
inline_schema!(
    Share,
    "Share",
    json_schema!({"anyOf": [
        {"type": "integer", "minimum": 0, "maximum": u32::MAX, "description": "A number."},
        {"type": "string", "pattern": "^0*([0-9]{1,2}|100)%$", "description": "A part of all, as in `10%`."},
    ]})
);

/// The words of a job's state.
pub struct StateWord;
inline_schema!(StateWord, "StateWord", json_schema!({"type": "string", "enum": state_words(&[])}));

/// The words of a row of a fan-out: those of its job, and two for a row without one.
pub struct RowStateWord;
inline_schema!(
    RowStateWord,
    "RowStateWord",
    json_schema!({"type": "string", "enum": state_words(&["waiting", "not_run"])})
);

fn state_words(others: &[&'static str]) -> Vec<&'static str> {
    let live = ["queued", "assigned", "starting", "running"];
    live.into_iter().chain(Outcome::ALL.iter().map(|end| end.as_str())).chain(others.iter().copied()).collect()
}
