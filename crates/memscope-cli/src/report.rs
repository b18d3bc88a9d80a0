//! `memscope report`: shows a profile that was kept, or a region.
//!
//! Deliberately absent: the program. A kept profile is self-contained; only a region is symbolized anew, with the
//! files that are there.

use crate::arguments::Report;
use crate::error::{Error, reason};
use crate::output::{Output, check_distinct};
use crate::show;
use crate::symbols::symbolize;
use crate::terminal::{Style, Voice};
use memscope_profile::Profile;
use memscope_profile::file;
use memscope_profile::model::End;
use memscope_profile::region::Region;
use memscope_region::header::MAGIC;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The exit code when a file cannot be read or written.
const FAILURE: u8 = 1;
/// The exit code when the command line is wrong.
const MISUSE: u8 = 2;

/// Shows the profile. The value is the exit code.
pub(crate) fn report(options: &Report, voice: Voice) -> Result<u8, Error> {
    check_distinct(&options.targets()).map_err(|error| error.exit_code(MISUSE))?;
    let open =
        |path: &Option<PathBuf>| path.as_deref().map(|path| Output::open(path, 0o600)).transpose();
    let show = || -> Result<(), Error> {
        let profile = load(&options.file, voice)?;
        let html = open(&options.html)?;
        let json = open(&options.json)?;
        let folded = open(&options.folded)?;
        if html.is_none() && json.is_none() && folded.is_none() {
            let style = Style::of(&io::stdout());
            let stdout = Output::open(Path::new("-"), 0)?;
            return stdout.finish(|out| show::write_text(&profile, &options.view, style, out));
        }
        html.map(|output| show::write_html(&profile, output)).transpose()?;
        json.map(|output| show::write_json(&profile, output)).transpose()?;
        folded.map(|output| show::write_folded(&profile, &options.view, output)).transpose()?;
        Ok(())
    };
    show().map(|()| 0).map_err(|error| error.exit_code(FAILURE))
}

/// Reads a profile file or a region, whichever it is.
fn load(path: &Path, voice: Voice) -> Result<Profile, Error> {
    let unreadable = |error: &io::Error| {
        Error::new(format!("cannot read {}: {}", path.display(), reason(error)))
            .hint("Give the path of a profile that `memscope run -o FILE` wrote.")
    };
    let wrong = |error: memscope_profile::Error| Error::new(error.to_string()).hint(error.hint());
    let metadata = fs::metadata(path).map_err(|error| unreadable(&error))?;
    if !metadata.is_file() {
        return Err(Error::new(format!("{} is not a regular file", path.display()))
            .hint("Give the path of a profile that `memscope run -o FILE` wrote."));
    }
    let mut magic = Vec::new();
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    file.take(8).read_to_end(&mut magic).map_err(|error| unreadable(&error))?;
    if magic != MAGIC.to_ne_bytes() {
        return file::load(path).map_err(wrong);
    }
    let region = Region::open_path(path).map_err(wrong)?;
    let mut profile = region.read(End::Unknown).map_err(wrong)?.profile;
    symbolize(&mut profile, voice);
    Ok(profile)
}
