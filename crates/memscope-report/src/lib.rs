//! A [`memscope_profile::Profile`] for people and for other programs: one file per format, each a feature.
//!
//! - [`text`]: the report for a terminal;
//! - [`json`]: everything, in a documented form with a schema;
//! - [`folded`]: collapsed stacks, for flame graphs;
//! - [`html`]: one page for a browser, with everything to look around in;
//! - `pprof`, `dhat`, `speedscope`, `firefox`, `flamegraph`, `csv`: for the tools of these names, not built by default;
//! - `diff`: runs side by side.
//!
//! Every format says how complete the profile is, where it has a place to say so. Formats only write: they hold no
//! more memory than they say, panic on no profile whatever its contents, and fail only if writing does.
//!
//! ```
//! use memscope_profile::Profile;
//!
//! let mut out = Vec::new();
//! memscope_report::text::write(&Profile::default(), &Default::default(), &mut out)?;
//! assert!(String::from_utf8_lossy(&out).contains("Nothing recorded"));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Deliberately absent: files, terminals and other things of the machine (the command knows them), and analysis
//! (see [`memscope_profile::analyze`]).
#![forbid(unsafe_code)]

#[cfg(feature = "csv")]
pub mod csv;
#[cfg(feature = "dhat")]
pub mod dhat;
#[cfg(feature = "diff")]
pub mod diff;
#[cfg(feature = "firefox")]
pub mod firefox;
#[cfg(feature = "flamegraph")]
pub mod flamegraph;
#[cfg(feature = "folded")]
pub mod folded;
#[cfg(feature = "html")]
pub mod html;
#[cfg(feature = "json")]
pub mod json;
#[cfg(feature = "pprof")]
pub mod pprof;
#[cfg(any(feature = "json", feature = "speedscope", feature = "firefox"))]
mod sequence;
#[cfg(feature = "speedscope")]
pub mod speedscope;
#[cfg(feature = "text")]
pub mod text;
