//! The engine: board effects become I/O.
