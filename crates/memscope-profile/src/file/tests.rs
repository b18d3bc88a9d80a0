//! A profile comes back as it was, and no bytes do harm.

use super::*;
use crate::estimate::Deviations;
use crate::model::{
    Address, Completeness, Counts, End, Frame, Growth, HeapType, Label, Mark, Module,
    ProcessSummary, Run, Sample, Site, SiteChange, StackNode, Symbols, Task, Thread, Timeline,
    Totals, TypeEvidence, TypeLayout, Warning,
};
use crate::mutation::{Numbers, executions, mutate};
use crate::sealed::{checksum, deflate};
use flate2::Compression;
use proptest::prelude::*;

/// A profile with something in every field.
fn sample(stacks: u32) -> Profile {
    let strings: Vec<String> = std::iter::once(String::new())
        .chain((0..stacks).map(|it| format!("shop::Größe::<{it}>")))
        .collect();
    let last = strings.len() as u32 - 1;
    let site = |index: u32| Site {
        stack: index + 1,
        kind: 1 + (index % 4) as u8,
        truncated: index % 7 == 3,
        task: index % 3,
        label: index % 2,
        heap_type: index % 3,
        threads: index % 3,
        first_ms: u64::from(index) * 3,
        counts: Counts {
            allocations: u64::from(index) * 1000,
            allocated_bytes: u64::from(index) << 30,
            frees: 7,
            freed_bytes: u64::MAX - u64::from(index),
            temporary: 1,
            peak_blocks: 2,
            peak_bytes: 3,
            largest_block_bytes: u64::from(index) << 33,
            growth: Growth {
                growths: u64::from(index),
                outgrown_bytes: u64::from(index) << 40,
                ..Growth::default()
            },
            deviations: Deviations {
                allocated_bytes: u64::from(index) << 20,
                live_blocks: 9,
                ..Deviations::default()
            },
        },
    };
    Profile {
        labels: vec![Label {
            tracker: 1,
            name: "orders".into(),
            type_name: "alloc::vec::Vec<u8>".into(),
            file: "src/main.rs".into(),
            line: 7,
            live_blocks: 3,
            peak_bytes: 9,
            ..Label::default()
        }],
        tasks: vec![
            Task { name: "request".into(), kind: 1, entries: 2, ..Task::default() },
            Task { parent: 1, name: "parse".into(), kind: 2, peak_bytes: 5, ..Task::default() },
        ],
        run: Run {
            command: vec!["shop".into(), "--fast".into()],
            end: End::Signaled(9),
            duration_ns: 77,
            memscope_version: "0.1.0".into(),
            ..Run::default()
        },
        completeness: Completeness { misses: [1, 2, 3, 4, 5, 6, 7, 8], ..Default::default() },
        totals: Totals { peak_bytes: 1 << 50, ..Totals::default() },
        thread_sets: vec![vec![0], vec![]],
        marks: vec![Mark { ms: 3, text: "warm".into(), ..Mark::default() }],
        processes: vec![
            ProcessSummary { pid: 7, ..ProcessSummary::default() },
            ProcessSummary { parent: 1, ..ProcessSummary::default() },
        ],
        modules: vec![Module {
            path: "/bin/shop".into(),
            build_id: vec![0, 128, 255],
            symbols: Symbols::DebugInfo,
            ..Module::default()
        }],
        addresses: (0..stacks)
            .map(|it| Address {
                address: 0x5555_0000_0000 + u64::from(it) * 13,
                module: it % 2,
                is_instruction: it % 5 == 0,
                frames_start: it,
                frames_len: 1,
            })
            .collect(),
        frames: (0..stacks)
            .map(|it| Frame {
                function: last.min(it),
                symbol: 0,
                file: last,
                line: it,
                column: 4,
                inlined: it % 2 == 0,
            })
            .collect(),
        stacks: (0..stacks).map(|it| StackNode { parent: it / 2, address: it }).collect(),
        sites: (0..stacks).map(site).collect(),
        types: vec![
            HeapType { name: "Vec<Order>".into(), value_bytes: 48, ..HeapType::default() },
            HeapType {
                name: "in parse".into(),
                evidence: TypeEvidence::Raw,
                layout: TypeLayout::Table,
                value_bytes: 0,
            },
        ],
        threads: vec![Thread { tid: 9, name: "main".into(), ..Thread::default() }],
        timeline: Timeline {
            interval_ms: 100,
            samples: (0..5)
                .map(|ms| Sample {
                    ms,
                    live_bytes: 1 << ms,
                    changes: (0..stacks.min(9))
                        .map(|site| SiteChange { site, live_bytes: -3, ..Default::default() })
                        .collect(),
                    ..Sample::default()
                })
                .collect(),
        },
        strings,
        suppressed: Counts { allocations: 4, ..Counts::default() },
        warnings: vec![Warning { message: "w".into(), hint: "h".into() }],
    }
}

