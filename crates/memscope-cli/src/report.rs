//! `memscope report`: shows a profile that was kept, or a region.
//!
//! Deliberately absent: the program. A kept profile is self-contained; only a region is symbolized anew, with the
//! files that are there.

use crate::arguments::Report;
use crate::client;
use crate::error::{Error, reason};
use crate::format::Format;
use crate::output::{Output, check_distinct, check_not_read};
use crate::show;
use crate::suppress;
use crate::symbols::{look_into, symbolize};
use crate::terminal::{Style, Voice};
use memscope_profile::Profile;
use memscope_profile::file;
use memscope_profile::model::End;
use memscope_profile::region::Region;
use memscope_region::header::MAGIC;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

/// The exit code when a file cannot be read or written.
pub(crate) const FAILURE: u8 = 1;
/// The exit code when the command line is wrong.
pub(crate) const MISUSE: u8 = 2;

/// Shows the profile. The value is the exit code.
pub(crate) fn report(options: &Report, voice: Voice) -> Result<u8, Error> {
    look_into(&options.debug_dir);
    let targets: Vec<_> = options.targets.named().collect();
    check_distinct(&targets)
        .and_then(|()| check_not_read(options.file.as_deref(), &targets))
        .map_err(|error| error.exit_code(MISUSE))?;
    let show = || -> Result<(), Error> {
        let stdout = || Output::open(Path::new("-"), 0);
        let Some(file) = options.file.as_deref().filter(|_| !options.list) else {
            return stdout()?.finish(list);
        };
        let suppressions = suppress::read(&options.suppressions)?;
        let mut profile = load(file, voice)?;
        suppress::apply(&suppressions, &mut profile);
        if let Some(text) = &options.type_text {
            suppress::keep_types(&mut profile, text)?;
        }
        let outputs = options.targets.open()?;
        if outputs.is_empty() {
            let style = Style::of(&io::stdout());
            return stdout()?.finish(|out| show::write_text(&profile, &options.view, style, out));
        }
        outputs
            .into_iter()
            .try_for_each(|(format, output)| format.write(&profile, &options.view, output))
    };
    show().map(|()| 0).map_err(|error| error.exit_code(FAILURE))
}

/// Writes which formats there are.
fn list(out: &mut dyn Write) -> io::Result<()> {
    for format in Format::ALL {
        writeln!(out, "{:<14}{}", format.option(), format.about())?;
    }
    Ok(())
}

/// Reads a profile file or a region, whichever it is, or the profile of a running process, if there is no file named by
/// its number.
pub(crate) fn load(path: &Path, voice: Voice) -> Result<Profile, Error> {
    let pid = path.to_str().and_then(|text| text.parse().ok());
    if let Some(pid) = pid.filter(|_| !path.exists()) {
        let mut profile = client::read(pid)?;
        symbolize(&mut profile, voice);
        return Ok(profile);
    }
    let unreadable = |error: &io::Error| {
        Error::new(format!("cannot read {}: {}", path.display(), reason(error)))
            .hint("Give the path of a profile that `memscope run -o FILE` wrote.")
    };
    let wrong =
        |error: memscope_profile::FileError| Error::new(error.to_string()).hint(error.hint());
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
