//! How many event streams one caller has open: each takes a connection, of which there are only so many.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The streams that are open now, by the name of their caller.
#[derive(Clone)]
pub struct OpenStreams {
    most: u32,
    open: Arc<Mutex<HashMap<String, u32>>>,
}

/// A caller has as many streams open as it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooManyStreams {
    pub most: u32,
}

/// One open stream; it counts until it is dropped.
#[derive(Debug)]
pub(super) struct OpenStream {
    caller: String,
    open: Arc<Mutex<HashMap<String, u32>>>,
}

impl OpenStreams {
    /// At most so many of one caller; 0: any number.
    #[must_use]
    pub fn new(most: u32) -> Self {
        Self { most, open: Arc::default() }
    }

    /// Counts one more.
    ///
    /// # Errors
    /// `TooManyStreams`
    pub(super) fn open(&self, caller: &str) -> Result<OpenStream, TooManyStreams> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(caller.to_owned()).or_default();
        if self.most > 0 && *count >= self.most {
            return Err(TooManyStreams { most: self.most });
        }
        *count += 1;
        drop(open);
        Ok(OpenStream { caller: caller.to_owned(), open: Arc::clone(&self.open) })
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.caller) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_caller_has_so_many_and_one_that_ends_makes_room() {
        let streams = OpenStreams::new(2);
        let first = streams.open("ann").unwrap();
        let second = streams.open("ann").unwrap();
        assert_eq!(streams.open("ann").unwrap_err(), TooManyStreams { most: 2 });
        let other = streams.open("bob").unwrap();
        drop(first);
        let third = streams.open("ann").unwrap();
        assert!(streams.open("ann").is_err());
        drop((second, third, other));
        assert!(streams.open.lock().unwrap().is_empty(), "nothing is kept of who is away");
        let free = OpenStreams::new(0);
        let all: Vec<OpenStream> = (0..1000).map(|_| free.open("ann").unwrap()).collect();
        assert_eq!(all.len(), 1000);
    }
}
