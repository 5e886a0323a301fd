//! Texts of which a record must hold one for a condition to hold, sought in its bytes before
//! anything is read.
//!
//! Most records that a costly condition is asked of have nothing to do with it: no `sagemaker` in the
//! caller's identity, no `AWS_SECRET_ACCESS_KEY` anywhere. One look for such texts over the bytes tells,
//! and only where one is found the fields are looked up. It never decides for a condition: a record
//! that writes characters as escapes may hold what its bytes do not show, and is asked in full.

use std::collections::BTreeSet;
use std::sync::Arc;

use regex_syntax::hir::literal::Extractor;

use super::scope::Place;
use super::seeker::{Seeker, TEXTS_MAX};
use super::wanted::{Wanted, Wish};
use super::{Item, Node};
use crate::field::Path;
use crate::record::{Key, Record};

/// Shortest text that is worth seeking.
const TEXT_BYTES_MIN: usize = 3;

/// A condition that costs this much, and ten times as much as it has traces, is worth the look.
const COST_MIN: u32 = 40;

/// Texts, in lower case, of which one must stand in a record, and in which top-level member; anywhere
/// where it is none.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Traces {
    member: Option<Key>,
    texts: BTreeSet<String>,
    /// They are names and parts of texts. Whole texts are often one of a few that many records have.
    are_parts: bool,
}

/// The test for [`Traces`].
#[derive(Debug, Clone)]
pub(super) struct Trace {
    member: Option<Key>,
    seeker: Seeker,
}

impl Node {
    /// The same condition, which looks for its traces first, if it has some and they spare enough.
    pub(super) fn traced(self) -> Node {
        let (Some(traces), cost) = (Traces::of(&self), self.cost()) else { return self };
        let count = u32::try_from(traces.texts.len()).unwrap_or(u32::MAX);
        if cost < COST_MIN.max(count.saturating_mul(10)) {
            return self;
        }
        let trace = traces.into_item();
        match self {
            Node::And(mut nodes) => {
                nodes.push(trace);
                Node::And(nodes)
            }
            node => Node::And(vec![trace, node]),
        }
    }
}

impl Trace {
    /// What it costs to look, roughly: more than one field, less than several.
    pub(super) const COST: u32 = 25;

    /// Whether the record may satisfy the condition, as far as its bytes show.
    pub(super) fn is_in(&self, record: &Record<'_>) -> bool {
        let bytes = match self.member {
            Some(key) if !record.has_others() => record.written(key),
            _ => record.bytes(),
        };
        self.seeker.is_in(bytes) || !reads_as_written(bytes)
    }
}

/// Whether no letter, digit or mark is written as an escape.
fn reads_as_written(mut bytes: &[u8]) -> bool {
    while let Some(at) = memchr::memchr(b'\\', bytes) {
        let Some(b'"' | b'\\' | b'n' | b'r' | b't' | b'b' | b'f') = bytes.get(at + 1) else {
            return false;
        };
        bytes = bytes.get(at + 2..).unwrap_or_default();
    }
    true
}

impl Traces {
    fn into_item(self) -> Node {
        let trace = Trace { member: self.member, seeker: Seeker::of(&self.texts) };
        let place = self.member.map_or("", Key::name).to_owned();
        let wishes = self.texts.into_iter().map(Wish::Text).collect();
        Node::Item(Arc::new(Item::trace(place, wishes, trace)))
    }

    /// Those of a condition: of an `and` those of its costliest part that has some, of an `or` those of
    /// all its parts.
    fn of(node: &Node) -> Option<Traces> {
        match node {
            Node::And(nodes) => nodes
                .iter()
                .filter_map(|node| Some((node.cost(), Traces::of(node)?)))
                .max_by_key(|(cost, traces)| (traces.are_parts, *cost))
                .map(|(_, traces)| traces),
            Node::Or(nodes) | Node::AtLeast(1.., nodes) => {
                let all: Option<Vec<Traces>> = nodes.iter().map(Traces::of).collect();
                all?.into_iter().reduce(Traces::or)?.within_bounds()
            }
            Node::Item(item) | Node::Once(_, item) => Traces::of_item(item)?.within_bounds(),
            Node::Selection(selection) => Traces::of(&selection.body),
            Node::AtLeast(0, _) | Node::Not(_) | Node::Each(_) => None,
        }
    }

    /// Those of either of two; a text that holds another is found with it.
    fn or(self, other: Traces) -> Traces {
        let member = self.member.filter(|member| other.member == Some(*member));
        let all: BTreeSet<String> = self.texts.into_iter().chain(other.texts).collect();
        let is_held = |text: &String| all.iter().any(|held| held != text && text.contains(held));
        let texts = all.iter().filter(|text| !is_held(text)).cloned().collect();
        Traces { member, texts, are_parts: self.are_parts && other.are_parts }
    }

    fn within_bounds(self) -> Option<Traces> {
        (self.texts.len() <= TEXTS_MAX).then_some(self)
    }

