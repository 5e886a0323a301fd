//! The windows that Sigma has no word for: `first_seen`, `surge` and `silence`.

use super::Kind;
use super::document::{Entry, Node};
use super::fault::Problem;
use super::keys::{self, required};
use super::quantity::{MEMORY_SECS_MAX, TIMESPAN_SECS_MAX, span, thousandths, whole};

/// Most buckets of a baseline, and most slots of `silence`.
const BUCKETS_MAX: i64 = 10_000;

/// `first_seen`, `surge` or `silence`.
#[derive(Debug, Clone)]
pub(crate) struct Special {
    pub(crate) kind: Kind,
    /// Fields and lines.
    pub(crate) group_by: Vec<(String, usize)>,
    pub(crate) value: Vec<(String, usize)>,
    pub(crate) timespan_secs: i64,
    pub(crate) together: bool,
}

/// Window of a single-record rule and of `first_seen`, seconds.
pub(crate) const SINGLE_SECS: i64 = 3_600;

/// Reads what stands under one of the three.
pub(super) fn special(entry: &Entry, problems: &mut Vec<Problem>) -> Option<Special> {
    match entry.key.as_str() {
        "first_seen" => first_seen(entry, problems),
        "surge" => surge(entry, problems),
        "silence" => silence(entry, problems),
        _ => None,
    }
}

fn first_seen(entry: &Entry, problems: &mut Vec<Problem>) -> Option<Special> {
    let node = map_of(entry, &["key", "value", "memory", "warmup"], problems)?;
    let before = problems.len();
    let within = entry.key.as_str();
    let mut fields = |key| -> Vec<(String, usize)> {
        required(node, key, within, problems)
            .map(|node| keys::texts(node, key, problems))
            .unwrap_or_default()
    };
    let (key, value) = (fields("key"), fields("value"));
    let memory_secs = required_span(node, "memory", within, MEMORY_SECS_MAX, problems)?;
    let warmup_secs = required_span(node, "warmup", within, MEMORY_SECS_MAX, problems)?;
    (problems.len() == before).then_some(Special {
        kind: Kind::FirstSeen { memory_secs, warmup_secs },
        group_by: key,
        value,
        timespan_secs: SINGLE_SECS,
        together: false,
    })
}

fn surge(entry: &Entry, problems: &mut Vec<Problem>) -> Option<Special> {
    let allowed = ["group-by", "bucket", "baseline", "factor", "floor", "min_buckets"];
    let node = map_of(entry, &allowed, problems)?;
    let before = problems.len();
    let within = entry.key.as_str();
    let group_by = required(node, "group-by", within, problems)
        .map(|node| keys::texts(node, "group-by", problems))
        .unwrap_or_default();
    let bucket_secs = required_span(node, "bucket", within, TIMESPAN_SECS_MAX, problems)?;
    let baseline_secs = required_span(node, "baseline", within, MEMORY_SECS_MAX, problems)?;
    let mut number = |key, read: fn(&Node, &str, &mut Vec<Problem>) -> Option<u64>| {
        required(node, key, within, problems).and_then(|node| read(node, key, problems))
    };
    let factor_milli = number("factor", thousandths)?;
    let floor = number("floor", whole)?;
    let buckets_min = number("min_buckets", whole)?;
    let buckets = parts(entry.line, "baseline", baseline_secs, "bucket", bucket_secs, problems)?;
    let mut refuse = |wrong: bool, reason: &str| {
        if wrong {
            problems.push(Problem::new(entry.line, reason));
        }
    };
    refuse(factor_milli <= 1_000, "`factor` must be more than 1");
    refuse(floor == 0, "`floor` must be at least 1");
    refuse(
        !(1..=u64::from(buckets)).contains(&buckets_min),
        "`min_buckets` must be at least 1 and at most the buckets in `baseline`",
    );
    (problems.len() == before).then_some(Special {
        kind: Kind::Surge {
            bucket_secs,
            buckets,
            buckets_min: u32::try_from(buckets_min).ok()?,
            factor_milli,
            floor,
        },
        group_by,
        value: Vec::new(),
        timespan_secs: bucket_secs,
        together: false,
    })
}

fn silence(entry: &Entry, problems: &mut Vec<Problem>) -> Option<Special> {
    let node = map_of(entry, &["group-by", "quiet", "active", "together"], problems)?;
    let before = problems.len();
    let within = entry.key.as_str();
    let group_by = required(node, "group-by", within, problems)
        .map(|node| keys::texts(node, "group-by", problems))
        .unwrap_or_default();
    let quiet_secs = required_span(node, "quiet", within, TIMESPAN_SECS_MAX, problems)?;
    let active = node.entry("active").or_else(|| {
        let reason = "`silence` needs `active: {slot, of}`";
        problems.push(Problem::new(entry.line, reason));
        None
    })?;
    let slots = map_of(active, &["slot", "of"], problems)?;
    let slot_secs = required_span(slots, "slot", "active", TIMESPAN_SECS_MAX, problems)?;
    let of_secs = required_span(slots, "of", "active", TIMESPAN_SECS_MAX, problems)?;
    let slots = parts(active.line, "of", of_secs, "slot", slot_secs, problems)?;
    let together = node
        .get("together")
        .is_some_and(|node| keys::one_of(node, "together", &["feed"], problems).is_some());
    (problems.len() == before).then_some(Special {
        kind: Kind::Silence { quiet_secs, slot_secs, slots },
        group_by,
        value: Vec::new(),
        timespan_secs: quiet_secs,
        together,
    })
}

/// How many of `part_secs` make `whole_secs`.
fn parts(
    line: usize,
    whole: &str,
    whole_secs: i64,
    part: &str,
    part_secs: i64,
    problems: &mut Vec<Problem>,
) -> Option<u32> {
    let count = whole_secs / part_secs;
    if whole_secs % part_secs != 0 || !(1..=BUCKETS_MAX).contains(&count) {
        let reason = format!("`{whole}` must be 1 to {BUCKETS_MAX} times `{part}`, without a rest");
        problems.push(Problem::new(line, reason));
        return None;
    }
    u32::try_from(count).ok()
}

fn map_of<'n>(entry: &'n Entry, allowed: &[&str], problems: &mut Vec<Problem>) -> Option<&'n Node> {
    match entry.value.map() {
        Some(entries) => {
            keys::known(entries, allowed, &entry.key, problems);
            Some(&entry.value)
        }
        None => {
            let reason = format!("`{}` must be a map, not {}", entry.key, entry.value.sort_name());
            problems.push(Problem::new(entry.line, reason));
            None
        }
    }
}

fn required_span(
    node: &Node,
    key: &str,
    within: &str,
    secs_max: i64,
    problems: &mut Vec<Problem>,
) -> Option<i64> {
    required(node, key, within, problems).and_then(|node| span(node, key, secs_max, problems))
}
