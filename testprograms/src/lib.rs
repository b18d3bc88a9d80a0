//! Programs to be profiled by the tests.
