//! `floodmark rules export`: the rules in force, as Sigma that other tools load.

use std::path::{Component, Path, PathBuf};

use anyhow::Context;
use floodmark_detectors::rule;

use crate::cli::check::Written;
use crate::cli::refuse;

/// Writes the rules into `folder`, which must be empty or not there: what is left in it from before
/// would be taken for rules in force.
pub(super) fn export(written: &Written, folder: &Path) -> anyhow::Result<String> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let mut inside = std::fs::read_dir(folder)
        .with_context(|| format!("cannot read the folder {}", folder.display()))?;
    anyhow::ensure!(inside.next().is_none(), "{} is not empty", folder.display());
    let environment = &written.lists.environment;
    let documents = rule::export(&written.documents, environment, &written.overrides)
        .map_err(|faults| refuse(&faults))?;
    for document in &documents {
        let path = folder.join(within(&document.path));
        let parent = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent)
            .and_then(|()| std::fs::write(&path, &document.text))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    let mut text = format!("{} files in {}\n", documents.len(), folder.display());
    let named = rule::lists_named(&documents);
    if !named.is_empty() {
        let named: Vec<&str> = named.iter().map(String::as_str).collect();
        text += &format!("empty lists, left as they are: {}\n", named.join(", "));
    }
    Ok(text)
}

/// The path of a rule file below the folder that is written to, whatever it was.
fn within(path: &str) -> PathBuf {
    let parts = Path::new(path).components();
    parts.filter(|part| matches!(part, Component::Normal(_))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_outside_the_folder() {
        assert_eq!(within("sagemaker/dos/dos_01.yml"), Path::new("sagemaker/dos/dos_01.yml"));
        assert_eq!(within("/etc/rules/a.yml"), Path::new("etc/rules/a.yml"));
        assert_eq!(within("../../a.yml"), Path::new("a.yml"));
    }
}
