//! The tables as diesel sees them; `migrations/` is the truth.

mod access;
mod inventory;

pub use access::*;
pub use inventory::*;

diesel::table! {
    settings (name) {
        name -> Text,
        value -> Text,
    }
}

diesel::table! {
    secrets (enterprise, org, project, runner_id, name) {
        enterprise -> Text,
        org -> Text,
        project -> Text,
        runner_id -> Text,
        name -> Text,
        sealed -> Text,
        created_at_ms -> BigInt,
        created_by -> Text,
        updated_at_ms -> BigInt,
        updated_by -> Text,
    }
}

diesel::table! {
    job_secrets (job_id) {
        job_id -> Text,
        sealed -> Text,
    }
}

diesel::table! {
    phase_runs (id) {
        id -> Text,
        enterprise -> Text,
        org -> Text,
        project -> Text,
        phase -> Text,
        stage -> Nullable<Text>,
        config_digest -> Text,
        config_text -> Text,
        created_at_ms -> BigInt,
        skipped -> Bool,
        stage_run_id -> Nullable<Text>,
        carried -> Nullable<Text>,
        finished_at_ms -> Nullable<BigInt>,
        status -> Nullable<Text>,
    }
}

diesel::table! {
    orgs (enterprise, name) {
        enterprise -> Text,
        name -> Text,
        created_at_ms -> BigInt,
    }
}

diesel::table! {
    project_limits (enterprise, org, project) {
        enterprise -> Text,
        org -> Text,
        project -> Text,
        running -> BigInt,
        set_at_ms -> BigInt,
    }
}

diesel::table! {
    project_usage (enterprise, org, project) {
        enterprise -> Text,
        org -> Text,
        project -> Text,
        unfinished -> BigInt,
    }
}

diesel::table! {
    project_quotas (enterprise, org, project) {
        enterprise -> Text,
        org -> Text,
        project -> Text,
        unfinished_jobs -> Nullable<BigInt>,
        script_bytes -> Nullable<BigInt>,
        matrix_rows -> Nullable<BigInt>,
        job_log_bytes -> Nullable<BigInt>,
        set_at_ms -> BigInt,
    }
}

diesel::table! {
    projects (enterprise, org, name) {
        enterprise -> Text,
        org -> Text,
        name -> Text,
        created_at_ms -> BigInt,
    }
}

diesel::table! {
    pipelines (enterprise, org, project, name) {
        enterprise -> Text,
        org -> Text,
        project -> Text,
        name -> Text,
        created_at_ms -> BigInt,
    }
}

diesel::table! {
    changes (id) {
        id -> Text,
        enterprise -> Text,
        org -> Text,
        project -> Text,
        pipeline -> Text,
        title -> Text,
        description -> Text,
        state -> Text,
        source -> Text,
        submitted_at_ms -> BigInt,
        submitted_by -> Text,
        approved_at_ms -> Nullable<BigInt>,
        approved_by -> Nullable<Text>,
        delivered_at_ms -> Nullable<BigInt>,
        delivered_by -> Nullable<Text>,
        version -> BigInt,
        given_config -> Nullable<Text>,
        given_local_phases -> Nullable<Text>,
    }
}

diesel::table! {
    stage_runs (id) {
        id -> Text,
        change_id -> Text,
        pipeline_path -> Text,
        stage -> Text,
        number -> BigInt,
        triggered_by -> Nullable<Text>,
        repeats -> Nullable<Text>,
        config_text -> Nullable<Text>,
        plan -> Nullable<Text>,
        plan_fault -> Nullable<Text>,
        cancel_at_ms -> Nullable<BigInt>,
        cancel_by -> Nullable<Text>,
        created_at_ms -> BigInt,
        finished_at_ms -> Nullable<BigInt>,
        status -> Nullable<Text>,
        version -> BigInt,
    }
}

diesel::table! {
    row_jobs (phase_run_id, matrix_row, turn) {
        phase_run_id -> Text,
        matrix_row -> BigInt,
        turn -> BigInt,
        job_id -> Text,
    }
}

diesel::table! {
    audit (seq) {
        seq -> BigInt,
        at_ms -> BigInt,
        actor -> Text,
        token_id -> Nullable<Text>,
        address -> Nullable<Text>,
        request_id -> Text,
        action -> Text,
        subject -> Text,
        before -> Nullable<Text>,
        after -> Nullable<Text>,
        previous -> Text,
        hash -> Text,
    }
}

