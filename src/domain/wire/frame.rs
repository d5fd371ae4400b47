//! The frame on stdin of `run`, and the command lines of the wrapper.
