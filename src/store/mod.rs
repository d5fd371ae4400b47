//! diesel over SQLite and PostgreSQL; the only place that knows SQL.
//!
//! One file per table; a query is a function on a [`Connection`]. Reads run on a pool, writes on one
//! thread that commits them in groups (`writer`). A job changes state through `job_apply` only.

mod audit;
mod base64_text;
mod cached;
mod change_lists;
mod changes;
mod connection;
mod copy;
mod dial_out_keys;
mod enrolment_tokens;
mod error;
mod fan_out_rows;
mod fan_outs;
mod grants;
mod holdings;
mod inspect;
mod job_apply;
mod job_attempts;
mod job_collected;
mod job_events;
mod job_page;
mod job_receipts;
mod job_row;
mod job_secrets;
mod job_spans;
mod jobs;
mod jump_hosts;
mod migrate;
mod open;
mod outbox;
mod phase_runs;
mod pool_instances;
mod pools;
mod project_limits;
mod project_usage;
mod queue_page;
mod request_keys;
mod retention;
mod row_jobs;
mod runner_events;
mod runner_row;
mod runner_test_history;
mod runner_tests;
mod runners;
mod schema;
mod sealed_columns;
mod secrets;
mod settings;
mod stage_phases;
mod stage_runs;
mod stage_times;
mod tenancy;
mod tokens;
mod url;
mod users;
mod webhook_deliveries;
mod webhooks;
mod within;
mod writer;

pub use audit::{AuditCheck, AuditQuery, AuditRow, Changed, audit_check, audit_note, audit_page};
pub use change_lists::{ChangeQuery, change_page, changes_delivered_last, changes_of_jobs, changes_under_way};
pub use changes::{GivenConfig, change_find, change_given, change_insert, change_keep_given, change_update};
pub use connection::StoreConnection as Connection;
pub use copy::copy_into;
pub use dial_out_keys::{dial_out_key_delete, dial_out_key_list, dial_out_key_set};
pub use enrolment_tokens::{
    EnrolmentTokenRow, TokenUse, enrolment_token_by_id, enrolment_token_find, enrolment_token_insert,
    enrolment_token_list, enrolment_token_prune, enrolment_token_revoke, enrolment_token_use,
};
pub use error::{StoreError, article};
pub use fan_out_rows::{
    fan_out_counts, fan_out_row_start, fan_out_rows_insert, fan_out_rows_leave_out, fan_out_rows_of,
};
pub use fan_outs::{FanOutQuery, fan_out_find, fan_out_insert, fan_out_page, fan_out_update, fan_outs_open};
pub use grants::{grant_delete, grant_insert, grant_list, grants_of, is_there_an_admin};
pub use holdings::{LogHolding, log_holdings};
pub use inspect::{Inspected, inspect};
pub use job_apply::{ApplyError, Expected, job_apply, job_apply_each};
pub use job_attempts::{job_attempt_insert, job_attempt_lost, job_attempts};
pub use job_collected::{
    artifact_contents, job_artifact_find, job_artifacts, job_collected_find, job_collected_insert, jobs_artifact_counts,
};
pub use job_events::{JobEventRow, RecordedEvent, job_events};
pub use job_page::{JobQuery, job_page};
pub use job_receipts::{job_receipt_find, job_receipt_insert};
pub use job_secrets::{job_secrets_find, job_secrets_put};
pub use job_spans::{JobCounts, JobSpan, job_counts, job_spans};
pub use jobs::{
    job_find, job_insert, jobs_on_runners, jobs_placed, jobs_placed_by_state, jobs_runner_hostnames, jobs_unfinished,
    workspaces_in_use,
};
pub use jump_hosts::{
    jump_host_delete, jump_host_find, jump_host_insert, jump_host_list, jump_host_replace_key, jump_host_update,
};
pub use migrate::known_migrations;
pub use open::{Store, StoreOptions, StoreStats};
pub use outbox::TRIED_FOR_MS;
pub use phase_runs::{PhaseRunRow, phase_run_find, phase_run_insert};
pub use pool_instances::{
    InstanceRow, instance_apply, instance_find, instance_insert, instances_delete, instances_live, instances_of,
};
pub use pools::{PoolRow, pool_by_id, pool_delete, pool_find, pool_insert, pool_list, pool_update};
pub use project_limits::{ProjectLimitRow, project_limit_find, project_limit_list, project_limit_set};
pub use project_usage::{QuotaRow, project_quotas_find, project_quotas_set, project_unfinished};
pub use queue_page::{QueuePage, QueueQuery, queue_page};
pub use request_keys::{
    MadeByRequest, MadeKind, REQUEST_KEYS_KEPT_MS, RequestKey, request_key_find, request_keys_prune,
};
pub use retention::{
    JobPart, OldJob, fan_out_forget, fan_out_to_forget, fan_outs_to_forget, jobs_forget, jobs_to_forget,
    jobs_with_part, part_bytes, part_removed_at, parts_removed,
};
pub use row_jobs::{row_job_insert, row_jobs_of};
pub use runner_events::{
    HostKeyAccepted, RunnerChanged, RunnerDeleted, RunnerEvent, RunnerEventRow, ValueChange, runner_event_insert,
    runner_events, runner_snapshot,
};
pub use runner_test_history::{PastTest, past_tests};
pub use runner_tests::{runner_test_find, runner_test_put, runner_tests_at};
pub use runners::{
    runner_by_id, runner_delete, runner_find, runner_insert, runner_list, runner_replace_key, runner_sealed_key,
    runner_state, runner_update,
};
pub use sealed_columns::{SEALED_COLUMNS, SealedRow, sealed_value_replace, sealed_values};
pub use secrets::{
    SecretKey, SecretRow, secret_count, secret_delete, secret_find, secret_first, secret_list, secret_of_a_runner,
    secret_set,
};
pub use settings::{setting_find, setting_or_insert, setting_set};
pub use stage_phases::{stage_phase_end, stage_phase_insert, stage_phases};
pub use stage_runs::{
    stage_run_config, stage_run_insert, stage_run_keep_config, stage_run_last_config, stage_run_last_planned,
    stage_run_update, stage_runs_of, stage_runs_open, stages_taken,
};
pub use stage_times::{Span, StageTook, jobs_ran, phase_spans, stages_took};
pub use tenancy::{
    org_insert, org_list, org_since, pipeline_ensure, pipeline_insert, pipeline_list, pipeline_since, project_insert,
    project_list, project_since,
};
pub use tokens::{
    TokenHolder, TokenOwner, TokenRow, token_find, token_find_by_sha256, token_holder, token_insert, token_list,
    token_revoke, token_used, tokens_prune, tokens_revoke_logins,
};
pub use url::StoreUrl;
pub use users::{
    UserRow, user_delete, user_find, user_insert, user_list, user_password, user_set_disabled, user_set_password,
};
pub use webhook_deliveries::{
    Backlog, Claimed, DeliveryRow, Tried, deliveries_next, deliveries_prune, delivery_again, delivery_claim,
    delivery_list, delivery_tried, webhook_backlog,
};
pub use webhooks::{
    WebhookRow, webhook_count, webhook_delete, webhook_find, webhook_insert, webhook_list, webhook_update,
};
