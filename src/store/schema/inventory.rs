//! The tables of runners, of the ways to them, and of how they came.

diesel::table! {
    runners (id) {
        id -> Text,
        hostname -> Text,
        endpoint -> Text,
        openssh_public_key -> Text,
        sealed_private_key -> Text,
        installation -> Text,
        facts -> Text,
        labels -> Text,
        capabilities -> Text,
        scope_org -> Nullable<Text>,
        slots -> BigInt,
        state -> Text,
        health -> Text,
        created_at_ms -> BigInt,
        last_seen_at_ms -> Nullable<BigInt>,
        version -> BigInt,
        state_note -> Nullable<Text>,
        one_off -> Nullable<Text>,
        pool -> Nullable<Text>,
    }
}

diesel::table! {
    jump_hosts (id) {
        id -> Text,
        name -> Text,
        endpoint -> Text,
        openssh_public_key -> Text,
        sealed_private_key -> Text,
        quarantine -> Nullable<Text>,
        created_at_ms -> BigInt,
        updated_at_ms -> BigInt,
        version -> BigInt,
    }
}

diesel::table! {
    runner_test_history (runner_id, at_ms) {
        runner_id -> Text,
        at_ms -> BigInt,
        made_as -> Text,
        verdict -> Text,
        said -> Nullable<Text>,
    }
}

diesel::table! {
    runner_tests (runner_id) {
        runner_id -> Text,
        at_ms -> BigInt,
        made_as -> Text,
        probes -> Text,
    }
}

diesel::table! {
    runner_events (runner_id, version) {
        runner_id -> Text,
        version -> BigInt,
        hostname -> Text,
        at_ms -> BigInt,
        kind -> Text,
        body -> Text,
    }
}

diesel::table! {
    enrolment_tokens (id) {
        id -> Text,
        name -> Text,
        prefix -> Text,
        sha256 -> Text,
        created_at_ms -> BigInt,
        created_by -> Text,
        expires_at_ms -> BigInt,
        cidr -> Nullable<Text>,
        hostname -> Nullable<Text>,
        labels -> Text,
        scope_org -> Nullable<Text>,
        slots -> BigInt,
        used_at_ms -> Nullable<BigInt>,
        runner_id -> Nullable<Text>,
        runner_hostname -> Nullable<Text>,
        revoked_at_ms -> Nullable<BigInt>,
        jump -> Nullable<Text>,
        one_off -> Bool,
        capabilities -> Text,
        pool_instance -> Nullable<Text>,
        dial_out -> BigInt,
    }
}

diesel::table! {
    pools (id) {
        id -> Text,
        name -> Text,
        spec -> Text,
        sealed_secret -> Text,
        deleting -> Bool,
        created_at_ms -> BigInt,
        created_by -> Text,
        version -> BigInt,
    }
}

diesel::table! {
    pool_instances (id) {
        id -> Text,
        pool_id -> Text,
        state -> Text,
        reason -> Nullable<Text>,
        note -> Nullable<Text>,
        provider_id -> Nullable<Text>,
        token_id -> Text,
        sealed_token -> Nullable<Text>,
        runner_id -> Nullable<Text>,
        created_at_ms -> BigInt,
        state_at_ms -> BigInt,
        accepted_at_ms -> Nullable<BigInt>,
        enrolled_at_ms -> Nullable<BigInt>,
        version -> BigInt,
    }
}

diesel::table! {
    dial_out_keys (runner_id) {
        runner_id -> Text,
        public_key -> Text,
        created_at_ms -> BigInt,
    }
}
