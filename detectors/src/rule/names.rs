//! What rules are called, and that no two are called the same.

use std::collections::BTreeMap;

use super::fault::{Fault, Problem};
use super::load::Draft;

/// Every id and name, and whose it is.
pub(crate) type Names = BTreeMap<String, usize>;

/// Gathers the names. An id, a name, or the title of a rule without both may be used once.
pub(crate) fn names(drafts: &[Draft], faults: &mut Vec<Fault>) -> Names {
    let mut names = Names::new();
    let mut cards: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, draft) in drafts.iter().enumerate() {
        let mut told = false;
        for (what, name) in [("id", &draft.id), ("name", &draft.name)] {
            let Some(name) = name else { continue };
            match names.get(name.as_str()).and_then(|first| drafts.get(*first)) {
                Some(first) if !std::ptr::eq(first, draft) => {
                    let reason = format!(
                        "{what} `{name}` is taken by the rule at {}:{}",
                        first.path, first.line
                    );
                    faults.push(fault(draft, Problem::new(draft.line, reason)));
                    told = true;
                }
                _ => {
                    names.insert(name.clone(), at);
                }
            }
        }
        // A rule without id and name is known by its title.
        if let Some(first) = cards.insert(&draft.card.id, at)
            && !told
            && draft.id.is_none()
            && draft.name.is_none()
            && let Some(first) = drafts.get(first)
        {
            let reason = format!(
                "title `{}` is taken by the rule at {}:{}",
                draft.card.title, first.path, first.line
            );
            let problem = Problem::new(draft.line, reason).fix("give it an `id`");
            faults.push(fault(draft, problem));
        }
    }
    names
}

/// A problem of a rule.
pub(crate) fn fault(draft: &Draft, problem: Problem) -> Fault {
    Fault {
        path: draft.path.to_string(),
        line: problem.line,
        rule: Some(draft.label().to_owned()),
        reason: problem.reason,
        fix: problem.fix,
    }
}

/// A rule is named that is not there.
pub(crate) fn unknown(name: &str, line: usize, names: &Names) -> Problem {
    Problem::new(line, format!("there is no rule `{name}`"))
        .nearest(name, names.keys().map(String::as_str))
}
