//! The text of a condition, read by `rsigma-parser` within bounds.

use rsigma_parser::ast::ConditionExpr;

use super::fault::Problem;

/// Longest condition, bytes.
const CONDITION_BYTES_MAX: usize = 4_096;
/// Deepest nesting of parentheses and negations in a condition.
const CONDITION_DEPTH_MAX: usize = 32;
/// Reads a condition; bounded before the grammar, which recurses, sees it.
pub(crate) fn parse_condition(text: &str, line: usize) -> Result<ConditionExpr, Problem> {
    if text.len() > CONDITION_BYTES_MAX {
        let reason = format!("a condition may have {CONDITION_BYTES_MAX} bytes");
        return Err(Problem::new(line, reason));
    }
    if text.contains('|') {
        let problem = Problem::new(line, "conditions with `|` are not read");
        return Err(problem.fix("count with a correlation rule"));
    }
    let negations = text.split_whitespace().filter(|word| *word == "not").count();
    let (mut depth, mut deepest) = (0_usize, 0_usize);
    for character in text.chars() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    if deepest > CONDITION_DEPTH_MAX || negations > 4 * CONDITION_DEPTH_MAX {
        return Err(Problem::new(line, "the condition is nested too deep"));
    }
    rsigma_parser::parse_condition(text).map_err(|error| {
        let place = error.location().map_or(0, |place| place.col);
        let reason = format!("the condition `{text}` cannot be read from character {place} on");
        Problem::new(line, reason)
    })
}
