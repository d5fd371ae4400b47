//! The program that the bootstrap puts on a runner, and the scripts that put it there.
