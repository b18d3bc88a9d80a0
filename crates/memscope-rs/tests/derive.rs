//! Mistakes in the use of `#[derive(Trackable)]` and `track!` are told where they are, and what to do.

#[test]
fn mistakes_are_told_where_they_are() {
    trybuild::TestCases::new().compile_fail("tests/derive/*.rs");
}
