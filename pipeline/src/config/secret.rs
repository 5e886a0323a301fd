//! Where a secret is, and the secret itself, which is never printed.

use std::fmt;
use std::path::PathBuf;

use super::reader::{Placed, Report, Section};

/// Where a secret is to be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secret {
    /// In this variable of the environment.
    Env(String),
    /// In this file; a line end after it is not part of it.
    File(PathBuf),
}

/// A value that stands in the file, or is fetched from where a secret is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Property {
    /// As written.
    Plain(String),
    /// To be fetched.
    Secret(Secret),
}

impl Property {
    /// The value, fetched if need be; `env` looks a variable up.
    ///
    /// # Errors
    /// Where the secret was looked for.
    pub fn fetch(&self, env: &dyn Fn(&str) -> Option<String>) -> Result<Hidden, Unfound> {
        match self {
            Property::Plain(value) => Ok(Hidden(value.clone())),
            Property::Secret(secret) => secret.fetch(env),
        }
    }
}

/// A secret. It cannot be printed by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(String);

impl Hidden {
    /// The secret itself, for whoever must send it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden")
    }
}

/// Why a secret cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Unfound {
    /// The variable is not set, or is no text.
    #[error("environment variable {0} is not set")]
    Env(String),
    /// The file cannot be read.
    #[error("secret file {}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
}

impl Secret {
    /// Fetches it; `env` looks a variable up.
    pub fn fetch(&self, env: &dyn Fn(&str) -> Option<String>) -> Result<Hidden, Unfound> {
        match self {
            Secret::Env(name) => env(name).map(Hidden).ok_or_else(|| Unfound::Env(name.clone())),
            Secret::File(path) => match std::fs::read_to_string(path) {
                Ok(text) => Ok(Hidden(text.trim_end_matches(['\r', '\n']).to_owned())),
                Err(error) => Err(Unfound::File { path: path.clone(), error }),
            },
        }
    }
}

/// A value, or where the secret is that it is; what is a secret must not stand here itself. `plain`
/// reads a value that does.
pub(super) fn property<'r>(
    path: &str,
    value: Placed<'_, '_>,
    is_secret: bool,
    fix: &str,
    report: &mut Report<'r>,
    plain: impl FnOnce(&mut Report<'r>) -> Option<String>,
) -> Option<Property> {
    if value.get_ref().is_table() {
        return read(path, value, fix, report).map(Property::Secret);
    }
    if is_secret {
        // It is not shown.
        let fix = "write { env = \"NAME\" } or { file = \"/path\" }";
        let at = value.span().start;
        report.note(path, at, String::new(), "is a secret and must not stand here", fix);
        return None;
    }
    plain(report).map(Property::Plain)
}

/// `{ env = ".." }` or `{ file = ".." }`; `fix` says what else the writer may have meant.
pub(super) fn read(
    path: &str,
    value: Placed<'_, '_>,
    fix: &str,
    report: &mut Report<'_>,
) -> Option<Secret> {
    let mut section = Section::new(value.get_ref().as_table()?, path, value.span().start);
    let before = report.faults.len();
    let env = section.text("env", report).map(str::to_owned);
    let file = section.text("file", report).map(PathBuf::from);
    section.end(report);
    match (env, file) {
        (Some(name), None) => Some(Secret::Env(name)),
        (None, Some(path)) => Some(Secret::File(path)),
        _ if report.faults.len() > before => None,
        _ => {
            report.wrong(path, value.span(), "must be { env = \"..\" } or { file = \"..\" }", fix);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn secrets_are_fetched_and_not_printed() {
        let env = |name: &str| (name == "SET").then(|| "hunter2".to_owned());
        let hidden = Secret::Env("SET".into()).fetch(&env).unwrap();
        assert_eq!((hidden.reveal(), format!("{hidden:?}")), ("hunter2", "Hidden".into()));
        let unset = Secret::Env("UNSET".into()).fetch(&env).unwrap_err();
        assert_eq!(unset.to_string(), "environment variable UNSET is not set");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, "hunter3\r\n").unwrap();
        let hidden = Secret::File(path.clone()).fetch(&env).unwrap();
        assert_eq!(hidden.reveal(), "hunter3");
        std::fs::remove_file(&path).unwrap();
        let gone = Secret::File(path).fetch(&env).unwrap_err().to_string();
        assert!(gone.starts_with("secret file "), "{gone}");
    }
}
