//! Which runner takes which job.
