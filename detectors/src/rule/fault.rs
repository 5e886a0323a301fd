//! What is wrong with a rule, said so that its author can mend it.

use std::fmt;

/// A reason why rules were refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file, as given to the loader.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
    /// Name, id or title of the rule, where it has one.
    pub rule: Option<String>,
    /// What is wrong.
    pub reason: String,
    /// What would mend it: "did you mean `group-by`?"
    pub fix: Option<String>,
}

/// One line: `path:line: reason (fix)`.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.reason)?;
        match &self.fix {
            Some(fix) => write!(f, " ({fix})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Fault {}

/// A fault before it is known in which file and rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) line: usize,
    pub(crate) reason: String,
    pub(crate) fix: Option<String>,
}

impl Problem {
    /// A problem at a line.
    pub(crate) fn new(line: usize, reason: impl AsRef<str>) -> Problem {
        Problem { line, reason: one_line(reason.as_ref()), fix: None }
    }

    /// With what would mend it.
    pub(crate) fn fix(mut self, fix: impl AsRef<str>) -> Problem {
        self.fix = Some(one_line(fix.as_ref()));
        self
    }

    /// With the nearest of the valid names, if one is near.
    pub(crate) fn nearest<'n>(
        mut self,
        name: &str,
        valid: impl IntoIterator<Item = &'n str>,
    ) -> Problem {
        self.fix = nearest(name, valid).map(|near| one_line(&format!("did you mean `{near}`?")));
        self
    }
}

/// What a rule says may stand in a fault, but no line breaks and nothing a terminal obeys.
fn one_line(text: &str) -> String {
    let plain = |character: char| match character {
        character if character.is_control() => '\u{FFFD}',
        character => character,
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().map(plain).collect()
}

/// The valid name that `name` was most probably meant to be: at most one letter in three is
/// wrong, left out, added or swapped with its neighbour. Case is no difference.
fn nearest<'n>(name: &str, valid: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let lower = name.to_lowercase();
    let distance_max = (name.chars().count() / 3).max(1);
    valid
        .into_iter()
        .map(|candidate| {
            let distance = strsim::osa_distance(&lower, &candidate.to_lowercase());
            (distance, candidate)
        })
        .filter(|(distance, _)| *distance <= distance_max)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_names() {
        let keys = ["group-by", "field", "timespan", "rules"];
        for (name, expected) in [
            ("group_by", Some("group-by")),
            ("GROUP-BY", Some("group-by")),
            ("filed", Some("field")),
            ("time-span", Some("timespan")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, keys), expected, "{name}");
        }
    }
}
