//! Channels between dispatcher and hosts: ordered while they live, cut at any moment, and late.

use std::collections::VecDeque;

use shuntyard_domain::ids::AttemptId;
use shuntyard_domain::wire::control::{ErrCode, SpoolState};

/// What is sent to a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    Run(AttemptId),
    At(AttemptId, usize),
    Fence(AttemptId),
    Hello,
    Kill(AttemptId),
    /// On an attempt's channel.
    Cancel(AttemptId),
    AckRemove(AttemptId),
    Status,
    Remove(AttemptId),
}

/// What a host says on standard error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    Ok,
    At,
    State(SpoolState),
    None,
    Fenced,
    Err(ErrCode),
    /// The instance id.
    Hello(String),
    List(Vec<AttemptId>),
}

/// One channel. Standard output and standard error have no order between them.
pub struct Channel {
    /// The dispatcher at its other end.
    pub home: usize,
    pub host: usize,
    pub to_host: VecDeque<Ask>,
    pub output: VecDeque<Vec<u8>>,
    pub said: VecDeque<Said>,
    /// The dispatcher's end.
    pub open: bool,
    /// The host's end: it can still write.
    pub served: bool,
}

impl Channel {
    pub fn new(home: usize, host: usize, first: Ask) -> Self {
        Self {
            home,
            host,
            to_host: VecDeque::from([first]),
            output: VecDeque::new(),
            said: VecDeque::new(),
            open: true,
            served: true,
        }
    }

    /// Nothing more will come.
    pub fn is_over(&self) -> bool {
        !self.served && self.output.is_empty() && self.said.is_empty()
    }
}
