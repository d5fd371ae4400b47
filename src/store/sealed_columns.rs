//! Every sealed value of the database, for the rotation of the master key.

use diesel::prelude::*;

use super::base64_text;
use super::connection::StoreConnection;
use super::error::{Row, StoreError};
use super::schema::{job_secrets, jump_hosts, pool_instances, pools, runners, secrets, webhooks};
use super::secrets::SecretKey;

/// A row with a sealed value. Its name in the associated data is the business of who seals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SealedRow {
    RunnerKey(String),
    JumpHostKey(String),
    WebhookSecret(String),
    PoolSecret(String),
    PoolInstanceToken(String),
    Secret(SecretKey),
    JobSecrets(String),
}

/// Tables and columns, as the migrations name them.
pub const SEALED_COLUMNS: [(&str, &str); 7] = [
    ("runners", "sealed_private_key"),
    ("jump_hosts", "sealed_private_key"),
    ("webhooks", "sealed_secret"),
    ("pools", "sealed_secret"),
    ("pool_instances", "sealed_token"),
    ("secrets", "sealed"),
    ("job_secrets", "sealed"),
];

/// Returns every sealed value with its row.
pub fn sealed_values(c: &mut StoreConnection) -> Result<Vec<(SealedRow, Vec<u8>)>, StoreError> {
    let listed = |source| StoreError::List { what: "sealed values", source };
    let mut texts: Vec<(SealedRow, String)> = Vec::new();
    macro_rules! read {
        ($table:ident, $id:ident, $column:ident, $row:expr) => {
            let rows = $table::table.select(($table::$id, $table::$column)).load::<(String, String)>(c);
            texts.extend(rows.map_err(listed)?.into_iter().map(|(id, sealed)| ($row(id), sealed)));
        };
    }
    read!(runners, id, sealed_private_key, SealedRow::RunnerKey);
    read!(jump_hosts, id, sealed_private_key, SealedRow::JumpHostKey);
    read!(webhooks, id, sealed_secret, SealedRow::WebhookSecret);
    read!(pools, id, sealed_secret, SealedRow::PoolSecret);
    read!(job_secrets, job_id, sealed, SealedRow::JobSecrets);
    let tokens = pool_instances::table.select((pool_instances::id, pool_instances::sealed_token));
    let tokens = tokens.load::<(String, Option<String>)>(c).map_err(listed)?;
    texts.extend(tokens.into_iter().filter_map(|(id, sealed)| Some((SealedRow::PoolInstanceToken(id), sealed?))));
    let key = (secrets::enterprise, secrets::org, secrets::project, secrets::runner_id, secrets::name);
    let named = secrets::table.select((key, secrets::sealed));
    let named = named.load::<((String, String, String, String, String), String)>(c).map_err(listed)?;
    texts.extend(named.into_iter().map(|((enterprise, org, project, runner, name), sealed)| {
        (SealedRow::Secret(SecretKey { enterprise, org, project, runner, name }), sealed)
    }));
    let decoded = texts.into_iter().map(|(row, text)| {
        let bytes = base64_text::decode(Row { table: "sealed", key: row.id() }, "sealed", &text)?;
        Ok((row, bytes))
    });
    decoded.collect()
}

/// Writes another sealed value into a row.
pub fn sealed_value_replace(c: &mut StoreConnection, row: &SealedRow, sealed: &[u8]) -> Result<(), StoreError> {
    let sealed = base64_text::encode(sealed);
    macro_rules! write {
        ($table:ident, $column:ident, $id:expr) => {
            diesel::update($table::table.find($id)).set($table::$column.eq(&sealed)).execute(c)
        };
    }
    let written = match row {
        SealedRow::RunnerKey(id) => write!(runners, sealed_private_key, id),
        SealedRow::JumpHostKey(id) => write!(jump_hosts, sealed_private_key, id),
        SealedRow::WebhookSecret(id) => write!(webhooks, sealed_secret, id),
        SealedRow::PoolSecret(id) => write!(pools, sealed_secret, id),
        SealedRow::PoolInstanceToken(id) => write!(pool_instances, sealed_token, id),
        SealedRow::JobSecrets(id) => write!(job_secrets, sealed, id),
        SealedRow::Secret(key) => {
            write!(secrets, sealed, (&key.enterprise, &key.org, &key.project, &key.runner, &key.name))
        }
    };
    written.map(drop).map_err(|source| StoreError::List { what: "sealed values", source })
}

impl SealedRow {
    fn id(&self) -> &str {
        match self {
            Self::RunnerKey(id)
            | Self::JumpHostKey(id)
            | Self::WebhookSecret(id)
            | Self::PoolSecret(id)
            | Self::PoolInstanceToken(id)
            | Self::JobSecrets(id) => id,
            Self::Secret(key) => &key.name,
        }
    }
}
