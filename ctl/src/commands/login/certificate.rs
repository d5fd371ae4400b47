//! The first contact: is this the server's certificate?

use reqwest::Method;
use shuntyard_domain::certificate_fingerprint::CertificateFingerprint;

use crate::client::Client;
use crate::client_error::ClientError;
use crate::connection::{Connection, shown};
use crate::failure::{Failure, Usage};
use crate::terminal::{can_ask, confirm as ask, note};

/// Makes sure that the connection trusts the server, and sends it nothing before. A certificate for which no authority vouches
/// is pinned once a person has compared it; what `by_flag` was given is not asked about.
///
/// # Errors
/// `CertificateUnconfirmed` without a terminal, `CertificateDeclined`, and whatever keeps the server from answering.
pub(super) async fn confirm(connection: &mut Connection, by_flag: bool) -> Result<(), Failure> {
    let refused = match look(connection).await {
        Err(ClientError::OtherCertificate { pinned, .. }) if !by_flag => {
            note(&format!(
                "{} shows another certificate than the one that was pinned here, {pinned}.",
                shown(&connection.server)
            ));
            connection.trust.pinned = None;
            // It may have one now for which an authority vouches.
            look(connection).await
        }
        looked => looked,
    };
    match refused {
        Ok(()) => Ok(()),
        Err(ClientError::UnknownCertificate { server, shown, why }) => {
            person_confirms(&server, shown, &why)?;
            connection.trust.pinned = Some(shown);
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// Asks what every server answers to everybody; no token is sent.
async fn look(connection: &Connection) -> Result<(), ClientError> {
    let nobody = crate::connection::Token::Missing(String::new());
    let client = Client::new(Connection { token: nobody, ..connection.clone() })?;
    let Ok(url) = connection.server.join("api/_status") else { return Ok(()) };
    client.any(Method::GET, &url, None).await.map(drop)
}

fn person_confirms(server: &str, shown: CertificateFingerprint, why: &str) -> Result<(), Failure> {
    if !can_ask() {
        return Err(Usage::CertificateUnconfirmed { server: server.to_owned(), shown, why: why.to_owned() }.into());
    }
    note(&format!(
        "{server} shows a certificate that is not known here: {why}. Its fingerprint is\n  {shown}\n\
         Compare it with what `shuntd fingerprint` prints on the server's machine."
    ));
    if ask("Is it the same, and shall it be pinned?")? { Ok(()) } else { Err(Failure::CertificateDeclined) }
}