fn bytes(profile: &Profile) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(profile, &mut bytes).expect("written");
    bytes
}

fn message(bytes: &[u8]) -> String {
    read(bytes, "x.memscope").expect_err("refused").to_string()
}

/// A file around any body, with a checksum that fits.
fn wrapped(body: &[u8], body_bytes: u64) -> Vec<u8> {
    let stored = deflate(body, Compression::best()).expect("deflated");
    let mut bytes = [&MAGIC[..], &VERSION.to_le_bytes(), &body_bytes.to_le_bytes()].concat();
    bytes.extend((stored.len() as u64).to_le_bytes());
    let sum = checksum(&bytes, &stored);
    [bytes, stored, sum.to_le_bytes().to_vec()].concat()
}

#[test]
fn a_profile_comes_back() {
    for profile in [Profile::default(), sample(0), sample(1), sample(500)] {
        assert_eq!(read(&bytes(&profile)[..], "x").expect("read"), profile);
    }
}

/// What earlier versions wrote has no growth, and that is not the same as none.
#[test]
fn growth_that_nobody_recorded_is_not_known() {
    let mut profile = sample(3);
    for site in &mut profile.sites {
        site.counts.growth = Growth::default();
    }
    let parts = |profile: &Profile| {
        let body = body::encode(profile).expect("encoded");
        String::from_utf8_lossy(&body).matches("growth.").count()
    };
    assert_eq!((parts(&profile), parts(&sample(3))), (0, 7));
    let before = read(&bytes(&profile)[..], "x").expect("read");
    assert_eq!((before.totals.growth, before.sites.len()), (None, 3));
    profile.totals.growth = Some(Growth { growths: 1, ..Growth::default() });
    assert_eq!(read(&bytes(&profile)[..], "x").expect("read"), profile);
    // Named fields that are missing are not known.
    #[derive(serde::Serialize)]
    struct Old {
        allocations: u64,
    }
    let old = rmp_serde::to_vec_named(&Old { allocations: 7 }).expect("encoded");
    let totals: Totals = rmp_serde::from_slice(&old).expect("decoded");
    assert_eq!((totals.allocations, totals.growth), (7, None));
}

#[test]
fn it_is_saved_whole_or_not_at_all() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("a b.memscope");
    save(&sample(3), &path).expect("saved");
    save(&sample(4), &path).expect("saved over it");
    assert_eq!(load(&path).expect("loaded"), sample(4));
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).expect("there").permissions());
    assert_eq!(mode & 0o777, 0o600);
    let mut broken = sample(3);
    broken.stacks[0].parent = 2;
    assert!(save(&broken, &path).expect_err("refused").to_string().contains("caller"));
    assert_eq!(load(&path).expect("still there"), sample(4));
    assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 1, "nothing left behind");
    let nowhere = folder.path().join("no/such/x.memscope");
    let error = save(&sample(1), &nowhere).expect_err("refused");
    assert!(error.to_string().contains("x.memscope could not be written"), "{error}");
    assert_eq!(load(&nowhere).expect_err("refused").io_kind(), Some(io::ErrorKind::NotFound));
}

#[test]
fn what_is_no_profile_is_refused_in_words() {
    let good = bytes(&sample(5));
    let with = |at: usize, byte: u8| [&good[..at], &[byte], &good[at + 1..]].concat();
    assert_eq!(message(b""), "x.memscope is not a memscope profile");
    assert_eq!(message(b"hello, world, this is text"), "x.memscope is not a memscope profile");
    assert!(message(&with(8, 7)).contains("format version 7, and this memscope knows version 1"));
    let all = good.len();
    assert_eq!(
        message(&good[..all - 1]),
        format!("x.memscope is truncated: it has {} of {all} bytes", all - 1)
    );
    assert_eq!(message(&good[..20]), "x.memscope is truncated: it has 20 of 28 bytes");
    assert!(message(&with(40, good[40] ^ 1)).contains("checksum"));
    assert!(message(&[&good[..], b"x"].concat()).contains("follows"));
}

#[test]
fn a_bomb_is_refused_and_a_dull_profile_is_not() {
    let body = vec![0; 20 << 20];
    let bomb = wrapped(&body, body.len() as u64);
    assert!(bomb.len() < 1 << 20);
    assert!(message(&bomb).contains("claims to hold 20971520 bytes"));
    // A body that is longer than it says.
    assert!(message(&wrapped(&body, 1000)).contains("length"));
    // 32 MB of nothing much: the writer sees to it that the reader believes it.
    let mut dull = sample(1);
    dull.strings.push("x".repeat(32 << 20));
    let bytes = bytes(&dull);
    assert!(bytes.len() > 32 << 20, "stored as it is");
    assert_eq!(read(&bytes[..], "x").expect("read"), dull);
}