    fn of_item(item: &Item) -> Option<Traces> {
        let (member, name) = match &item.place {
            Place::Field(path) => (Some(path.member()?), last_name(path)),
            Place::Everywhere => (None, None),
            Place::Within(_) => return None,
        };
        let read_alike = !item.modifiers.split('|').any(|name| matches!(name, "i" | "m" | "s"));
        let of_values = item.any_wanted().filter(|_| read_alike).and_then(|wanted| {
            let each: Option<Vec<Vec<String>>> = wanted.iter().map(texts_of).collect();
            let texts: Option<BTreeSet<String>> = each?.into_iter().flatten().map(usable).collect();
            texts.filter(|texts| texts.len() <= TEXTS_MAX / 4)
        });
        let of_name = || {
            let name = name.filter(|_| item.needs_value())?;
            Some(BTreeSet::from([usable(name.to_owned())?]))
        };
        let are_parts = of_values.is_none() || item.exact().is_none();
        Some(Traces { member, texts: of_values.or_else(of_name)?, are_parts })
    }
}

/// The last name of a path that leads into a top-level member.
fn last_name(path: &Path) -> Option<&str> {
    path.as_str().rsplit_once('.').map(|(_, name)| name)
}

/// A text as it is sought: one that every record writes in one way, but for letter case and escapes.
fn usable(text: String) -> Option<String> {
    let is_plain = |byte: u8| (b' '..=b'~').contains(&byte) && !matches!(byte, b'"' | b'\\');
    (text.len() >= TEXT_BYTES_MIN && text.bytes().all(is_plain)).then(|| text.to_ascii_lowercase())
}

/// Texts of which one stands in every value that is this.
fn texts_of(wanted: &Wanted) -> Option<Vec<String>> {
    match wanted {
        Wanted::Text(pattern) => Some(vec![pattern.longest_piece().to_owned()]),
        Wanted::Texts(texts) => Some(texts.iter().map(|text| text.to_string()).collect()),
        Wanted::Regex(regex) => {
            let hir = regex_syntax::parse(regex.as_str()).ok()?;
            let begins = Extractor::new().extract(&hir);
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
            begins.literals()?.iter().map(|literal| text(literal.as_bytes())).collect()
        }
        Wanted::Null
        | Wanted::Bool(_)
        | Wanted::Number(..)
        | Wanted::Network(_)
        | Wanted::Time(..) => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use crate::field::Fields;
    use crate::record::Record;
    use crate::rule::{Document, Environment, RuleSet};

    /// Costly enough to be traced: by a part of the caller's name, and by secrets anywhere.
    const COSTLY: [&str; 2] = [
        "{a: {eventSource: a, userIdentity.arn|endswith: /SageMaker}, \
          b: {eventSource: a, userIdentity.sessionContext.sessionIssuer.userName|contains: sagemaker}, \
          condition: a or b}",
        "{s: {eventSource: a}, v: {'|re': ['gh[po]_[a-z]{2}', 'sk-(ant|proj)-x']}, \
          n: {requestParameters.environment.API_KEY|exists: true}, condition: s and (v or n)}",
    ];

    /// Whether records with these members match either, which the conditions themselves must confirm.
    #[track_caller]
    fn matches(members: &str) -> [bool; 2] {
        let json = format!(
            r#"{{"eventTime":"2026-11-07T10:00:00Z","eventSource":"a","eventName":"b",{members}}}"#
        );
        let record = Record::decode(json.as_bytes()).unwrap();
        COSTLY.map(|detection| {
            let logsource = "logsource: {product: aws, service: cloudtrail}";
            let text = format!("title: t\n{logsource}\ndetection: {detection}\n");
            let document = Document { path: "r.yml".into(), text };
            let rules = RuleSet::load(&[document], &Environment::default()).unwrap();
            let fields = Fields::of(&record);
            let asked = rules.detections[0].matcher.given(&fields).unwrap();
            assert!(format!("{asked:?}").contains("Trace("), "it is worth a look");
            let mut found = false;
            rules.matching(&fields, &mut |_| found = true);
            assert_eq!(found, rules.detections[0].matcher.fits(&fields), "{members}");
            found
        })
    }

    #[test]
    fn what_is_found_and_what_is_hidden_from_a_look() {
        for (members, wanted) in [
            (r#""userIdentity":{"arn":"x/SageMaker"}"#, [true, false]),
            (r#""userIdentity":{"arn":"x/sAGEmAKER","b":"\"\\"}"#, [true, false]),
            (r#""userIdentity":{"arn":"x/Sage\u004daker"}"#, [true, false]),
            (r#""userIdentity":{"arn":"x\/SageMaker"}"#, [true, false]),
            (r#""userIdentity":{"arn":"x\\/SageMaker"}"#, [true, false]),
            (r#""userIdentity":{"arn":"x/Sage\Maker"}"#, [true, false]),
            (r#""userIdentity.arn":"x/SageMaker""#, [true, false]),
            (r#""UserIdentity":{"Arn":"x/SageMaker"}"#, [true, false]),
            (r#""userIdentity":{"arn":"x"},"requestParameters":{"y":"/SageMaker"}"#, [false; 2]),
            (r#""userIdentity":null"#, [false; 2]),
            (r#""requestParameters":{"environment":{"API_KEY":""}}"#, [false, true]),
            (r#""requestParameters":{"environment":{"api_key":1}}"#, [false, true]),
            (r#""requestParameters":{"environment":{"API\u005fKEY":1}}"#, [false, true]),
            (r#""requestParameters":{"a":[{"b":"xxghp_aa"}]}"#, [false, true]),
            (r#""requestParameters":{"a":[{"b":"xxGHP_aa"}]}"#, [false; 2]),
            (r#""responseElements":["sk-proj\u002dx"]"#, [false, true]),
        ] {
            assert_eq!(matches(members), wanted, "{members}");
        }
    }
}
