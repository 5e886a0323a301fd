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
use super::seeker::{Seeker, Seekers, TEXTS_A_PASS};
use super::wanted::{Wanted, Wish};
use super::{Item, Matcher, Node};
use crate::field::Path;
use crate::record::{Key, Record};

/// Shortest text that is worth seeking.
const TEXT_BYTES_MIN: usize = 3;

/// Most texts that a condition is sought by, and of these by one test of it.
const TEXTS_MAX: usize = 255;
const ITEM_TEXTS_MAX: usize = TEXTS_MAX / 4;

/// A look is worth it where it may spare what costs this much, and no less than the look itself.
const SPARED_MIN: u32 = 40;

/// Texts, in lower case, of which one must stand in a record, and in which of its top-level members;
/// anywhere where these are not told.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Traces {
    members: Option<BTreeSet<Key>>,
    texts: BTreeSet<String>,
    /// They are names and parts of texts. Whole texts are often one of a few that many records have.
    are_parts: bool,
}

/// The test for [`Traces`].
#[derive(Debug, Clone)]
pub(super) struct Trace {
    members: Option<Box<[Key]>>,
    seeker: Arc<Seeker>,
    cost: u32,
}

impl Matcher {
    /// The same condition, which looks for its traces first, where that is worth it.
    pub(crate) fn traced(self, seekers: &Seekers) -> Matcher {
        Matcher::new(self.root.traced(seekers))
    }
}

