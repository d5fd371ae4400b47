//! Enrolment tokens as people see them: made, listed, revoked.

use shuntyard_domain::cidr::Cidr;
use shuntyard_domain::pool::PoolSpec;
use shuntyard_domain::runner::{Scope, check_hostname};
use shuntyard_domain::tenancy::Name;
use shuntyard_domain::wire::enrolment::{CreateEnrolmentToken, EnrolmentTokenBody, MAX_TTL_S, NewEnrolmentToken};
use shuntyard_domain::wire::time_text::rfc3339;
use zeroize::Zeroizing;

use crate::dispatch::engine_error::bad;
use crate::dispatch::token_text::{self, TokenText};
use crate::dispatch::{DispatchError, Dispatcher, RunnerPatch, new_id};
use crate::store::{
    Connection, EnrolmentTokenRow, MadeKind, StoreError, enrolment_token_by_id, enrolment_token_insert,
    enrolment_token_list, enrolment_token_prune, enrolment_token_revoke, org_since,
};

const MAX_NAME: usize = 100;
/// For how long the list tells of a token after it could be used for the last time: 90 days.
const KEPT_AFTER_EXPIRY_MS: i64 = 90 * 24 * 3600 * 1000;

impl Dispatcher {
    /// Makes a token, which is told this once. `by` is who asked.
    ///
    /// # Errors
    /// `BadRequest` and `BadName` for values outside of the rules, `NoPlace` for an organisation that is not there,
    /// `Random` when there are no random bytes.
    pub async fn create_enrolment_token(
        &self,
        enterprise: Name,
        wanted: CreateEnrolmentToken,
        by: &str,
    ) -> Result<NewEnrolmentToken, DispatchError> {
        check(&wanted)?;
        wanted.jump.as_ref().map(|jump| self.jump_way(jump)).transpose()?;
        if wanted.dial_out {
            if wanted.jump.is_some() {
                return Err(bad(
                    "dial_out",
                    "a host is reached through a jump host or dials out, not both",
                    &["false"],
                ));
            }
            self.dial_out_endpoint()?;
        }
        let text = TokenText::Enrolment.make().ok_or(DispatchError::Random)?;
        let created_at_ms = self.0.clock.now_ms();
        let row = EnrolmentTokenRow {
            id: new_id().to_string(),
            name: wanted.name,
            prefix: token_text::shown(&text),
            sha256: token_text::digest(&text),
            created_at_ms,
            created_by: by.to_owned(),
            expires_at_ms: created_at_ms + i64::from(wanted.ttl_s) * 1000,
            cidr: wanted.cidr,
            hostname: wanted.hostname,
            labels: wanted.labels,
            scope: wanted.scope,
            slots: wanted.slots,
            jump: wanted.jump,
            one_off: wanted.one_off,
            capabilities: wanted.capabilities,
            pool_instance: None,
            dial_out: wanted.dial_out,
            used: None,
            revoked_at_ms: None,
        };
        let stored = row.clone();
        let no_org = || DispatchError::NoPlace("organisation");
        let insert = move |c: &mut Connection| {
            if let Scope::Org(org) = &stored.scope {
                let org = org.parse::<Name>().map_err(|_| no_org())?;
                org_since(c, &enterprise, &org)?.ok_or_else(no_org)?;
            }
            Ok::<_, DispatchError>(store_token(c, &stored)?)
        };
        self.0.store.create(MadeKind::EnrolmentToken, &row.id, insert).await?;
        tracing::info!(token.prefix = row.prefix, token.name = row.name, "made an enrolment token");
        Ok(NewEnrolmentToken { token: text.to_string(), about: body(&row, created_at_ms) })
    }

    /// Makes the token of a pool's machine, which is good until the machine must have enrolled; it is not stored yet.
    ///
    /// # Errors
    /// `Random` when there are no random bytes.
    pub(in crate::dispatch) fn instance_token(
        &self,
        pool: &str,
        spec: &PoolSpec,
        instance: &str,
    ) -> Result<(EnrolmentTokenRow, Zeroizing<String>), DispatchError> {
        let text = TokenText::Enrolment.make().ok_or(DispatchError::Random)?;
        let created_at_ms = self.0.clock.now_ms();
        let row = EnrolmentTokenRow {
            id: new_id().to_string(),
            name: format!("pool {pool}"),
            prefix: token_text::shown(&text),
            sha256: token_text::digest(&text),
            created_at_ms,
            created_by: format!("pool {pool}"),
            expires_at_ms: created_at_ms + i64::from(spec.start_limit_s) * 1000,
            cidr: spec.cidr.clone(),
            hostname: Some(instance.to_owned()),
            labels: spec.labels.clone(),
            capabilities: spec.capabilities.clone(),
            pool_instance: Some(instance.to_owned()),
            scope: spec.scope.clone(),
            jump: None,
            slots: spec.slots,
            one_off: spec.one_off,
            dial_out: false,
            used: None,
            revoked_at_ms: None,
        };
        Ok((row, text))
    }

