//! The condition of a temporal rule, over the members it names.

use rsigma_parser::ast::{ConditionExpr, Quantifier, SelectorPattern};

use super::Members;
use super::correlation::{Condition, Correlation};
use super::fault::Problem;

/// Most alternatives that `{gte: n}` over members is written out to.
const ALTERNATIVES_MAX: usize = 256;

/// Which members must be there.
pub(crate) fn members(correlation: &Correlation) -> Result<Members, Problem> {
    let all: Vec<u8> = (0_u8..).take(correlation.rules.len()).collect();
    let members = match &correlation.condition {
        Condition::All => combine(all.iter().map(|bit| Members::One(*bit)).collect(), Members::And),
        Condition::Numbers { threshold, line, .. } => match threshold.gte {
            Some(n) if threshold.is_monotone() => at_least(&all, n, *line)?,
            _ => {
                let reason = "a temporal rule takes `gte`, a text, or nothing as its condition";
                return Err(Problem::new(*line, reason));
            }
        },
        Condition::Expression(expression, line) => {
            let mut used = 0;
            let members = resolve(expression, correlation, *line, &mut used)?;
            let unused =
                correlation.rules.iter().enumerate().find(|(bit, _)| used & (1_u64 << bit) == 0);
            if let Some((_, (rule, line))) = unused {
                let reason = format!("rule `{rule}` is in `rules` but not in the condition");
                return Err(Problem::new(*line, reason));
            }
            if holds(&members, 0) {
                let reason = "the condition holds for a window without samples";
                return Err(Problem::new(*line, reason));
            }
            members
        }
    };
    Ok(members)
}

fn at_least(all: &[u8], n: u64, line: usize) -> Result<Members, Problem> {
    let n = usize::try_from(n).unwrap_or(usize::MAX);
    if !(1..=all.len()).contains(&n) {
        let reason = format!("`gte` must be 1 to {}, the number of rules", all.len());
        return Err(Problem::new(line, reason));
    }
    let mut chosen = vec![Vec::new()];
    for (at, bit) in all.iter().enumerate() {
        let left = all.len() - at;
        let mut next = Vec::new();
        for set in chosen {
            if set.len() < n {
                let mut with: Vec<u8> = set.clone();
                with.push(*bit);
                next.push(with);
            }
            if set.len() + left > n || set.len() >= n {
                next.push(set);
            }
        }
        if next.len() > ALTERNATIVES_MAX {
            let reason = format!("`{n} of {}` rules has too many ways to hold", all.len());
            return Err(Problem::new(line, reason).fix("write the condition as a text"));
        }
        chosen = next;
    }
    let ways = chosen
        .into_iter()
        .filter(|set| set.len() == n)
        .map(|set| combine(set.into_iter().map(Members::One).collect(), Members::And));
    Ok(combine(ways.collect(), Members::Or))
}

fn resolve(
    expression: &ConditionExpr,
    correlation: &Correlation,
    line: usize,
    used: &mut u64,
) -> Result<Members, Problem> {
    let names = || correlation.rules.iter().map(|(name, _)| name.as_str());
    let mut one = |bit: usize| {
        *used |= 1 << bit;
        Members::One(u8::try_from(bit).unwrap_or(u8::MAX))
    };
    match expression {
        ConditionExpr::Identifier(name) => match names().position(|rule| rule == name) {
            Some(bit) => Ok(one(bit)),
            None => {
                let reason = format!("the condition names `{name}`, which is not in `rules`");
                Err(Problem::new(line, reason).nearest(name, names()))
            }
        },
        ConditionExpr::And(parts) => {
            let parts: Result<_, _> =
                parts.iter().map(|part| resolve(part, correlation, line, used)).collect();
            Ok(combine(parts?, Members::And))
        }
        ConditionExpr::Or(parts) => {
            let parts: Result<_, _> =
                parts.iter().map(|part| resolve(part, correlation, line, used)).collect();
            Ok(combine(parts?, Members::Or))
        }
        ConditionExpr::Not(part) => {
            let part = resolve(part, correlation, line, used)?;
            Ok(Members::Not(Box::new(part)))
        }
        ConditionExpr::Selector { quantifier, pattern } => {
            let bits: Vec<usize> = names()
                .enumerate()
                .filter(|(_, name)| match pattern {
                    SelectorPattern::Them => true,
                    SelectorPattern::Pattern(_) => pattern.matches_detection_name(name),
                })
                .map(|(bit, _)| bit)
                .collect();
            if bits.is_empty() {
                return Err(Problem::new(line, format!("no rule is called `{pattern}`")));
            }
            let found: Vec<Members> = bits.into_iter().map(one).collect();
            match quantifier {
                Quantifier::Any => Ok(combine(found, Members::Or)),
                Quantifier::All => Ok(combine(found, Members::And)),
                Quantifier::Count(n) => {
                    let bits: Vec<u8> = found
                        .iter()
                        .filter_map(|member| match member {
                            Members::One(bit) => Some(*bit),
                            _ => None,
                        })
                        .collect();
                    at_least(&bits, *n, line)
                }
            }
        }
    }
}

fn combine(mut parts: Vec<Members>, many: fn(Vec<Members>) -> Members) -> Members {
    if parts.len() == 1 { parts.remove(0) } else { many(parts) }
}

/// Whether the condition holds when the members with these bits are there.
fn holds(members: &Members, bits: u64) -> bool {
    match members {
        Members::One(bit) => bits & (1_u64 << bit) != 0,
        Members::And(all) => all.iter().all(|part| holds(part, bits)),
        Members::Or(any) => any.iter().any(|part| holds(part, bits)),
        Members::Not(part) => !holds(part, bits),
        Members::Apart(count) => (0..*count).all(|bit| bits & (1_u64 << bit) != 0),
    }
}
