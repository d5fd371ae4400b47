//! What is promised of every history, and how a broken promise is told.

/// One line of the table in docs/STATES.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    /// An acknowledged job is never lost.
    Acknowledged,
    /// Every job ends, and gives back its slot and its place in the queue.
    AllEnd,
    /// An attempt is started at most once.
    OneStart,
    /// A job that may have started is not started again.
    NoSecondRun,
    /// A job that is said never to have run has not run and never does.
    NeverRan,
    /// A final state is what happened on the host, and stays.
    TrueEnd,
    /// A log is byte for byte what the job wrote, or is called truncated and is a beginning of it.
    TrueLog,
}

impl Promise {
    pub const ALL: [Self; 7] = [
        Self::Acknowledged,
        Self::AllEnd,
        Self::OneStart,
        Self::NoSecondRun,
        Self::NeverRan,
        Self::TrueEnd,
        Self::TrueLog,
    ];

    /// What is wrong when the promise is not kept.
    ///
    /// # Errors
    /// Always: the value is the error.
    pub fn broken(self, detail: impl Into<String>) -> Result<(), Broken> {
        Err(Broken { promise: self, detail: detail.into() })
    }
}

/// The first promise that a history breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    pub promise: Promise,
    pub detail: String,
}