#[test]
fn a_body_that_lies_is_refused() {
    let body = body::encode(&sample(9)).expect("encoded");
    let retold = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut body = body.clone();
        change(&mut body);
        message(&wrapped(&body, body.len() as u64))
    };
    assert!(retold(&|body| body.truncate(100)).contains("do not fit"));
    assert!(retold(&|body| body.clear()).contains("no part 'profile'"));
    let at = |name: &[u8]| {
        body.windows(name.len()).position(|it| it == name).expect("there") + name.len()
    };
    // The first parent, behind the part's length and the column's kind.
    assert!(retold(&|body| body[at(b"stacks.parent") + 9] = 60).contains("caller"));
    assert!(retold(&|body| body[at(b"sites.kind") + 9] = 0).contains("kind"));
    assert!(
        retold(&|body| body[at(b"sites.kind") + 8] = 5).contains("'sites.kind' cannot be decoded")
    );
    // The last part of a name counts. One value, where there should be nine.
    let short = [&[14][..], b"stacks.address", &2_u64.to_le_bytes(), &[0, 0]].concat();
    assert!(retold(&|body| body.extend(&short)).contains("'stacks.address' has another length"));
    assert!(retold(&|body| body[at(b"strings.text") + 8 + 14] = 0xff).contains("UTF-8"));
}

/// Whatever an older memscope did not write is read as nothing, and said.
#[test]
fn a_file_with_fewer_columns_is_read_and_a_warning_says_what_it_lacks() {
    let whole = sample(9);
    let mut body = body::encode(&whole).expect("encoded");
    // The part's name becomes one that nobody knows.
    let name = b"sites.label";
    let at = body.windows(name.len()).position(|it| it == name).expect("there");
    body[at] = b'x';
    let read = read(&wrapped(&body, body.len() as u64)[..], "x").expect("read");
    let mut expected = whole;
    expected.sites.iter_mut().for_each(|site| site.label = 0);
    assert_eq!(read.sites, expected.sites);
    let [.., last] = &read.warnings[..] else { panic!("no warning") };
    assert!(last.message.ends_with("empty: sites.label."), "{last:?}");
    // Without its first column nobody knows how many rows there are.
    let name = b"sites.stack";
    let at = body.windows(name.len()).position(|it| it == name).expect("there");
    body[at] = b'x';
    assert!(message(&wrapped(&body, body.len() as u64)).contains("no part 'sites.stack'"));
}

proptest! {
    #[test]
    fn damaged_files_are_refused(
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0..8_u32), 1..4),
        keep in prop::option::weighted(0.3, any::<prop::sample::Index>()),
    ) {
        let profile = sample(30);
        let mut bytes = bytes(&profile);
        let good = bytes.clone();
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        if let Some(keep) = keep {
            bytes.truncate(keep.index(good.len()));
        }
        match read(&bytes[..], "x") {
            Ok(_) => prop_assert_eq!(bytes, good),
            Err(error) => prop_assert!(!error.hint().is_empty()),
        }
    }

    /// With a checksum that fits, so that the damage gets through to the decoder and the checks.
    #[test]
    fn hostile_bodies_are_survived(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut body = body::encode(&sample(30)).expect("encoded");
        for (at, byte) in changes {
            let at = at.index(body.len());
            body[at] = byte;
        }
        if let Ok(profile) = read(&wrapped(&body, body.len() as u64)[..], "x") {
            prop_assert_eq!(check(&profile), Ok(()));
            let analysis = crate::analyze::Analysis::new(&profile);
            for metric in crate::analyze::Metric::ALL {
                let _ = analysis.rank(metric, 5);
            }
        }
    }
}

/// As a file comes, and with a checksum that fits.
#[test]
fn mutated_files_are_survived() {
    let whole = bytes(&sample(5));
    let body = body::encode(&sample(5)).expect("encoded");
    let mut numbers = Numbers::new(1);
    for _ in 0..executions(2000) {
        let mut changed = body.clone();
        mutate(&mut changed, &mut numbers);
        let claimed = if numbers.below(9) == 0 {
            u64::MAX >> numbers.below(64)
        } else {
            changed.len() as u64
        };
        let mut raw = whole.clone();
        mutate(&mut raw, &mut numbers);
        for bytes in [wrapped(&changed, claimed), raw] {
            let Ok(profile) = read(&bytes[..], "x") else { continue };
            assert_eq!(check(&profile), Ok(()));
            let analysis = crate::analyze::Analysis::new(&profile);
            let _ = analysis.rank(crate::analyze::Metric::Peak, 5);
        }
    }
}
