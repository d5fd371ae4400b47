//! The probes of each runner's last Test.

use std::collections::HashMap;

use diesel::prelude::*;

use shuntyard_domain::ids::RunnerId;
use shuntyard_domain::probe::{Report, TestKind, TestRecord};

use super::connection::StoreConnection;
use super::error::{About, Row, StoreError};
use super::runner_test_history::{PastTest, past_test_add, past_tests_delete};
use super::schema::runner_tests;

const TEST: &str = "last Test of a runner";

#[derive(Insertable, AsChangeset)]
#[diesel(table_name = runner_tests, primary_key(runner_id))]
struct TestRow<'r> {
    runner_id: &'r str,
    at_ms: i64,
    made_as: &'r str,
    probes: String,
}

/// Keeps the last Test of a runner; it replaces the one before, of which only the verdict stays.
///
/// # Errors
/// `Conflict` when another dispatcher stores its first one at the same moment.
pub fn runner_test_put(c: &mut StoreConnection, id: RunnerId, test: &TestRecord) -> Result<(), StoreError> {
    let key = id.to_string();
    let about = About { what: TEST, key: &key };
    let probes = about.json("probes", &test.report)?;
    let values = TestRow { runner_id: &key, at_ms: test.at_ms, made_as: test.kind.as_str(), probes };
    past_test_add(c, &key, &PastTest::from(test))?;
    let row = runner_tests::table.find(&key);
    if diesel::update(row).set(&values).execute(c).map_err(|source| about.update(source))? > 0 {
        return Ok(());
    }
    c.transaction(|c| diesel::insert_into(runner_tests::table).values(&values).execute(c))
        .map(drop)
        .map_err(|source| about.insert(source))
}

/// Returns the last Test of a runner; `None`: there was none since this is kept.
pub fn runner_test_find(c: &mut StoreConnection, id: RunnerId) -> Result<Option<TestRecord>, StoreError> {
    let key = id.to_string();
    let columns = (runner_tests::at_ms, runner_tests::made_as, runner_tests::probes);
    let found = runner_tests::table.find(&key).select(columns).first::<(i64, String, String)>(c).optional();
    let found = found.map_err(|source| About { what: TEST, key: &key }.find(source))?;
    let row = Row { table: "runner_tests", key: &key };
    found
        .map(|(at_ms, kind, probes)| {
            let (kind, report): (TestKind, Report) = (row.parse("made_as", &kind)?, row.json("probes", &probes)?);
            Ok(TestRecord { at_ms, kind, report })
        })
        .transpose()
}

/// When the last Tests of these runners had ended, in Unix milliseconds; a runner that was never tested is left out.
pub fn runner_tests_at(c: &mut StoreConnection, ids: &[RunnerId]) -> Result<HashMap<RunnerId, i64>, StoreError> {
    let keys: HashMap<String, RunnerId> = ids.iter().map(|id| (id.to_string(), *id)).collect();
    let found = runner_tests::table.filter(runner_tests::runner_id.eq_any(keys.keys()));
    let rows: Vec<(String, i64)> = found
        .select((runner_tests::runner_id, runner_tests::at_ms))
        .load(c)
        .map_err(|source| StoreError::List { what: "last Tests", source })?;
    Ok(rows.into_iter().filter_map(|(key, at_ms)| Some((*keys.get(&key)?, at_ms))).collect())
}

/// Forgets the last Test of a runner that is deleted.
pub(super) fn runner_test_delete(c: &mut StoreConnection, id: RunnerId) -> Result<(), StoreError> {
    let key = id.to_string();
    past_tests_delete(c, &key)?;
    let deleted = diesel::delete(runner_tests::table.find(&key)).execute(c);
    deleted.map(drop).map_err(|source| About { what: TEST, key: &key }.delete(source))
}
