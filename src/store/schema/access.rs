//! The tables of users, what they were given, and of tokens.

diesel::table! {
    tokens (id) {
        id -> Text,
        name -> Text,
        prefix -> Text,
        sha256 -> Text,
        created_at_ms -> BigInt,
        last_used_at_ms -> Nullable<BigInt>,
        expires_at_ms -> Nullable<BigInt>,
        revoked_at_ms -> Nullable<BigInt>,
        kind -> Text,
        user_name -> Nullable<Text>,
        grants -> Nullable<Text>,
        created_by -> Nullable<Text>,
    }
}

diesel::table! {
    users (name) {
        name -> Text,
        password -> Nullable<Text>,
        password_set_at_ms -> Nullable<BigInt>,
        created_at_ms -> BigInt,
        created_by -> Text,
        disabled_at_ms -> Nullable<BigInt>,
    }
}

diesel::table! {
    grants (user_name, role, org, project) {
        user_name -> Text,
        role -> Text,
        org -> Text,
        project -> Text,
        granted_at_ms -> BigInt,
        granted_by -> Text,
    }
}

diesel::joinable!(grants -> users (user_name));
diesel::allow_tables_to_appear_in_same_query!(grants, users);
