//! Tests of the dispatch area.
