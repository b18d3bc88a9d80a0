//! Which children a user wants: all, none, or those whose program's name fits a pattern.
//!
//! Deliberately absent: what is done with those that are wanted.

use std::path::Path;
use std::str::FromStr;

/// Which children are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Every one.
    #[default]
    All,
    /// None: they are not even followed.
    None,
    /// Those whose program's name, or path where the pattern has a slash, fits one of the patterns.
    Patterns(Vec<String>),
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::All),
            "none" => Ok(Self::None),
            _ => {
                let patterns: Vec<_> = text.split(',').map(str::to_owned).collect();
                if patterns.iter().any(String::is_empty) {
                    return Err("a pattern is empty".into());
                }
                Ok(Self::Patterns(patterns))
            }
        }
    }
}

impl Choice {
    /// Whether a process that runs this program is wanted.
    pub(crate) fn wants(&self, program: &Path) -> bool {
        let path = program.as_os_str().as_encoded_bytes();
        let name = program.file_name().unwrap_or_default().as_encoded_bytes();
        match self {
            Self::All => true,
            Self::None => false,
            Self::Patterns(patterns) => patterns.iter().any(|pattern| {
                let text = if pattern.contains('/') { path } else { name };
                fits(pattern.as_bytes(), text)
            }),
        }
    }
}

/// Whether a text fits a pattern: `*` is any text, `?` any one byte. Takes time in proportion to both lengths multiplied.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut in_text) = (0, 0);
    // Where the last star stood, and the text that it is tried to end before.
    let mut star = None;
    while in_text < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at + 1, in_text));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[in_text] => {
                at += 1;
                in_text += 1;
            }
            _ => {
                let Some((after, end)) = star else { return false };
                star = Some((after, end + 1));
                (at, in_text) = (after, end + 1);
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, text) in
            [("", ""), ("*", ""), ("a*", "abc"), ("*c", "abc"), ("a?c", "abc"), ("*b*", "abc")]
        {
            assert!(fits(pattern.as_bytes(), text.as_bytes()), "{pattern} {text}");
        }
        for (pattern, text) in [("", "a"), ("?", ""), ("a", "ab"), ("a*d", "abc"), ("a**?", "a")] {
            assert!(!fits(pattern.as_bytes(), text.as_bytes()), "{pattern} {text}");
        }
        assert!(!fits("*a".repeat(20).as_bytes(), "a".repeat(19).as_bytes()));
    }

    #[test]
    fn names_and_paths() {
        let choice: Choice = "cc1*,/opt/*/tool".parse().unwrap();
        assert!(choice.wants(Path::new("/usr/lib/cc1plus")));
        assert!(choice.wants(Path::new("/opt/a/b/tool")));
        assert!(!choice.wants(Path::new("/usr/bin/tool")));
        assert!("all".parse::<Choice>().unwrap().wants(Path::new("")));
        assert!(!"none".parse::<Choice>().unwrap().wants(Path::new("a")));
        assert!("a,,b".parse::<Choice>().is_err());
    }
}
