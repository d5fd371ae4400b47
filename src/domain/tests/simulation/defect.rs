//! Mistakes that can be planted: each must be found, or the simulation proves nothing.

use super::promise::Promise;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// The client is answered before its job is stored.
    AnswerBeforeInsert,
    /// The host may forget an attempt before its end is stored.
    ForgetBeforeEnd,
    /// A start does not look whether the attempt was claimed.
    NoClaim,
    /// A host that does not know the attempt is believed without a fence.
    NoFence,
    /// Whichever base directory answers is taken for the one in which the attempt was started.
    NoIdentity,
    /// Output is appended wherever it belongs.
    NoOffsetCheck,
    /// What a channel brings is taken to belong where the stored log was last known to end.
    OffsetOfStored,
    /// A host that is silent is given up.
    RescueByTime,
    /// A fence is believed in every boot: a claim that the power took away looks like one that never was.
    AnyBoot,
    /// The start is sent before the intent is stored.
    StartBeforeCommit,
    /// A host's word about an earlier attempt is taken for one about the present attempt.
    AnyAttempt,
    /// A runner is bootstrapped anew while jobs of its earlier disk are placed on it.
    ForgetEarlierDisk,
    /// A place on a runner is not given back when the commit of the placement failed.
    KeepSlot,
    /// A cancel that was asked for before is not told to the job's task again.
    CancelToldOnce,
}

impl Defect {
    pub const ALL: [Self; 14] = [
        Self::AnswerBeforeInsert,
        Self::ForgetBeforeEnd,
        Self::NoClaim,
        Self::NoFence,
        Self::NoIdentity,
        Self::NoOffsetCheck,
        Self::OffsetOfStored,
        Self::RescueByTime,
        Self::AnyBoot,
        Self::StartBeforeCommit,
        Self::AnyAttempt,
        Self::ForgetEarlierDisk,
        Self::KeepSlot,
        Self::CancelToldOnce,
    ];

    /// The promise by which the mistake must be found; it may break others, too.
    pub const fn breaks(self) -> Promise {
        match self {
            Self::AnswerBeforeInsert => Promise::Acknowledged,
            Self::NoClaim => Promise::OneStart,
            Self::NoFence
            | Self::NoIdentity
            | Self::AnyBoot
            | Self::RescueByTime
            | Self::AnyAttempt
            | Self::ForgetEarlierDisk => Promise::NoSecondRun,
            Self::StartBeforeCommit => Promise::NeverRan,
            Self::ForgetBeforeEnd => Promise::TrueEnd,
            Self::NoOffsetCheck | Self::OffsetOfStored => Promise::TrueLog,
            Self::KeepSlot | Self::CancelToldOnce => Promise::AllEnd,
        }
    }
}
