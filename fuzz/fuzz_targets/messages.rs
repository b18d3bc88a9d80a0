//! What arrives on sockets: hello and notice of a program, the requests of `memscope report PID`, `save` and `mark`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memscope_fuzz::bounded;
use memscope_region::hello::{Hello, Notice};
use request::Request;

// The command is no library.
#[path = "../../crates/memscope-cli/src/request.rs"]
#[expect(dead_code, reason = "the bound on the length is for who receives")]
mod request;

fuzz_target!(|bytes: &[u8]| {
    bounded(4096 + 8 * bytes.len(), || {
        if let Some(hello) = Hello::decode(bytes) {
            assert_eq!(hello.encode(), bytes);
        }
        if let Some((notice, path)) = Notice::decode(bytes) {
            assert_eq!([&notice.encode()[..], path].concat(), bytes);
        }
        if let Some(request) = Request::decode(bytes) {
            assert_eq!(Request::decode(&request.encode()), Some(request));
        }
    });
});
