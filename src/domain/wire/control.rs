//! Control lines from the wrapper.
