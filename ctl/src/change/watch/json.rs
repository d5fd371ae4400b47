//! Events for programs: one JSON object a line on standard output.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use shuntyard_domain::ids::StageRunId;
use shuntyard_domain::phase::Phase;
use shuntyard_domain::stage::Status;
use shuntyard_domain::wire::change::{ChangeBody, StageBody};

use super::rows::Row;
use crate::failure::Failure;
use crate::terminal::print;

/// What was said already: only what is new is an event.
#[derive(Default)]
pub struct Json {
    runs: BTreeMap<StageRunId, (Status, bool)>,
    phases: BTreeMap<(StageRunId, Phase), Status>,
    rows: BTreeMap<usize, Value>,
}

impl Json {
    pub fn run(&mut self, change: &ChangeBody, run: &StageBody) -> Result<(), Failure> {
        // The end of a run is its last word: its phases go before it.
        let has_ended = run.finished_at.is_some();
        if has_ended {
            self.phases(run)?;
        }
        let now = (run.status, has_ended);
        if self.runs.insert(run.run, now) != Some(now) {
            say(&json!({
                "event": "run", "change": change.id, "stage": run.stage, "run": run.run, "number": run.number,
                "status": run.status, "fault": run.fault, "finished_at": run.finished_at,
            }))?;
        }
        self.phases(run)
    }

    fn phases(&mut self, run: &StageBody) -> Result<(), Failure> {
        for phase in &run.phases {
            if self.phases.insert((run.run, phase.name), phase.status) != Some(phase.status) {
                say(&json!({
                    "event": "phase", "stage": run.stage, "number": run.number, "phase": phase.name,
                    "status": phase.status,
                }))?;
            }
        }
        Ok(())
    }

    pub fn row(&mut self, row: &Row) -> Result<(), Failure> {
        let Some(job) = &row.job else { return Ok(()) };
        let event = json!({
            "event": "row", "stage": row.stage, "number": row.number, "phase": row.phase, "name": row.name, "filter": row.filter,
            "job": job.id, "state": job.state, "attempt": job.attempt, "runner": job.runner, "outcome": job.outcome,
            "exit_code": job.exit_code, "ended": row.ended,
        });
        if self.rows.insert(row.index, event.clone()).as_ref() == Some(&event) { Ok(()) } else { say(&event) }
    }

    pub fn output(row: &Row, offset: u64, bytes: &[u8]) -> Result<(), Failure> {
        say(&json!({"event": "output", "job": row.job_id, "offset": offset, "base64": STANDARD.encode(bytes)}))
    }

    pub fn remark(row: &Row, said: &str) -> Result<(), Failure> {
        say(&json!({"event": "remark", "job": row.job_id, "message": said}))
    }

    pub fn contact(lost: Option<&str>) -> Result<(), Failure> {
        say(&json!({"event": "contact", "lost": lost}))
    }

    pub fn end(change: &ChangeBody) -> Result<(), Failure> {
        say(&json!({"event": "end", "change": change}))
    }
}

fn say(event: &Value) -> Result<(), Failure> {
    print(format!("{event}\n").as_bytes())
}
