//! Fields of a record by path: what rules, group-by, aliases and evidence name.

use std::cell::{Cell, OnceCell};
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::sync::LazyLock;

use smallvec::SmallVec;

use crate::derive::{self, Networks};
use crate::record::{Elements, EventId, Key, Object, Record, Value};

/// Most segments a path may have; real records nest 11 deep.
pub const PATH_SEGMENTS_MAX: usize = 32;

/// Most arrays directly within each other that are entered; a deeper one is visited as it stands,
/// and not entered on the way.
pub const ARRAY_NESTING_MAX: u8 = 8;

/// First segment of the fields that are derived from a record rather than found in it.
const DERIVED: &str = "floodmark";

/// A compiled field path: `requestParameters.trainingJobName`, `floodmark.principal`.
///
/// Segments are separated by dots. An array on the way is entered: every element counts.
/// (Array selectors `[any]` and `[all]` are taken apart by the rule compiler, not here.)
/// A key that itself holds dots is found too: the longest key that is whole segments counts.
/// A key in another letter case counts where none is written as asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Path {
    text: Box<str>,
    start: Start,
}

/// Where a path begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Start {
    /// At a known top-level member; the segments behind it begin at `rest`.
    Member { key: Key, rest: usize },
    /// At some other top-level member.
    Whole,
    /// Nowhere in the record: the derived field at this place in [`derive::NAMES`].
    Derived { place: u8 },
}

impl Path {
    /// Compiles a path. Unknown `floodmark.*` names give the error, with the nearest known one.
    pub fn parse(text: &str) -> Result<Path, String> {
        if text.split('.').any(str::is_empty) {
            return Err(format!("`{text}` is no field path: a segment is empty"));
        }
        if text.split('.').count() > PATH_SEGMENTS_MAX {
            return Err(format!("`{text}` has more than {PATH_SEGMENTS_MAX} segments"));
        }
        let (first, rest) = text.split_once('.').unwrap_or((text, ""));
        let start = if first == DERIVED {
            Start::Derived { place: derived_place(rest)? }
        } else if let Some(key) = Key::named(first.as_bytes()) {
            let rest = text.len() - rest.len();
            Start::Member { key, rest }
        } else {
            Start::Whole
        };
        Ok(Path { text: text.into(), start })
    }

    /// As written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The top-level member without which nothing is at this path, if there is one such.
    pub(crate) fn member(&self) -> Option<Key> {
        match self.start {
            Start::Member { key, .. } => Some(key),
            Start::Whole | Start::Derived { .. } => None,
        }
    }

    fn behind(&self, at: usize) -> &str {
        self.text.get(at..).unwrap_or_default()
    }
}

/// A record with its derived fields, each computed at most once, when first asked for.
pub struct Fields<'r, 'b> {
    record: &'r Record<'b>,
    networks: &'r Networks,
    /// The members of `userIdentity` and `requestParameters`, of which nearly every rule asks.
    identity: OnceCell<Object<'b>>,
    parameters: OnceCell<Object<'b>>,
    /// Tests that several rules ask: which were asked, and which of these hold, a bit each.
    asked: Cell<(u64, u64)>,
    source_address: OnceCell<Option<IpAddr>>,
    /// What the request asks for, of which several derived fields tell.
    capacity: OnceCell<Box<derive::Parts<'b>>>,
    derived: Derived<'b>,
    id: OnceCell<(u64, EventId)>,
}

/// How many derived fields are kept without allocating: more than most records are asked for.
const DERIVED_AT_HAND: usize = 6;

/// Derived fields in the order they were first asked for: few enough to be searched.
#[derive(Default)]
struct Derived<'b> {
    first: [OnceCell<DerivedField<'b>>; DERIVED_AT_HAND],
    further: OnceCell<Box<Derived<'b>>>,
}

/// A derived field by its place in [`derive::NAMES`], and its values (several where it is a list).
struct DerivedField<'b> {
    place: u8,
    values: SmallVec<[Value<'b>; 2]>,
}

