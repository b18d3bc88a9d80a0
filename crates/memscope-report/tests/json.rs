//! The JSON output: it is what its schema says, nothing that it writes is undocumented, and nothing is lost.

mod profiles;

use memscope_profile::Profile;
use memscope_report::json::{VERSION, schema, write};
use serde_json::{Value, from_slice, from_str, json};

fn json_of(profile: &Profile) -> Value {
    let mut out = Vec::new();
    write(profile, &mut out).expect("a Vec takes everything");
    assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1);
    from_slice(&out).expect("JSON")
}

/// The published schema lets readers meet keys of later versions. Here, nothing may be written that it does not
/// describe.
fn strict(mut schema: Value) -> Value {
    fn close(value: &mut Value) {
        if let Value::Object(map) = value {
            if map.contains_key("properties") && map.contains_key("required") {
                map.insert("additionalProperties".to_owned(), json!(false));
            }
            map.values_mut().for_each(close);
        }
    }
    close(&mut schema);
    schema
}

fn errors(schema: &Value, value: &Value) -> Vec<String> {
    let validator = jsonschema::draft202012::new(schema).expect("a schema");
    validator
        .iter_errors(value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

#[test]
fn the_schema_is_a_schema() {
    let schema: Value = from_str(schema()).expect("JSON");
    assert!(jsonschema::draft202012::meta::is_valid(&schema));
    assert_eq!(schema["properties"]["version"]["const"], json!(VERSION));
}

#[test]
fn every_profile_is_what_the_schema_says() {
    let published: Value = from_str(schema()).expect("JSON");
    let strict = strict(published.clone());
    let all = [
        profiles::order_service(),
        profiles::sampled(),
        profiles::tidy(),
        profiles::named(),
        profiles::many_stacks(10),
        Profile::default(),
    ];
    for profile in &all {
        let value = json_of(profile);
        assert_eq!(errors(&strict, &value), Vec::<String>::new());
        assert_eq!(errors(&published, &value), Vec::<String>::new());
    }
}

#[test]
fn the_schema_refuses_what_it_should() {
    let schema: Value = from_str(schema()).expect("JSON");
    let good = json_of(&profiles::order_service());
    let changes: [fn(&mut Value); 6] = [
        |value| value["version"] = json!(2),
        |value| value["totals"]["peak_bytes"] = json!(-1),
        |value| value["sites"][0]["kind"] = json!("new"),
        |value| value["frames"][0]["address"] = json!(1234),
        |value| value["run"]["end"] = json!({"how": "exited"}),
        |value| value["threads"][0] = json!({}),
    ];
    for change in changes {
        let mut bad = good.clone();
        change(&mut bad);
        assert_ne!(errors(&schema, &bad), Vec::<String>::new());
    }
}

#[test]
fn stacks_can_be_followed_to_their_frames() {
    let profile = profiles::order_service();
    let value = json_of(&profile);
    for (site, written) in profile.sites.iter().zip(value["sites"].as_array().expect("a list")) {
        let frames: Vec<_> = written["stack"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|place| &value["frames"][place.as_u64().expect("a number") as usize])
            .map(|frame| {
                (
                    frame["function"].as_str().unwrap_or_default().to_owned(),
                    frame["line"].as_u64().unwrap_or(0),
                    frame["address"].as_str().expect("each has one").to_owned(),
                )
            })
            .collect();
        let expected: Vec<_> = profile
            .stack_frames(site.stack)
            .map(|view| {
                let address = format!("{:#x}", view.address().address);
                (view.function().to_owned(), u64::from(view.line()), address)
            })
            .collect();
        assert_eq!(frames, expected);
        assert!(!frames.is_empty());
    }
}

#[test]
fn what_the_program_named_is_there() {
    let value = json_of(&profiles::named());
    let tasks = value["tasks"].as_array().expect("a list");
    assert_eq!((&tasks[1]["name"], &tasks[1]["parent"]), (&json!("parse"), &json!(0)));
    let task = value["sites"][0]["task"].as_u64().expect("a task") as usize - 1;
    assert_eq!(tasks[task]["allocations"], value["sites"][0]["allocations"]);
    assert_eq!(tasks[0]["allocations"], 0);
    let variable = &value["variables"][0];
    assert_eq!((&variable["name"], &variable["live_bytes"]), (&json!("orders"), &json!(1000)));
}

#[test]
fn sites_add_up_to_the_totals() {
    let value = json_of(&profiles::order_service());
    for key in ["allocations", "allocated_bytes", "frees", "temporary", "peak_bytes", "live_bytes"]
    {
        let sites = value["sites"].as_array().expect("a list");
        let sum: u64 = sites.iter().map(|site| site[key].as_u64().expect("a number")).sum();
        assert_eq!(json!(sum), value["totals"][key], "{key}");
    }
}

/// The whole as a reader would write it down: the form's keys, pinned.
#[test]
fn a_small_profile() {
    let mut out = Vec::new();
    let mut profile = profiles::tidy();
    profile.completeness.misses = [1, 2, 3, 4, 5, 6, 7, 8];
    write(&profile, &mut out).expect("a Vec takes everything");
    insta::assert_snapshot!(String::from_utf8(out).expect("text").replace(",\"", ",\n\""));
}

#[test]
fn a_profile_that_keeps_no_promise_is_written_without_panic() {
    let mut profile = profiles::order_service();
    profile.strings.truncate(3);
    profile.frames.truncate(2);
    profile.stacks[0].parent = 7;
    profile.stacks[1].address = u32::MAX;
    for site in &mut profile.sites {
        site.stack = site.stack.wrapping_mul(3);
        site.kind = 200;
        site.counts.allocated_bytes = u64::MAX;
    }
    let schema: Value = from_str(schema()).expect("JSON");
    assert_eq!(errors(&schema, &json_of(&profile)), Vec::<String>::new());
}