diesel::table! {
    jobs (id) {
        id -> Text,
        enterprise -> Text,
        org -> Text,
        project -> Text,
        stage -> Nullable<Text>,
        phase -> Nullable<Text>,
        phase_run_id -> Nullable<Text>,
        matrix_row -> BigInt,
        title -> Text,
        spec -> Text,
        filter -> Text,
        priority -> Integer,
        created_at_ms -> BigInt,
        state -> Text,
        state_at_ms -> BigInt,
        attempt -> BigInt,
        version -> BigInt,
        runner_id -> Nullable<Text>,
        runner_hostname -> Nullable<Text>,
        started_at_ms -> Nullable<BigInt>,
        finished_at_ms -> Nullable<BigInt>,
        cancel_at_ms -> Nullable<BigInt>,
        cancel_by -> Nullable<Text>,
        cancel_reason -> Nullable<Text>,
        exit_code -> Nullable<Integer>,
        stop_reason -> Nullable<Text>,
        not_run_reason -> Nullable<Text>,
        lost_evidence -> Nullable<Text>,
        log_bytes -> Nullable<BigInt>,
        log_cksum -> Nullable<BigInt>,
        log_truncated -> Nullable<Bool>,
        log_elided_bytes -> Nullable<BigInt>,
    }
}

diesel::table! {
    job_events (job_id, version) {
        job_id -> Text,
        version -> BigInt,
        at_ms -> BigInt,
        kind -> Text,
        body -> Nullable<Text>,
    }
}

diesel::table! {
    job_attempts (job_id, attempt) {
        job_id -> Text,
        attempt -> BigInt,
        runner_id -> Text,
        runner_hostname -> Nullable<Text>,
        intended_at_ms -> BigInt,
        boot_id -> Nullable<Text>,
        instance_id -> Nullable<Text>,
        lost_evidence -> Nullable<Text>,
        lost_at_ms -> Nullable<BigInt>,
        boot_id_now -> Nullable<Text>,
        instance_id_now -> Nullable<Text>,
    }
}

diesel::table! {
    job_receipts (job_id) {
        job_id -> Text,
        attempt -> BigInt,
        body -> Text,
    }
}

diesel::table! {
    job_collected (job_id) {
        job_id -> Text,
        attempt -> BigInt,
        outputs -> Text,
        outputs_fault -> Nullable<Text>,
        artifacts_fault -> Nullable<Text>,
    }
}

diesel::table! {
    job_artifacts (job_id, path) {
        job_id -> Text,
        path -> Text,
        size -> BigInt,
        digest -> Text,
        executable -> Bool,
    }
}

diesel::table! {
    webhooks (id) {
        id -> Text,
        name -> Text,
        url -> Text,
        events -> Text,
        org -> Nullable<Text>,
        project -> Nullable<Text>,
        enabled -> Bool,
        sealed_secret -> Text,
        created_at_ms -> BigInt,
        created_by -> Text,
        dropped -> BigInt,
    }
}

diesel::table! {
    webhook_deliveries (id) {
        id -> Text,
        webhook_id -> Text,
        event -> Text,
        body -> Text,
        state -> Text,
        attempts -> BigInt,
        created_at_ms -> BigInt,
        next_try_at_ms -> BigInt,
        until_ms -> BigInt,
        last_at_ms -> Nullable<BigInt>,
        last_status -> Nullable<BigInt>,
        last_error -> Nullable<Text>,
    }
}

diesel::table! {
    fan_outs (id) {
        id -> Text,
        enterprise -> Text,
        org -> Text,
        project -> Text,
        title -> Text,
        spec -> Text,
        filter -> Text,
        priority -> Integer,
        pace -> Text,
        left_out -> Text,
        repeats -> Nullable<Text>,
        created_at_ms -> BigInt,
        created_by -> Text,
        cancel_at_ms -> Nullable<BigInt>,
        cancel_by -> Nullable<Text>,
        finished_at_ms -> Nullable<BigInt>,
        status -> Nullable<Text>,
        version -> BigInt,
    }
}

diesel::table! {
    fan_out_rows (fan_out_id, number) {
        fan_out_id -> Text,
        number -> BigInt,
        runner_id -> Text,
        hostname -> Text,
        job_id -> Nullable<Text>,
        not_run_reason -> Nullable<Text>,
    }
}

diesel::table! {
    removed_parts (job_id, part) {
        job_id -> Text,
        part -> Text,
        removed_at_ms -> BigInt,
        bytes -> BigInt,
    }
}

diesel::table! {
    request_keys (caller, key) {
        caller -> Text,
        key -> Text,
        digest -> Text,
        made_kind -> Text,
        made_id -> Text,
        at_ms -> BigInt,
    }
}

diesel::joinable!(removed_parts -> jobs (job_id));
diesel::joinable!(row_jobs -> jobs (job_id));
diesel::joinable!(jobs -> phase_runs (phase_run_id));
diesel::joinable!(phase_runs -> stage_runs (stage_run_id));
diesel::joinable!(stage_runs -> changes (change_id));
diesel::joinable!(fan_out_rows -> jobs (job_id));
diesel::allow_tables_to_appear_in_same_query!(row_jobs, jobs, phase_runs, stage_runs, changes);
diesel::allow_tables_to_appear_in_same_query!(fan_out_rows, jobs);
diesel::allow_tables_to_appear_in_same_query!(removed_parts, jobs);
