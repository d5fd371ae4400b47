//! REST, SSE and pages.
