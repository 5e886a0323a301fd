//! Fields of a record by path: what rules, group-by, aliases and evidence name.

mod derived;
mod descend;
mod path;

use std::cell::{Cell, OnceCell};
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::sync::LazyLock;

use crate::derive::{self, Networks};
use crate::record::{EventId, Key, Object, Record, Value};
use derived::Derived;
pub use descend::ARRAY_NESTING_MAX;
use descend::{Ends, descend};
use path::Start;
pub use path::{PATH_SEGMENTS_MAX, Path};

/// A record with its derived fields, each computed at most once, when first asked for.
pub struct Fields<'r, 'b> {
    record: &'r Record<'b>,
    networks: &'r Networks,
    /// The members of `userIdentity` and `requestParameters`, of which nearly every rule asks.
    identity: OnceCell<Object<'b>>,
    parameters: OnceCell<Object<'b>>,
    /// Those of `userIdentity.sessionContext`, which tells whose session it is.
    session: OnceCell<Object<'b>>,
    /// Tests that several rules ask: which were asked, and which of these hold, a bit each.
    asked: Cell<(u64, u64)>,
    source_address: OnceCell<Option<IpAddr>>,
    /// What the request asks for, of which several derived fields tell.
    capacity: OnceCell<Box<derive::Parts<'b>>>,
    derived: Derived<'b>,
    id: OnceCell<(u64, EventId)>,
}

impl<'r, 'b> Fields<'r, 'b> {
    /// Wraps a record; no network is called our own.
    #[must_use]
    pub fn of(record: &'r Record<'b>) -> Fields<'r, 'b> {
        static NONE: LazyLock<Networks> = LazyLock::new(Networks::default);
        Fields::within(record, &NONE)
    }

    /// Wraps a record, with the networks that we call our own.
    #[must_use]
    pub fn within(record: &'r Record<'b>, networks: &'r Networks) -> Fields<'r, 'b> {
        Fields {
            record,
            networks,
            identity: OnceCell::new(),
            parameters: OnceCell::new(),
            session: OnceCell::new(),
            asked: Cell::new((0, 0)),
            source_address: OnceCell::new(),
            capacity: OnceCell::new(),
            derived: Derived::default(),
            id: OnceCell::new(),
        }
    }

    /// The record itself.
    #[must_use]
    pub fn record(&self) -> &'r Record<'b> {
        self.record
    }

    /// The record's identity, see [`Record::id`].
    pub(crate) fn id(&self, seed: u64) -> EventId {
        match self.id.get_or_init(|| (seed, self.record.id(seed))) {
            (hashed_with, id) if *hashed_with == seed => *id,
            _ => self.record.id(seed),
        }
    }