    /// Every token that is good or was 90 days ago, newest first.
    ///
    /// # Errors
    /// `Store`
    pub async fn enrolment_tokens(&self) -> Result<Vec<EnrolmentTokenBody>, DispatchError> {
        let now_ms = self.0.clock.now_ms();
        let rows = self.0.store.read(enrolment_token_list).await?;
        Ok(rows.iter().map(|row| body(row, now_ms)).collect())
    }

    /// One token without itself.
    ///
    /// # Errors
    /// `NoToken` for an unknown id.
    pub async fn enrolment_token(&self, id: &str) -> Result<EnrolmentTokenBody, DispatchError> {
        let (now_ms, key) = (self.0.clock.now_ms(), id.to_owned());
        let row = self.0.store.read(move |c| enrolment_token_by_id(c, &key)).await?;
        row.map(|row| body(&row, now_ms)).ok_or_else(|| DispatchError::NoToken(id.to_owned()))
    }

    /// Revokes a token; again is not an error.
    ///
    /// # Errors
    /// `NoToken` for an unknown id, `TokenUsed` for one that has enrolled its host: deleting the runner is the way then.
    pub async fn revoke_enrolment_token(&self, id: &str) -> Result<(), DispatchError> {
        let (now_ms, key) = (self.0.clock.now_ms(), id.to_owned());
        let known = self.0.store.write(move |c| {
            let revoked = enrolment_token_revoke(c, &key, now_ms)?;
            Ok::<_, StoreError>((revoked, enrolment_token_by_id(c, &key)?))
        });
        match known.await? {
            (true, _) => Ok(()),
            (false, Some(token)) => Err(DispatchError::TokenUsed {
                name: token.name,
                hostname: token.used.map(|used| used.hostname).unwrap_or_default(),
            }),
            (false, None) => Err(DispatchError::NoToken(id.to_owned())),
        }
    }
}

/// Stores a new token, and forgets those that nobody asks about any more: without new ones the old ones do not become more.
pub(in crate::dispatch) fn store_token(c: &mut Connection, row: &EnrolmentTokenRow) -> Result<(), StoreError> {
    enrolment_token_prune(c, row.created_at_ms - KEPT_AFTER_EXPIRY_MS)?;
    enrolment_token_insert(c, row)
}

fn check(wanted: &CreateEnrolmentToken) -> Result<(), DispatchError> {
    let letters = wanted.name.chars().count();
    if !(1..=MAX_NAME).contains(&letters) || wanted.name.chars().any(char::is_control) {
        return Err(bad("name", "not a name", &["1 to 100 characters"]));
    }
    if !(1..=MAX_TTL_S).contains(&wanted.ttl_s) {
        return Err(bad("ttl_s", "not a time that a token may be good for", &["1 to 2592000 seconds (30 days)"]));
    }
    if wanted.cidr.as_ref().is_some_and(|text| text.parse::<Cidr>().is_err()) {
        return Err(bad("cidr", "not a network", &["10.0.0.0/8, 2001:db8::/32, or one address"]));
    }
    if let Some(hostname) = &wanted.hostname {
        check_hostname(hostname)?;
    }
    let (labels, capabilities) = (Some(wanted.labels.clone()), Some(wanted.capabilities.clone()));
    RunnerPatch { labels, capabilities, slots: Some(wanted.slots), ..RunnerPatch::default() }.check()
}

fn body(row: &EnrolmentTokenRow, now_ms: i64) -> EnrolmentTokenBody {
    let state = match (&row.used, row.revoked_at_ms) {
        (Some(_), _) => "used",
        (None, Some(_)) => "revoked",
        (None, None) if row.expires_at_ms <= now_ms => "expired",
        (None, None) => "good",
    };
    EnrolmentTokenBody {
        id: row.id.clone(),
        name: row.name.clone(),
        prefix: row.prefix.clone(),
        state: state.to_owned(),
        created_at: rfc3339(row.created_at_ms),
        created_by: row.created_by.clone(),
        expires_at: rfc3339(row.expires_at_ms),
        cidr: row.cidr.clone(),
        hostname: row.hostname.clone(),
        labels: row.labels.clone(),
        capabilities: row.capabilities.clone(),
        scope: row.scope.clone(),
        slots: row.slots,
        jump: row.jump.clone(),
        one_off: row.one_off,
        dial_out: row.dial_out,
        used_at: row.used.as_ref().map(|used| rfc3339(used.at_ms)),
        runner_id: row.used.as_ref().map(|used| used.runner),
        runner: row.used.as_ref().map(|used| used.hostname.clone()),
        revoked_at: row.revoked_at_ms.map(rfc3339),
    }
}
