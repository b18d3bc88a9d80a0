//! Makes seeds of what memscope writes: `seed region REGION OUT` packs a region (`/proc/PID/fd/N` of a `memscope run`),
//! `seed body PROFILE OUT` takes the body out of a profile file.

use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};

/// What comes before the body, as it is stored.
const HEADER_BYTES: u64 = 28;

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let create = |path| Ok::<_, std::io::Error>(BufWriter::new(File::create(path)?));
    match arguments[..] {
        ["region", region, out] => {
            let mut out = create(out)?;
            memscope_fuzz::pack(&File::open(region)?, &mut out)?;
            out.flush()
        }
        ["body", profile, out] => {
            let mut profile = File::open(profile)?;
            profile.seek(SeekFrom::Start(HEADER_BYTES))?;
            let mut body = Vec::new();
            flate2::read::DeflateDecoder::new(profile).read_to_end(&mut body)?;
            std::fs::write(out, body)
        }
        _ => {
            eprintln!("usage: seed region REGION OUT | seed body PROFILE OUT");
            std::process::exit(2);
        }
    }
}