    /// The members of `userIdentity`.
    pub(crate) fn identity(&self) -> &Object<'b> {
        self.identity.get_or_init(|| Object::of(&self.record.value(Key::UserIdentity)))
    }

    /// The members of `userIdentity.sessionContext`.
    pub(crate) fn session(&self) -> &Object<'b> {
        self.session.get_or_init(|| Object::of(&self.identity().get("sessionContext")))
    }

    /// The members of `requestParameters`.
    pub(crate) fn parameters(&self) -> &Object<'b> {
        self.parameters.get_or_init(|| Object::of(&self.record.value(Key::RequestParameters)))
    }

    /// The members of a top-level object that is asked of often.
    fn object(&self, key: Key) -> Option<&Object<'b>> {
        match key {
            Key::UserIdentity => Some(self.identity()),
            Key::RequestParameters => Some(self.parameters()),
            _ => None,
        }
    }

    /// Forgets the answers of [`once`](Fields::once): other tests are asked now.
    pub(crate) fn ask_anew(&self) {
        self.asked.set((0, 0));
    }

    /// What the test of this number answers, which is asked once.
    pub(crate) fn once(&self, number: u8, ask: impl FnOnce() -> bool) -> bool {
        let bit = 1 << (number & 63);
        let (asked, hold) = self.asked.get();
        if asked & bit != 0 {
            return hold & bit != 0;
        }
        let holds = ask();
        let (asked, hold) = self.asked.get();
        self.asked.set((asked | bit, hold | if holds { bit } else { 0 }));
        holds
    }

    /// The address that the call comes from, if it is one.
    pub(crate) fn source_address(&self) -> Option<IpAddr> {
        *self.source_address.get_or_init(|| derive::source_address(self.record))
    }

    /// What the request asks for, part by part.
    pub(crate) fn capacity(&self) -> &derive::Parts<'b> {
        self.capacity.get_or_init(|| Box::new(derive::parts(self)))
    }

    /// The networks that we call our own.
    pub(crate) fn networks(&self) -> &'r Networks {
        self.networks
    }

    /// Visits every value at `path`. An array at the end is visited element by element; an empty
    /// array, an object and a null are visited as such; nothing is visited where the path is absent.
    /// Stops early when `visit` breaks, and says so.
    pub fn visit<'f>(
        &'f self,
        path: &Path,
        visit: &mut dyn FnMut(Value<'f>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.walk(path, Ends::Entered, visit)
    }

    /// The value at `path` as it stands, arrays whole (for array selectors): the first where the
    /// way leads through an array.
    #[must_use]
    pub fn value(&self, path: &Path) -> Value<'_> {
        let mut first = Value::Missing;
        let found = self.walk(path, Ends::Whole, &mut |value| {
            first = value;
            ControlFlow::Break(())
        });
        debug_assert_eq!(found.is_break(), first != Value::Missing);
        first
    }

    /// Whether there is something but null at `path`, where the record shows it at sight.
    pub(crate) fn plainly_exists(&self, path: &Path) -> Option<bool> {
        let Start::Member { key, rest } = path.start else { return None };
        if self.record.has_others() {
            return None;
        }
        match self.record.written(key) {
            b"" | b"null" => Some(false),
            [b'"', ..] if path.behind(rest).is_empty() => Some(true),
            _ => None,
        }
    }

    /// The text at `path` as it is written, where that is a top-level member and reads as written.
    pub(crate) fn plain(&self, path: &Path) -> Option<&'b [u8]> {
        match path.start {
            Start::Member { key, rest } if path.behind(rest).is_empty() => {
                self.record.plain_text(key).filter(|plain| !plain.is_empty())
            }
            _ => None,
        }
    }

    /// The one value at `path`, where it is a text, a number or a truth value to which no array leads.
    pub(crate) fn scalar(&self, path: &Path) -> Option<Value<'_>> {
        if let Start::Derived { place } = path.start {
            let values = self.derived.values(place, || derive::computed(place, self));
            return match values {
                [only] => Some(only.by_ref()),
                _ => None,
            };
        }
        let (value, rest) = self.begin(path);
        let is_scalar = matches!(value, Value::Text(_) | Value::Number(_) | Value::Bool(_));
        (is_scalar && rest.is_empty()).then_some(value)
    }

    fn walk<'f>(
        &'f self,
        path: &Path,
        ends: Ends,
        visit: &mut dyn FnMut(Value<'f>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if let Start::Derived { place } = path.start {
            let values = self.derived.values(place, || derive::computed(place, self));
            return values.iter().map(Value::by_ref).try_for_each(visit);
        }
        let (value, rest) = self.begin(path);
        match value {
            Value::Missing => ControlFlow::Continue(()),
            // As most are: no way to go, and nothing to enter.
            Value::Text(_) | Value::Number(_) | Value::Bool(_) | Value::Null => {
                if rest.is_empty() {
                    visit(value)
                } else {
                    ControlFlow::Continue(())
                }
            }
            Value::Array(_) | Value::Object(_) => descend(value, rest, ends, visit),
        }
    }

    /// The value at which a path begins, and what of it is left; nothing of a derived one.
    fn begin<'p>(&self, path: &'p Path) -> (Value<'b>, &'p str) {
        match path.start {
            Start::Derived { .. } => (Value::Missing, &path.text),
            Start::Member { key, rest } => match self.record.value(key) {
                // Flattened records have one member whose name is the whole path.
                Value::Missing => self.begin_at_other(&path.text),
                Value::Object(_)
                    if !path.behind(rest).is_empty()
                        && let Some(object) = self.object(key) =>
                {
                    object.along(path.behind(rest))
                }
                value => (value, path.behind(rest)),
            },
            Start::Whole => self.begin_at_other(&path.text),
        }
    }

    /// Begins a path at a top-level member that is no [`Key`].
    fn begin_at_other<'p>(&self, path: &'p str) -> (Value<'b>, &'p str) {
        if self.record.has_others() {
            self.record.whole().along(path)
        } else {
            (Value::Missing, path)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const RECORD: &str = r#"{"eventTime":"2026-01-31T23:59:59Z","eventName":"RunInstances",
        "userIdentity":null,"requestParameters":{"name":"a","Case":1,"none":null,"empty":[],
        "list":["x",["y",[["z"]],[]],null],"items":[{"id":1},{"id":[2,3]},{"no":0},7,[{"id":4}]],
        "aws:x.y":{"z":"dotted"},"object":{"k":"v"}},"own":{"field":[1]},"tls.version":"1.3"}"#;

    /// All that is visited at `path`, as JSON.
    fn visited(json: &str, path: &str) -> Vec<String> {
        let record = Record::decode(json.as_bytes()).unwrap();
        let fields = Fields::of(&record);
        let mut all = Vec::new();
        let flow = fields.visit(&Path::parse(path).unwrap(), &mut |value| {
            all.push(value.to_json(Default::default()).unwrap().to_string());
            ControlFlow::Continue(())
        });
        assert!(flow.is_continue());
        all
    }

    #[test]
    fn a_path_visits_each_value_it_leads_to() {
        for (path, expected) in [
            ("eventName", vec![r#""RunInstances""#]),
            ("userIdentity", vec!["null"]),
            ("userIdentity.arn", vec![]),
            ("requestParameters.name", vec![r#""a""#]),
            ("requestParameters.case", vec!["1"]),
            ("requestParameters.none", vec!["null"]),
            ("requestParameters.none.deeper", vec![]),
            ("requestParameters.empty", vec!["[]"]),
            ("requestParameters.empty.x", vec![]),
            ("requestParameters.list", vec![r#""x""#, r#""y""#, r#""z""#, "[]", "null"]),
            ("requestParameters.items.id", vec!["1", "2", "3", "4"]),
            ("requestParameters.items.id.x", vec![]),
            ("requestParameters.aws:x.y.z", vec![r#""dotted""#]),
            ("requestParameters.object", vec![r#"{"k":"v"}"#]),
            ("own.field", vec!["1"]),
            ("tls.version", vec![r#""1.3""#]),
            ("absent", vec![]),
            ("errorCode", vec![]),
            ("floodmark.principal", vec![]),
        ] {
            assert_eq!(visited(RECORD, path), expected, "{path}");
        }
    }

    #[test]
    fn a_visit_stops_when_told() {
        let record = Record::decode(RECORD.as_bytes()).unwrap();
        let mut seen = 0;
        let path = Path::parse("requestParameters.items.id").unwrap();
        let flow = Fields::of(&record).visit(&path, &mut |_| {
            seen += 1;
            if seen == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!((flow, seen), (ControlFlow::Break(()), 2));
    }

    #[test]
    fn a_value_is_the_first_and_whole() {
        let record = Record::decode(RECORD.as_bytes()).unwrap();
        let fields = Fields::of(&record);
        let value = |path| fields.value(&Path::parse(path).unwrap());
        assert!(matches!(value("requestParameters.list"), Value::Array(_)));
        assert_eq!(value("requestParameters.items.id"), Value::Number("1".into()));
        assert_eq!(value("requestParameters.none"), Value::Null);
        assert_eq!(value("requestParameters.gone"), Value::Missing);
    }

    #[test]
    fn arrays_are_entered_so_deep_and_no_deeper() {
        let nested = |levels: usize| {
            let (open, close) = ("[".repeat(levels), "]".repeat(levels));
            format!(r#"{{"eventTime":"2026-01-31T23:59:59Z","a":{open}{{"b":1}}{close}}}"#)
        };
        let deepest = usize::from(ARRAY_NESTING_MAX);
        assert_eq!(visited(&nested(deepest), "a.b"), ["1"]);
        assert_eq!(visited(&nested(deepest + 1), "a.b"), Vec::<String>::new());
        assert_eq!(visited(&nested(deepest + 1), "a"), [r#"[{"b":1}]"#]);
    }

    #[test]
    fn a_flattened_record_is_read_by_the_same_paths() {
        let flat = r#"{"eventTime":"2026-01-31T23:59:59Z","userIdentity.type":"Root",
            "requestParameters.bucketName":"b"}"#;
        assert_eq!(visited(flat, "userIdentity.type"), [r#""Root""#]);
        assert_eq!(visited(flat, "requestParameters.bucketName"), [r#""b""#]);
    }
}
