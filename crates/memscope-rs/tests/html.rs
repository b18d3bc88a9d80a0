//! The report as a page: it says what the report says, and making it is no event.
#![cfg(all(feature = "html", not(feature = "off")))]

use base64::prelude::{BASE64_STANDARD, Engine as _};
use memscope_rs::{Memscope, task_scope, track, tracker};
use std::io::Read;

#[global_allocator]
static ALLOC: Memscope = Memscope::system();

#[inline(never)]
fn keep_orders() -> Vec<u8> {
    vec![1_u8; 3 << 20]
}

/// Unpacks the page's data as a browser does.
fn data(page: &str) -> serde_json::Value {
    let (_, rest) = page.split_once(r#"type="application/octet-stream">"#).unwrap();
    let (base64, _) = rest.split_once("</script>").unwrap();
    let gzip = BASE64_STANDARD.decode(base64).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(&gzip[..]).read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn the_page_says_what_the_report_says() {
    let t = tracker!();
    let task = task_scope("import of orders");
    let orders = keep_orders();
    track!(t, orders);
    drop(task);

    let report = t.analyze();
    let mut page = String::new();
    // Of this thread, for the harness's own allocates when it likes.
    let measured = memscope_rs::measure(|| page = report.to_html());
    assert!(measured.is_recorded);
    assert_eq!((measured.allocations, measured.frees), (0, 0));

    let (head, _) = page.split_once("</header>").unwrap();
    let (_, sentence) = head.split_once("<h1>").unwrap();
    assert!(sentence.contains("html::keep_orders"), "{sentence}");
    assert!(sentence.contains("Complete"), "{sentence}");

    let data = data(&page);
    let peaks = data["sites"]["peak_bytes"].as_array().unwrap();
    let peak_bytes: u64 = peaks.iter().map(|bytes| bytes.as_u64().unwrap()).sum();
    assert_eq!(peak_bytes, report.profile().totals.peak_bytes);
    let text = data.to_string();
    assert!(text.contains("import of orders") && text.contains(r#""orders""#));
    // The lines around the place.
    assert!(text.contains("vec![1_u8; 3 << 20]"), "{}", data["snippets"]);
    drop(orders);
}
