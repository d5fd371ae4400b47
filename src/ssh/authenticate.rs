//! Authentication: one method, one try.

use std::sync::Arc;

use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse as Interactive};
use russh::keys::{HashAlg, PrivateKey, PrivateKeyWithHashAlg};
use russh::{MethodKind, MethodSet};
use zeroize::Zeroizing;

use super::connect::failed;
use super::credentials::Credential;
use super::error::{ConnectError, Phase};
use super::events::{ServerEvents, SessionError};
use super::session::Dial;

/// A host that asks more often than this is not asking for a password.
const MAX_PROMPT_ROUNDS: usize = 4;

/// Authenticates, and stops at the first refusal.
pub(super) async fn authenticate(
    handle: &mut Handle<ServerEvents>,
    dial: &Dial,
    credential: &Credential,
) -> Result<(), ConnectError> {
    let answer = match credential {
        Credential::Key(key) => by_key(handle, dial, key).await,
        Credential::Password(password) => by_password(handle, dial, password).await,
    };
    match answer {
        Ok(AuthResult::Success) => Ok(()),
        Ok(AuthResult::Failure { remaining_methods, partial_success }) => {
            let (at, user, method) = (dial.at(), dial.user.clone(), credential.method());
            let server_offers = remaining_methods.iter().map(String::from).collect();
            Err(if partial_success {
                ConnectError::AuthIncomplete { at, user, method, server_offers }
            } else {
                ConnectError::AuthRefused { at, user, method, server_offers }
            })
        }
        Err(error) => Err(failed(&dial.at(), Phase::Authentication, SessionError::Russh(error))),
    }
}

async fn by_key(
    handle: &mut Handle<ServerEvents>,
    dial: &Dial,
    key: &Arc<PrivateKey>,
) -> Result<AuthResult, russh::Error> {
    let hash = if key.algorithm().is_rsa() {
        // SHA-1 signatures are not made, whatever the host would take.
        handle.best_supported_rsa_hash().await?.flatten().or(Some(HashAlg::Sha512))
    } else {
        None
    };
    handle.authenticate_publickey(&dial.user, PrivateKeyWithHashAlg::new(Arc::clone(key), hash)).await
}

/// Tries `password`; only when the host does not have that method, keyboard-interactive with the same secret.
async fn by_password(
    handle: &mut Handle<ServerEvents>,
    dial: &Dial,
    password: &Zeroizing<String>,
) -> Result<AuthResult, russh::Error> {
    let first = handle.authenticate_password(&dial.user, password.as_str()).await?;
    let AuthResult::Failure { remaining_methods, partial_success: false } = &first else {
        return Ok(first);
    };
    let has = |kind: MethodKind| remaining_methods.contains(&kind);
    if has(MethodKind::Password) || !has(MethodKind::KeyboardInteractive) {
        return Ok(first);
    }
    by_prompt(handle, dial, password).await
}

/// Answers the one hidden prompt; any other question is a refusal.
async fn by_prompt(
    handle: &mut Handle<ServerEvents>,
    dial: &Dial,
    password: &Zeroizing<String>,
) -> Result<AuthResult, russh::Error> {
    let mut answered = false;
    let mut answer = handle.authenticate_keyboard_interactive_start(&dial.user, None).await?;
    for _ in 0..MAX_PROMPT_ROUNDS {
        let responses = match answer {
            Interactive::Success => return Ok(AuthResult::Success),
            Interactive::Failure { remaining_methods, partial_success } => {
                return Ok(AuthResult::Failure { remaining_methods, partial_success });
            }
            Interactive::InfoRequest { prompts, .. } => match prompts.as_slice() {
                [] => Vec::new(),
                [prompt] if !prompt.echo && !answered => {
                    answered = true;
                    vec![password.to_string()]
                }
                _ => break,
            },
        };
        answer = handle.authenticate_keyboard_interactive_respond(responses).await?;
    }
    Ok(AuthResult::Failure { remaining_methods: MethodSet::empty(), partial_success: false })
}
