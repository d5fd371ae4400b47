//! Connections to runners; with `demo` the only place that names russh.
