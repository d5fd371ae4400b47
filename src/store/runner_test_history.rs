//! What the last Tests of each runner came to.

use diesel::prelude::*;

use shuntyard_domain::ids::RunnerId;
use shuntyard_domain::probe::{TestKind, TestRecord, Verdict};

use super::connection::StoreConnection;
use super::error::{About, Row, StoreError};
use super::schema::runner_test_history;

const TEST: &str = "earlier Test of a runner";
/// Tests that are kept of a runner.
const KEPT: i64 = 50;

/// One Test, in a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastTest {
    pub at_ms: i64,
    pub kind: TestKind,
    pub verdict: Verdict,
    /// The first probe with that verdict, and what it saw; `None` when all is well.
    pub said: Option<String>,
}

impl From<&TestRecord> for PastTest {
    fn from(test: &TestRecord) -> Self {
        let verdict = test.report.verdict();
        let worst = test.report.probes.iter().find(|probe| verdict != Verdict::Ok && probe.verdict == verdict);
        let said = worst.map(|probe| format!("{}: {}", probe.name, probe.evidence));
        Self { at_ms: test.at_ms, kind: test.kind, verdict, said }
    }
}

/// Adds a Test, and forgets those before the last 50; one of the same millisecond takes the place of the other.
pub(super) fn past_test_add(c: &mut StoreConnection, id: &str, test: &PastTest) -> Result<(), StoreError> {
    let about = About { what: TEST, key: id };
    let of_runner = runner_test_history::table.filter(runner_test_history::runner_id.eq(id));
    let kept = of_runner.order(runner_test_history::at_ms.desc()).select(runner_test_history::at_ms);
    let last_kept = kept.offset(KEPT - 2).first::<i64>(c).optional().map_err(|source| about.find(source))?;
    let too_old = runner_test_history::at_ms.lt(last_kept.unwrap_or(i64::MIN));
    let same = runner_test_history::at_ms.eq(test.at_ms);
    let of_runner = runner_test_history::table.filter(runner_test_history::runner_id.eq(id));
    diesel::delete(of_runner.filter(too_old.or(same))).execute(c).map_err(|source| about.delete(source))?;
    let values = (
        runner_test_history::runner_id.eq(id),
        runner_test_history::at_ms.eq(test.at_ms),
        runner_test_history::made_as.eq(test.kind.as_str()),
        runner_test_history::verdict.eq(test.verdict.as_str()),
        runner_test_history::said.eq(&test.said),
    );
    diesel::insert_into(runner_test_history::table)
        .values(values)
        .execute(c)
        .map(drop)
        .map_err(|source| about.insert(source))
}

/// The last Tests of a runner, newest first.
///
/// # Errors
/// `StoreError`
pub fn past_tests(c: &mut StoreConnection, id: RunnerId, limit: i64) -> Result<Vec<PastTest>, StoreError> {
    let key = id.to_string();
    let row = Row { table: "runner_test_history", key: &key };
    let columns = (
        runner_test_history::at_ms,
        runner_test_history::made_as,
        runner_test_history::verdict,
        runner_test_history::said,
    );
    let found: Vec<(i64, String, String, Option<String>)> = runner_test_history::table
        .filter(runner_test_history::runner_id.eq(&key))
        .order(runner_test_history::at_ms.desc())
        .limit(limit)
        .select(columns)
        .load(c)
        .map_err(|source| StoreError::List { what: "earlier Tests", source })?;
    let past = |(at_ms, kind, verdict, said): (i64, String, String, Option<String>)| {
        Ok(PastTest { at_ms, kind: row.parse("made_as", &kind)?, verdict: row.parse("verdict", &verdict)?, said })
    };
    found.into_iter().map(past).collect()
}

/// Forgets the Tests of a runner that is deleted.
pub(super) fn past_tests_delete(c: &mut StoreConnection, id: &str) -> Result<(), StoreError> {
    let of_runner = runner_test_history::table.filter(runner_test_history::runner_id.eq(id));
    diesel::delete(of_runner).execute(c).map(drop).map_err(|source| About { what: TEST, key: id }.delete(source))
}
