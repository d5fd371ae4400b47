//! The composition root: starts every layer in order and stops it in order.
