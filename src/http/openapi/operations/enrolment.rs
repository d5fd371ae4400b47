//! Hosts that enrol themselves.

use shuntyard_domain::wire::enrolment::{CreateEnrolmentToken, EnrolmentTokenBody, NewEnrolmentToken};

use super::super::operation::{Operation, delete, get, post};
use crate::http::error::words::ErrorWord as E;

pub(super) fn all() -> Vec<Operation> {
    vec![
        get("/enrolment-tokens", "list_enrolment_tokens", "Lists every token, newest first, without itself.")
            .answers::<Vec<EnrolmentTokenBody>>(),
        post("/enrolment-tokens", "create_enrolment_token", "Makes a token; this answer is the only one that holds it.")
            .takes::<CreateEnrolmentToken>()
            .creates_secret::<NewEnrolmentToken, EnrolmentTokenBody>(),
        delete("/enrolment-tokens/{id}", "revoke_enrolment_token", "Revokes a token.")
            .done()
            .fails(&[E::TokenUsed]),
        post("/enrol", "enrol", "Answers a host that enrols itself, in lines.")
            .note(
                "The token is the first line of the body; docs/PROTOCOL.md says the others. With `Accept: text/plain` errors \
                 are told in lines, too, and with 200.",
            )
            .takes_bytes("text/plain")
            .sends("text/plain")
            .fails(&[E::TokenMalformed, E::TokenDenied, E::TokenExpired, E::TokenRevoked, E::TokenSpent])
            .fails(&[E::WrongNetwork, E::WrongName, E::TooManyTries])
            .fails(&[E::NameTaken, E::HostTaken, E::OtherVersion, E::UnderWay, E::DialOutOff])
            .fails(&[E::NoEnrolment]),
    ]
}
