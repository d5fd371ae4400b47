//! Which rows of a run have an event stream of their own, so that one large run leaves room for everybody else.

/// Streams at a time; the server takes 512 connections from all of its clients together.
pub const MAX_STREAMS: usize = 64;
/// Rows that still wait get a stream only up to this number: a small run is followed live from its first moment.
const MAX_WITH_WAITING: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RowStream {
    /// None yet: the job waits in the queue.
    Waiting,
    /// None yet, although the job has left the queue.
    Due,
    Open,
    Over,
}

/// The streams of all rows.
#[derive(Debug, Default)]
pub struct Streams(Vec<RowStream>);

impl Streams {
    /// `waiting` tells of each row whether its job is in the queue.
    #[must_use]
    pub fn new(waiting: impl Iterator<Item = bool>) -> Self {
        Self(waiting.map(|waits| if waits { RowStream::Waiting } else { RowStream::Due }).collect())
    }

    /// One more row.
    pub fn push(&mut self, waits: bool) {
        self.0.push(if waits { RowStream::Waiting } else { RowStream::Due });
    }

    /// The row's job has left the queue.
    pub fn left_the_queue(&mut self, row: usize) {
        if self.lacks_one(row) {
            self.0[row] = RowStream::Due;
        }
    }

    /// Nothing more will come from the row.
    pub fn over(&mut self, row: usize) {
        self.0[row] = RowStream::Over;
    }

    /// Tells whether nobody would notice what happens to the row.
    #[must_use]
    pub fn lacks_one(&self, row: usize) -> bool {
        matches!(self.0[row], RowStream::Waiting | RowStream::Due)
    }

    /// Tells whether some row waits without a stream.
    #[must_use]
    pub fn any_unwatched(&self) -> bool {
        self.0.contains(&RowStream::Waiting)
    }

    /// Takes the next row whose stream is to be opened now; rows that have left the queue go first.
    pub fn open_next(&mut self) -> Option<usize> {
        let open = self.0.iter().filter(|row| **row == RowStream::Open).count();
        let first = |wanted| self.0.iter().position(|row| *row == wanted);
        let due = if open < MAX_STREAMS { first(RowStream::Due) } else { None };
        let row = due.or_else(|| if open < MAX_WITH_WAITING { first(RowStream::Waiting) } else { None })?;
        self.0[row] = RowStream::Open;
        Some(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(streams: &mut Streams) -> Vec<usize> {
        std::iter::from_fn(|| streams.open_next()).collect()
    }

    #[test]
    fn a_small_run_is_followed_at_once_and_of_a_large_one_the_rows_that_have_started() {
        let mut small = Streams::new([true, false, true].into_iter());
        assert_eq!(opened(&mut small), [1, 0, 2]);
        assert!(!small.any_unwatched());
        let mut large = Streams::new((0..500).map(|_| true));
        assert_eq!(opened(&mut large), (0..8).collect::<Vec<_>>());
        assert!(large.any_unwatched() && large.lacks_one(400));
        large.left_the_queue(400);
        large.left_the_queue(0);
        assert_eq!(opened(&mut large), [400]);
    }

    #[test]
    fn there_are_never_more_streams_than_the_limit_and_each_end_makes_room() {
        let mut streams = Streams::new((0..500).map(|_| false));
        assert_eq!(opened(&mut streams).len(), MAX_STREAMS);
        streams.over(3);
        streams.over(4);
        assert_eq!(opened(&mut streams), [64, 65]);
        streams.left_the_queue(3);
        assert!(!streams.lacks_one(3) && opened(&mut streams).is_empty(), "an ended row is not opened again");
    }
}