impl<'b> Derived<'b> {
    /// The values of the field at `place`; computed if nobody asked before.
    fn values(
        &self,
        place: u8,
        compute: impl FnOnce() -> SmallVec<[Value<'b>; 2]>,
    ) -> &[Value<'b>] {
        for slot in &self.first {
            match slot.get() {
                Some(field) if field.place == place => return &field.values,
                Some(_) => {}
                None => {
                    return &slot.get_or_init(|| DerivedField { place, values: compute() }).values;
                }
            }
        }
        self.further.get_or_init(Box::default).values(place, compute)
    }
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

    /// The members of a top-level object that is asked of often.
    fn object(&self, key: Key) -> Option<&Object<'b>> {
        match key {
            Key::UserIdentity => Some(self.identity()),
            Key::RequestParameters => {
                Some(self.parameters.get_or_init(|| Object::of(&self.record.value(key))))
            }
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
        self.capacity.get_or_init(|| Box::new(derive::parts(self.record)))
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

/// The place of the derived field of this name; else the reason, with the nearest name.
fn derived_place(name: &str) -> Result<u8, String> {
    let place = derive::NAMES.iter().position(|known| *known == name);
    if let Some(place) = place.and_then(|place| u8::try_from(place).ok()) {
        return Ok(place);
    }
    let nearest = derive::NAMES
        .iter()
        .map(|known| (strsim::damerau_levenshtein(known, name), known))
        .min()
        .filter(|(distance, _)| *distance <= 3);
    Err(match nearest {
        Some((_, known)) => {
            format!("no field `floodmark.{name}`: did you mean `floodmark.{known}`?")
        }
        None => format!("no field `floodmark.{name}`: there are {}", derive::NAMES.join(", ")),
    })
}

/// What is done with an array at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// Its elements are visited.
    Entered,
    /// It is visited itself.
    Whole,
}

/// An array that is being gone through.
struct Frame<'b, 'p> {
    elements: Elements<'b>,
    /// What of the path is left for each element.
    rest: &'p str,
    /// How many arrays lie directly around the elements.
    nesting: u8,
}

/// Follows `rest` from `value`, through objects by name and through arrays by each element.
///
/// Every level of arrays and objects is scanned at most once, so the cost is bounded by the
/// record's length times the segments and the arrays that may be entered between two of them.
fn descend<'f>(
    value: Value<'f>,
    rest: &str,
    ends: Ends,
    visit: &mut dyn FnMut(Value<'f>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let mut frames: SmallVec<[Frame<'f, '_>; 2]> = SmallVec::new();
    let mut next = Some((value, rest, 0));
    loop {
        let (mut value, mut rest, mut nesting) = match (next.take(), frames.last_mut()) {
            (Some(begun), _) => begun,
            (None, None) => return ControlFlow::Continue(()),
            (None, Some(frame)) => match frame.elements.next() {
                Some(element) => (element, frame.rest, frame.nesting),
                None => {
                    frames.pop();
                    continue;
                }
            },
        };
        while !rest.is_empty()
            && let Value::Object(object) = value
        {
            (value, rest) = object.along(rest);
            nesting = 0;
        }
        let at_end = rest.is_empty();
        match value {
            Value::Missing => {}
            Value::Array(array)
                if nesting < ARRAY_NESTING_MAX
                    && (!at_end || ends == Ends::Entered)
                    && array.elements().next().is_some() =>
            {
                frames.push(Frame { elements: array.elements(), rest, nesting: nesting + 1 });
            }
            found if at_end => visit(found)?,
            _ => {}
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

    #[test]
    fn what_is_no_path_is_refused() {
        for bad in ["", ".", "a.", ".a", "a..b"] {
            assert!(Path::parse(bad).unwrap_err().contains("segment is empty"), "{bad}");
        }
        assert!(Path::parse(&"a.".repeat(32)).is_err());
        assert!(Path::parse(&vec!["a"; 33].join(".")).is_err());
        assert!(Path::parse(&vec!["a"; 32].join(".")).is_ok());
    }
}