impl Node {
    /// The same condition with a test for its traces, if it has some and they spare enough.
    fn traced(self, seekers: &Seekers) -> Node {
        let Some(traces) = Traces::of(&self) else { return self };
        let cost = traces.cost();
        let asked_later = |node: &&Node| node.cost() > cost;
        let spared: u32 = match &self {
            Node::And(nodes) => nodes.iter().filter(asked_later).map(Node::cost).sum(),
            node => node.cost(),
        };
        if spared < SPARED_MIN.max(cost) {
            return self;
        }
        let Some(trace) = traces.into_item(seekers) else { return self };
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
    /// What it costs to look, roughly: see [`Traces::cost`].
    pub(super) fn cost(&self) -> u32 {
        self.cost
    }

    /// Whether the record may satisfy the condition, as far as its bytes show.
    pub(super) fn is_in(&self, record: &Record<'_>) -> bool {
        let may_be_in = |bytes| self.seeker.is_in(bytes) || !reads_as_written(bytes);
        match &self.members {
            Some(keys) if !record.has_others() => {
                keys.iter().any(|key| may_be_in(record.written(*key)))
            }
            _ => may_be_in(record.bytes()),
        }
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
    fn into_item(self, seekers: &Seekers) -> Option<Node> {
        let cost = self.cost();
        let keys = self.members.iter().flatten();
        let place: Vec<&str> = keys.clone().map(|key| key.name()).collect();
        let place = place.join(",");
        let seeker = seekers.of(&self.texts)?;
        let trace =
            Trace { members: self.members.map(|keys| keys.into_iter().collect()), seeker, cost };
        let wishes = self.texts.into_iter().map(Wish::Text).collect();
        Some(Node::Item(Arc::new(Item::trace(place, wishes, trace))))
    }

    /// What it costs to look for them, roughly: in a member more than a plain field and less than a
    /// member of it, in a whole record several times as much.
    fn cost(&self) -> u32 {
        let places = self.members.as_ref().map_or(4, BTreeSet::len);
        let passes = self.texts.len().div_ceil(TEXTS_A_PASS);
        u32::try_from(places * passes).unwrap_or(u32::MAX).saturating_mul(15)
    }

    /// Those of a condition: of an `and` those of its costliest part that has some and costs more than
    /// they do, of an `or` those of all its parts.
    fn of(node: &Node) -> Option<Traces> {
        match node {
            Node::And(nodes) => nodes
                .iter()
                .filter_map(|node| Some((node.cost(), Traces::of(node)?)))
                .filter(|(cost, traces)| *cost > traces.cost())
                .max_by_key(|(cost, traces)| (traces.are_parts, *cost))
                .map(|(_, traces)| traces),
            Node::Or(nodes) | Node::AtLeast(1.., nodes) => {
                let all: Option<Vec<Traces>> = nodes.iter().map(Traces::of).collect();
                let any = all?.into_iter().reduce(Traces::or);
                any.filter(|traces| traces.texts.len() <= TEXTS_MAX)
            }
            Node::Item(item) | Node::Once(_, item) => Traces::of_item(item),
            Node::Selection(selection) => Traces::of(&selection.body),
            Node::AtLeast(0, _) | Node::Not(_) | Node::Each(_) => None,
        }
    }

    /// Those of either of two; a text that holds another is found with it.
    fn or(self, other: Traces) -> Traces {
        let both = self.members.zip(other.members);
        let members = both.map(|(mut keys, others)| {
            keys.extend(others);
            keys
        });
        let all: BTreeSet<String> = self.texts.into_iter().chain(other.texts).collect();
        let is_held = |text: &String| all.iter().any(|held| held != text && text.contains(held));
        let texts = all.iter().filter(|text| !is_held(text)).cloned().collect();
        Traces { members, texts, are_parts: self.are_parts && other.are_parts }
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
            texts.filter(|texts| texts.len() <= ITEM_TEXTS_MAX)
        });
        // An identity has the same few members in nearly every record.
        let tells = item.needs_value() && member != Some(Key::UserIdentity);
        let of_name = || {
            let name = name.filter(|_| tells)?;
            Some(BTreeSet::from([usable(name.to_owned())?]))
        };
        let are_parts = of_values.is_none() || item.exact().is_none();
        let members = member.map(|member| BTreeSet::from([member]));
        Some(Traces { members, texts: of_values.or_else(of_name)?, are_parts })
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
    use crate::matcher::Seekers;
    use crate::record::Record;
    use crate::rule::{Document, Environment, RuleSet};

    /// Costly enough to be traced: by a part of the caller's name, by secrets anywhere, and by two
    /// members.
    const COSTLY: [&str; 3] = [
        "{a: {eventSource: a, userIdentity.arn|endswith: /SageMaker}, \
          b: {eventSource: a, userIdentity.sessionContext.sessionIssuer.userName|contains: sagemaker}, \
          condition: a or b}",
        "{s: {eventSource: a}, v: {'|re': ['gh[po]_[a-z]{2}', 'sk-(ant|proj)-x']}, \
          n: {requestParameters.environment.API_KEY|exists: true}, condition: s and (v or n)}",
        "{s: {eventSource: a}, asked: {requestParameters.customer-key|exists: true}, \
          told: {additionalEventData.SSEApplied: SSE_C}, condition: s and (asked or told)}",
    ];

    fn rules(detection: &str) -> RuleSet {
        let logsource = "logsource: {product: aws, service: cloudtrail}";
        let text = format!("title: t\n{logsource}\ndetection: {detection}\n");
        RuleSet::load(&[Document { path: "r.yml".into(), text }], &Environment::default()).unwrap()
    }

    /// What is asked of records like this one.
    fn asked(rules: &RuleSet, fields: &Fields<'_, '_>) -> String {
        let given = rules.detections[0].matcher.given(fields).unwrap();
        format!("{:?}", given.traced(&Seekers::default()))
    }

    /// Which of these a record with these members matches; the conditions themselves must confirm it.
    #[track_caller]
    fn matching(members: &str) -> Vec<usize> {
        let json = format!(
            r#"{{"eventTime":"2026-11-07T10:00:00Z","eventSource":"a","eventName":"b",{members}}}"#
        );
        let record = Record::decode(json.as_bytes()).unwrap();
        let matches = |detection: &str| {
            let rules = rules(detection);
            let fields = Fields::of(&record);
            assert!(asked(&rules, &fields).contains("Trace("), "it is worth a look");
            let mut found = false;
            rules.matching(&fields, &mut |_| found = true);
            assert_eq!(found, rules.detections[0].matcher.fits(&fields), "{members}");
            found
        };
        (0..COSTLY.len()).filter(|place| matches(COSTLY[*place])).collect()
    }

    #[test]
    fn what_is_found_and_what_is_hidden_from_a_look() {
        for (members, wanted) in [
            (r#""userIdentity":{"arn":"x/SageMaker"}"#, vec![0]),
            (r#""userIdentity":{"arn":"x/sAGEmAKER","b":"\"\\"}"#, vec![0]),
            (r#""userIdentity":{"arn":"x/Sage\u004daker"}"#, vec![0]),
            (r#""userIdentity":{"arn":"x\/SageMaker"}"#, vec![0]),
            (r#""userIdentity":{"arn":"x\\/SageMaker"}"#, vec![0]),
            (r#""userIdentity":{"arn":"x/Sage\Maker"}"#, vec![0]),
            (r#""userIdentity.arn":"x/SageMaker""#, vec![0]),
            (r#""UserIdentity":{"Arn":"x/SageMaker"}"#, vec![0]),
            (r#""userIdentity":{"arn":"x"},"requestParameters":{"y":"/SageMaker"}"#, vec![]),
            (r#""userIdentity":null"#, vec![]),
            (r#""requestParameters":{"environment":{"API_KEY":""}}"#, vec![1]),
            (r#""requestParameters":{"environment":{"api_key":1}}"#, vec![1]),
            (r#""requestParameters":{"environment":{"API\u005fKEY":1}}"#, vec![1]),
            (r#""requestParameters":{"a":[{"b":"xxghp_aa"}]}"#, vec![1]),
            (r#""requestParameters":{"a":[{"b":"xxGHP_aa"}]}"#, vec![]),
            (r#""responseElements":["sk-proj\u002dx"]"#, vec![1]),
            (r#""requestParameters":{"Customer-Key":"k"}"#, vec![2]),
            (r#""requestParameters":{"k":"customer-key"}"#, vec![]),
            (r#""additionalEventData":{"SSEApplied":"sse_c"}"#, vec![2]),
            (r#""additionalEventData":{"SSEApplied":"SSE\u005fC"}"#, vec![2]),
            (r#""additionalEventData":{"SSEApplied":"SSE_S3"}"#, vec![]),
            (r#""responseElements":{"SSEApplied":"SSE_C"}"#, vec![]),
            (r#""additionalEventData.SSEApplied":"SSE_C""#, vec![2]),
        ] {
            assert_eq!(matching(members), wanted, "{members}");
        }
    }

    /// One look is enough for several, where it finds all that they look for.
    #[test]
    fn looks_of_several_conditions_become_one() {
        let json = r#"{"eventTime":"2026-11-07T10:00:00Z","eventSource":"a","eventName":"b"}"#;
        let record = Record::decode(json.as_bytes()).unwrap();
        let fields = Fields::of(&record);
        let narrow = "{r: {eventSource: a, userIdentity.arn|endswith: /SageMaker, \
            userIdentity.type: AssumedRole, floodmark.source_class: public}, condition: r}";
        let mut conditions: Vec<_> = [narrow, COSTLY[0], COSTLY[1]]
            .iter()
            .map(|detection| rules(detection).detections[0].matcher.clone())
            .map(|matcher| matcher.given(&fields).unwrap().traced(&Seekers::default()))
            .collect();
        crate::matcher::share(&mut conditions.iter_mut().collect::<Vec<_>>());
        let told: Vec<String> = conditions.iter().map(|one| format!("{one:?}")).collect();
        let looks = |text: &str| text.contains("Trace(") && text.contains("Text(\"sagemaker\")");
        assert!(looks(&told[0]) && looks(&told[1]) && told[0].contains("Once("), "{}", told[0]);
        assert!(!told[0].contains("Text(\"/sagemaker\")"), "{}", told[0]);
        assert!(told[2].contains("Trace(") && !looks(&told[2]), "{}", told[2]);
    }

    /// A look costs more than a plain field, and finds what nearly every identity has.
    #[test]
    fn a_look_that_spares_nothing_is_not_taken() {
        let json = r#"{"eventTime":"2026-11-07T10:00:00Z","eventSource":"a","eventName":"b"}"#;
        let record = Record::decode(json.as_bytes()).unwrap();
        for detection in [
            "{s: {eventSource: a, eventType: AwsApiCall, floodmark.accelerators|gte: 1, \
              floodmark.instances|gte: 2}, condition: s}",
            "{s: {eventSource: a, userIdentity.accessKeyId|exists: true, \
              floodmark.instances|gte: 2}, condition: s}",
            "{s: {eventSource: a, userIdentity.arn|endswith: /SageMaker}, condition: s}",
        ] {
            let asked = asked(&rules(detection), &Fields::of(&record));
            assert!(!asked.contains("Trace("), "{asked}");
        }
    }
}
