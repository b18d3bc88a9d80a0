//! The project's documents: short where they must be, and without examples that never run.

use super::{Problem, leftovers};
use std::path::Path;

/// The folders whose documents are looked at, from the root on; their own folders are not.
const FOLDERS: &[&str] = &["", "docs"];

/// The most lines of an overview that is still one.
const ARCHITECTURE_LINES_MAX: usize = 200;

pub(super) fn check(root: &Path) -> Result<Vec<Problem>, String> {
    let mut problems = Vec::new();
    for folder in FOLDERS.iter().map(|folder| root.join(folder)).filter(|folder| folder.is_dir()) {
        let failed = |error| format!("cannot list {}: {error}", folder.display());
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|extension| extension == "md") {
                let text = std::fs::read_to_string(&path)
                    .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
                let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy();
                problems.extend(check_document(&name, &text));
            }
        }
    }
    Ok(problems)
}

fn check_document(path: &str, text: &str) -> Vec<Problem> {
    let problem = |line, message: String| Problem { path: path.to_owned(), line, message };
    let mut problems = Vec::new();
    let lines = text.lines().count();
    if path.ends_with("ARCHITECTURE.md") && lines > ARCHITECTURE_LINES_MAX {
        let message = format!("{lines} lines, {ARCHITECTURE_LINES_MAX} at most: it is an overview");
        problems.push(problem(0, message));
    }
    for (index, line) in text.lines().enumerate() {
        if leftovers::ignored_example(line) {
            let message = "an example that never runs proves nothing".to_owned();
            problems.push(problem(index + 1, message));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_overview_is_short() {
        let long = "line\n".repeat(ARCHITECTURE_LINES_MAX + 1);
        assert_eq!(check_document("docs/ARCHITECTURE.md", &long).len(), 1);
        assert!(check_document("docs/DESIGN.md", &long).is_empty());
        assert!(check_document("docs/ARCHITECTURE.md", "line\n").is_empty());
    }

    #[test]
    fn examples_run() {
        assert_eq!(check_document("README.md", "a\n```rust,ignore\n```\n")[0].line, 2);
    }
}
