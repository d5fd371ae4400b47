//! Waiting jobs of one class in order.
