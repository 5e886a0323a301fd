//! Which detections a record could match at all, and what is left to ask of each, told by its
//! `eventSource` and `eventName`.
//!
//! A stream has some thousand pairs of the two, and few records match a rule. So what they decide of
//! each condition is decided once a pair: a record then costs one look-up, and after that only tests
//! of other fields, of detections that still have a chance.

use std::hash::{BuildHasher, Hasher};
use std::ops::ControlFlow;
use std::sync::OnceLock;

use foldhash::fast::RandomState;
use smallvec::SmallVec;

use super::Detection;
use crate::field::{Fields, Path};
use crate::matcher::{Matcher, Seekers, share};
use crate::record::{Key, Value};

/// How many pairs of event source and name are kept. All of AWS has some 15,000; whoever makes
/// others up fills it, and costs time, not memory.
const PAIRS_MAX: usize = 1 << 14;

/// How many places of the table a pair may have.
const PROBES: usize = 16;

/// Longest pair that is kept, bytes. The longest of AWS has about a hundred.
const PAIR_BYTES_MAX: usize = 256;

/// The index of a [`RuleSet`](super::RuleSet).
#[derive(Debug)]
pub(crate) struct Index {
    name: Path,
    source: Path,
    hasher: RandomState,
    seekers: Seekers,
    /// A place that was taken stays taken, so that nobody ever waits to read it.
    pairs: Box<[OnceLock<Pair>]>,
}

/// What is left to ask of records with one event source and name.
#[derive(Debug)]
struct Pair {
    text: PairText,
    entries: Vec<Entry>,
}

/// How the two are written, where the source ends, the source, the name.
type PairText = SmallVec<[u8; 64]>;

/// Begins a pair of two texts that read as they are written.
const PLAIN: u8 = 1;

/// Begins any other.
const ODD: u8 = 0;

/// A detection that a record of a pair may match.
#[derive(Debug)]
struct Entry {
    /// Its place.
    detection: usize,
    /// Members that must be there and not null, a bit each.
    members: u64,
    /// What the pair does not decide.
    rest: Matcher,
}

impl Entry {
    fn fits(&self, fields: &Fields<'_, '_>) -> bool {
        self.members & !fields.record().held() == 0 && self.rest.fits(fields)
    }
}

impl Default for Index {
    fn default() -> Index {
        let path = |text| Path::parse(text).expect("a field of every record is a path");
        Index {
            name: path("eventName"),
            source: path("eventSource"),
            hasher: RandomState::default(),
            seekers: Seekers::default(),
            pairs: std::iter::repeat_with(OnceLock::new).take(PAIRS_MAX).collect(),
        }
    }
}

impl Index {
    /// Visits the places of the detections that match, in order. They must be the same each time.
    pub(crate) fn matching(
        &self,
        detections: &[Detection],
        fields: &Fields<'_, '_>,
        visit: &mut dyn FnMut(usize),
    ) {
        let make = || entries(detections, fields, &self.seekers);
        let plain = |key| fields.record().plain_text(key).filter(|text| !text.is_empty());
        let pair = match (plain(Key::EventSource), plain(Key::EventName)) {
            (Some(source), Some(name)) => self.plain_pair(source, name, &make),
            _ => self.text(fields).and_then(|text| self.pair(&text, &make)),
        };
        match pair {
            Some(pair) => {
                fields.ask_anew();
                let fitting = pair.entries.iter().filter(|entry| entry.fits(fields));
                fitting.for_each(|entry| visit(entry.detection));
            }
            // Nothing is kept of it, so nothing is decided beforehand.
            None => {
                let each = detections.iter().enumerate();
                let fitting = each.filter(|(_, detection)| detection.matcher.fits(fields));
                fitting.for_each(|(place, _)| visit(place));
            }
        }
    }

    /// What is kept of a pair; made if there is room and nobody was asked before.
    fn pair(&self, text: &PairText, make: &dyn Fn() -> Vec<Entry>) -> Option<&Pair> {
        let hash = self.hasher.hash_one(text.as_slice());
        let make = || Pair { text: text.clone(), entries: make() };
        self.find(hash, &make, &|pair| pair.text == *text)
    }

    /// The same for a pair as most are: two texts that read as they are written.
    fn plain_pair(
        &self,
        source: &[u8],
        name: &[u8],
        make: &dyn Fn() -> Vec<Entry>,
    ) -> Option<&Pair> {
        let end = u8::try_from(source.len()).ok().filter(|end| *end < u8::MAX)?;
        if source.len() + name.len() > PAIR_BYTES_MAX {
            return None;
        }
        let mut hasher = self.hasher.build_hasher();
        hasher.write(source);
        hasher.write(name);
        let text = || [&[PLAIN, end], source, name].concat().into();
        let make = || Pair { text: text(), entries: make() };
        self.find(hasher.finish(), &make, &|pair| match pair.text.as_slice() {
            [PLAIN, mark, rest @ ..] => {
                *mark == end && rest.split_at_checked(source.len()) == Some((source, name))
            }
            _ => false,
        })
    }

    fn find(
        &self,
        hash: u64,
        make: &dyn Fn() -> Pair,
        is_it: &dyn Fn(&Pair) -> bool,
    ) -> Option<&Pair> {
        let first = usize::try_from(hash % PAIRS_MAX as u64).unwrap_or(0);
        let places = self.pairs.iter().cycle().skip(first).take(PROBES);
        places.map(|place| place.get_or_init(make)).find(|pair| is_it(pair))
    }

    /// The record's pair; none where it has several or odd ones.
    fn text(&self, fields: &Fields<'_, '_>) -> Option<PairText> {
        let mut text = PairText::new();
        text.push(ODD);
        text.push(0);
        add(&mut text, fields, Key::EventSource, &self.source)?;
        // Where the source ends, first, so that no other pair has the same bytes.
        let end = u8::try_from(text.len()).ok()?;
        text.iter_mut().skip(1).take(1).for_each(|first| *first = end);
        add(&mut text, fields, Key::EventName, &self.name)?;
        (text.len() <= PAIR_BYTES_MAX).then_some(text)
    }
}

/// Adds the one text that a field has, marked, or nothing where it has no value.
fn add(text: &mut PairText, fields: &Fields<'_, '_>, key: Key, path: &Path) -> Option<()> {
    const MARK: u8 = b'=';
    if let Some(plain) = fields.record().plain_text(key) {
        text.push(MARK);
        text.extend_from_slice(plain);
        return Some(());
    }
    let empty = text.len();
    let visited = fields.visit(path, &mut |value| match value {
        Value::Text(found) if text.len() == empty => {
            text.push(MARK);
            text.extend_from_slice(found.as_bytes());
            ControlFlow::Continue(())
        }
        _ => ControlFlow::Break(()),
    });
    visited.is_continue().then_some(())
}

/// The detections that a record with this event source and name may match.
fn entries(detections: &[Detection], fields: &Fields<'_, '_>, seekers: &Seekers) -> Vec<Entry> {
    let entry = |(place, detection): (usize, &Detection)| {
        let rest = detection.matcher.given(fields)?.traced(seekers);
        let members = rest.necessary().members;
        let members = members.iter().fold(0, |bits, key| bits | key.bit());
        Some(Entry { detection: place, members, rest })
    };
    let mut entries: Vec<Entry> = detections.iter().enumerate().filter_map(entry).collect();
    share(&mut entries.iter_mut().map(|entry| &mut entry.rest).collect::<Vec<_>>());
    entries
}
