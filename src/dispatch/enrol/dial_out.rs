//! A candidate that dials out: where to, and the key by which it does before it is a runner.

use std::net::IpAddr;
use std::time::Duration;

use shuntyard_domain::wire::enrolment::Tunnel;
use tracing::info_span;

use super::{BEGUN_MS, EnrolError, Lines, check_token};
use crate::dispatch::Dispatcher;
use crate::ssh::inbound::dial_out_key;
use crate::store::EnrolmentTokenRow;

impl Dispatcher {
    /// Lines that tell the host of a dial-out token where to dial and whom to expect there; none for another host.
    pub(super) fn place_to_dial(&self, token: &EnrolmentTokenRow) -> Result<Lines, EnrolError> {
        if !token.dial_out {
            return Ok(Lines::new());
        }
        let endpoint = self.dial_out_endpoint()?;
        Ok(vec![
            ("dial", format!("{} {}", endpoint.port, endpoint.host)),
            ("dial_as", endpoint.user.clone()),
            ("dial_key", endpoint.host_key.clone()),
        ])
    }

    /// Lets a host that has begun open the tunnel of its runner to be, until the enrolment has ended.
    pub(super) fn admit_candidate(
        &self,
        peer: IpAddr,
        token: &EnrolmentTokenRow,
        tunnel: &Tunnel,
    ) -> Result<Lines, EnrolError> {
        let bad = |text: &str| EnrolError::BadValue(text.to_owned());
        check_token(token, peer, self.0.clock.now_ms())?;
        if !token.dial_out {
            return Err(bad("its token is not for a host that dials out"));
        }
        let key = dial_out_key(&tunnel.key).ok_or_else(|| bad("its dial-out key is neither ed25519 nor ECDSA"))?;
        let mut begun = self.0.enrolments.lock();
        let known = begun.get_mut(&tunnel.enrolment).filter(|begun| begun.about.token_id == token.id);
        let known = known.filter(|known| known.ended.is_none()).ok_or(EnrolError::NoEnrolment)?;
        let about = &known.about;
        let tunnels = self.0.dial_out.tunnels.clone();
        tunnels.admit(about.id, &about.hostname, &key).map_err(|taken| bad(&taken.to_string()))?;
        let (id, engine) = (about.id, self.clone());
        let span = info_span!("enrol", runner.name = %about.hostname);
        if known.dial_out_key.replace(key).is_some() {
            return Ok(Lines::new());
        }
        // A host that never comes back has no tunnel for ever.
        self.0.tasks.spawn(span, |stop| async move {
            let lapse = Duration::from_millis(BEGUN_MS.unsigned_abs());
            let lapsed = tokio::time::timeout(lapse, stop.cancelled()).await.is_err();
            if lapsed && engine.0.inventory.get(id).is_none() {
                tunnels.revoke(id);
            }
        });
        Ok(Lines::new())
    }
}
