//! Mistakes that can be planted: each must be found, or the simulation proves nothing.

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
    /// Output is appended wherever it belongs.
    NoOffsetCheck,
    /// What a channel brings is taken to belong where the stored log was last known to end.
    OffsetOfStored,
    /// A host that is silent is given up.
    RescueByTime,
    /// The start is sent before the intent is stored.
    StartBeforeCommit,
    /// A runner is bootstrapped anew while jobs of its earlier disk are placed on it.
    ForgetEarlierDisk,
    /// A place on a runner is not given back when the commit of the placement failed.
    KeepSlot,
}

impl Defect {
    pub const ALL: [Self; 10] = [
        Self::AnswerBeforeInsert,
        Self::ForgetBeforeEnd,
        Self::NoClaim,
        Self::NoFence,
        Self::NoOffsetCheck,
        Self::OffsetOfStored,
        Self::RescueByTime,
        Self::StartBeforeCommit,
        Self::ForgetEarlierDisk,
        Self::KeepSlot,
    ];
}
