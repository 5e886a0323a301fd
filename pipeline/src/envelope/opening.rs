//! One payload being opened, level by level.

use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use floodmark_detectors::record::Value;

use super::counts::{Counts, Kind};
use super::framing::{EXCERPT_BYTES_MAX, Framed, Framer};
use super::inflate::{GZIP, Inflate, Limits, ZSTD};
use super::layer::{Layer, TextEnd};
use super::object::{Shape, is_one_record, shape};
use super::opener::{Found, INFLATED_BYTES_MAX, LEVELS_MAX, PARTS_MAX, REJECTS_TOLD_MAX, Rejected};
use super::reject::{Reason, reason_of};
use super::sequence::{Sequence, blanks};
use super::whole_gzip::WholeGzip;
use super::{cloudwatch, kpl};
use crate::encode::redact;

/// Bytes of one payload that broken events of CloudWatch Logs may make us read again.
const AGAIN_BYTES_MAX: usize = 256 << 20;

/// Some bytes, and where they lie: in the payload (layer 0) or in a layer, from `start`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'a> {
    pub(super) bytes: &'a [u8],
    layer: usize,
    start: usize,
}

impl<'a> Piece<'a> {
    /// A payload.
    pub(super) fn whole(payload: &'a [u8]) -> Piece<'a> {
        Piece { bytes: payload, layer: 0, start: 0 }
    }

    /// A part of it, empty if it is none.
    pub(super) fn part(self, place: Range<usize>) -> Piece<'a> {
        match self.bytes.get(place.clone()) {
            Some(bytes) => Piece { bytes, start: self.start + place.start, ..self },
            None => Piece { bytes: &[], ..self },
        }
    }

    /// What is left from a place on.
    pub(super) fn from(self, at: usize) -> Piece<'a> {
        self.part(at.min(self.bytes.len())..self.bytes.len())
    }

    /// A part of it that was borrowed from it.
    fn of(self, borrowed: &[u8]) -> Piece<'a> {
        let at = borrowed.as_ptr().addr().wrapping_sub(self.bytes.as_ptr().addr());
        self.part(at..at.saturating_add(borrowed.len()))
    }

    /// Without a byte order mark, and without blanks around it.
    fn trimmed(self) -> Piece<'a> {
        let mark = if self.bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let whole = self.from(mark);
        whole.of(whole.bytes.trim_ascii())
    }
}

/// The layers above a piece: the first takes what is opened now, the others what is inside that.
pub(super) struct Above<'l> {
    pub(super) layer: &'l mut Layer,
    /// The number of `layer`.
    number: usize,
    pub(super) rest: &'l mut [Layer],
}

/// One payload being opened.
pub(super) struct Opening<'o> {
    found: &'o mut Vec<Found>,
    pub(super) counts: &'o mut Counts,
    whole_gzip: &'o mut WholeGzip,
    reject: &'o mut dyn FnMut(Rejected),
    payload: usize,
    sub_sequence: Option<u64>,
    inflatable_bytes: u64,
    parts: usize,
    rejects: u64,
    again_bytes: usize,
}

impl<'o> Opening<'o> {
    /// Nothing is opened yet of the payload of this number.
    pub(super) fn of(
        payload: usize,
        found: &'o mut Vec<Found>,
        counts: &'o mut Counts,
        whole_gzip: &'o mut WholeGzip,
        reject: &'o mut dyn FnMut(Rejected),
    ) -> Opening<'o> {
        Opening {
            found,
            counts,
            whole_gzip,
            reject,
            payload,
            sub_sequence: None,
            inflatable_bytes: INFLATED_BYTES_MAX,
            parts: PARTS_MAX,
            rejects: 0,
            again_bytes: 0,
        }
    }

    /// Anything: a record, or what holds some.
    pub(super) fn open(&mut self, piece: Piece<'_>, layers: &mut [Layer]) {
        let piece = if is_packed(piece.bytes) { piece } else { piece.trimmed() };
        if layers.is_empty() {
            self.reject(Reason::Levels, piece.bytes);
        } else if is_one_record(piece.bytes) {
            self.record(piece);
        } else {
            self.unwrap(piece, layers);
        }
    }

    /// What is not one record as it stands.
    fn unwrap(&mut self, piece: Piece<'_>, layers: &mut [Layer]) {
        let number = 2 + LEVELS_MAX - layers.len();
        let Some((layer, rest)) = layers.split_first_mut() else {
            return self.reject(Reason::Levels, piece.bytes);
        };
        let mut above = Above { layer, number, rest };
        let bytes = piece.bytes;
        if bytes.is_empty() {
            self.reject(Reason::Empty, bytes);
        } else if bytes.starts_with(&GZIP) {
            self.inflate(Kind::Gzip, piece, &mut above);
        } else if bytes.starts_with(&ZSTD) {
            self.inflate(Kind::Zstd, piece, &mut above);
        } else if let Some(records) = kpl::user_records(bytes) {
            self.user_records(piece, records, &mut above);
        } else if let Some(decoded) = base64(bytes) {
            self.derived(Kind::Base64, bytes.len(), &decoded, &mut above);
        } else {
            let before = *self.counts;
            self.values(piece, &mut above);
            if *self.counts == before {
                // Separators and marks of byte order, and nothing between them.
                self.reject(Reason::Empty, bytes);
            }
        }
    }

    fn inflate(&mut self, kind: Kind, piece: Piece<'_>, above: &mut Above<'_>) {
        let start = above.layer.len();
        let limits = Limits { inflated_bytes_max: self.inflatable_bytes, ..Limits::default() };
        let ended = if self.whole_gzip.inflate(piece.bytes, limits, above.layer) {
            Ok(())
        } else {
            above.layer.put_all(Inflate::new(piece.bytes, limits))
        };
        let bytes = above.layer.len() - start;
        self.inflatable_bytes = self.inflatable_bytes.saturating_sub(bytes as u64);
        self.counts.tally(kind, piece.bytes.len(), bytes);
        if bytes > 0 || ended.is_ok() {
            self.inner(start, above);
        }
        if let Err(error) = ended {
            self.reject(reason_of(&error), piece.bytes);
        }
    }

    fn user_records(
        &mut self,
        piece: Piece<'_>,
        records: kpl::UserRecords<'_>,
        above: &mut Above<'_>,
    ) {
        // Only those of the payload itself are what a source can stop behind.
        let is_payload = piece.layer == 0;
        let mut bytes = 0;
        for record in records {
            if self.is_full() {
                break;
            }
            match record {
                Ok(record) => {
                    bytes += record.data.len();
                    if is_payload {
                        self.sub_sequence = Some(record.sub_sequence);
                    }
                    self.open(piece.of(record.data), &mut *above.rest);
                }
                Err(fault) => self.reject(Reason::Kpl(fault), piece.bytes),
            }
        }
        if is_payload {
            self.sub_sequence = None;
        }
        self.counts.tally(Kind::Kpl, piece.bytes.len(), bytes);
    }

    /// Text with any number of values.
    fn values(&mut self, piece: Piece<'_>, above: &mut Above<'_>) {
        let mut piece = piece;
        // Messages of CloudWatch Logs are walked without finding their end first.
        while !self.is_full() && cloudwatch::begins(piece.bytes) {
            let bytes = self.cloud_watch(piece, above);
            piece = piece.from(bytes);
            piece = piece.from(blanks(piece.bytes));
            if piece.bytes.is_empty() {
                return;
            }
        }
        let sequence = Sequence::of(piece.bytes, self.parts);
        if sequence.has_lists || sequence.values.len() > 1 {
            let bytes = sequence.values.iter().map(Range::len).sum();
            self.counts.tally(Kind::Sequence, piece.bytes.len(), bytes);
        }
        for place in sequence.values {
            self.value(piece.part(place), above);
        }
        match sequence.rest {
            Some(rest) if rest.is_surplus => self.parts = 0,
            Some(rest) => {
                let at = self.texts(piece, rest.at, rest.lists, above);
                let line = if at == rest.at { rest.line } else { at };
                self.salvage(piece, Framer::resume(piece.bytes, at, line, rest.lists), above);
            }
            None => {}
        }
    }

    /// One object or text, whole.
    fn value(&mut self, piece: Piece<'_>, above: &mut Above<'_>) {
        if self.is_full() {
            return;
        }
        if piece.bytes.first() == Some(&b'"') {
            self.text(piece, above);
            return;
        }
        match shape(piece.bytes) {
            Shape::Record => self.record(piece),
            Shape::CloudWatch => {
                self.cloud_watch(piece, above);
            }
            Shape::Envelope(kind, Value::Object(raw) | Value::Array(raw)) => {
                self.counts.tally(kind, piece.bytes.len(), raw.0.len());
                self.open(piece.of(raw.0), &mut *above.rest);
            }
            Shape::Envelope(kind, Value::Text(text)) => {
                self.derived(kind, piece.bytes.len(), text.as_bytes(), above);
            }
            Shape::Envelope(..) => self.reject(Reason::NotAnObject, piece.bytes),
            Shape::Digest => self.counts.digests += 1,
            Shape::Refused(reason) => self.reject(reason, piece.bytes),
        }
    }

    /// A JSON text, which may not be closed. Says how many bytes of the piece it was.
    fn text(&mut self, piece: Piece<'_>, above: &mut Above<'_>) -> usize {
        let start = above.layer.len();
        let end = above.layer.put_text(piece.bytes.get(1..).unwrap_or_default());
        let (bytes, fault) = match end {
            TextEnd::Quote(bytes) => (1 + bytes, None),
            TextEnd::LineEnd(bytes) => (1 + bytes, Some(Reason::TextBroken)),
            TextEnd::Cut => (piece.bytes.len(), Some(Reason::CutOff)),
        };
        self.counts.tally(Kind::Text, bytes, above.layer.len() - start);
        let rejects = self.rejects;
        match fault {
            None => self.inner(start, above),
            Some(reason) => {
                // Not as one record: it may be cut where it looks like a whole one.
                self.cut(start, above);
                if self.rejects == rejects {
                    self.reject(reason, piece.bytes);
                }
            }
        }
        bytes
    }

    /// Texts that stand where a text is odd: most of their lines are good. Says where they end.
    fn texts(&mut self, piece: Piece<'_>, at: usize, lists: usize, above: &mut Above<'_>) -> usize {
        let mut at = at;
        while !self.is_full() && lists == 0 && piece.bytes.get(at) == Some(&b'"') {
            at += self.text(piece.from(at), above);
            at += blanks(piece.from(at).bytes);
        }
        at
    }

    /// What can be read where text is odd.
    fn salvage(&mut self, piece: Piece<'_>, mut framer: Framer<&[u8]>, above: &mut Above<'_>) {
        while let Some(framed) = framer.next() {
            if self.is_full() {
                return;
            }
            match framed {
                Framed::Record { offset, bytes } => {
                    let at = usize::try_from(offset).unwrap_or(usize::MAX);
                    self.value(piece.part(at..at.saturating_add(bytes.len())), above);
                }
                Framed::Reject(reject) => self.rejected(reject.reason, || reject.excerpt),
            }
        }
    }

    /// What was derived from an envelope, and is put into the layer above.
    fn derived(&mut self, kind: Kind, bytes_in: usize, bytes: &[u8], above: &mut Above<'_>) {
        self.counts.tally(kind, bytes_in, bytes.len());
        let start = above.layer.len();
        above.layer.put(bytes);
        self.inner(start, above);
    }

    /// What was put into the layer above, from `start` on.
    pub(super) fn inner(&mut self, start: usize, above: &mut Above<'_>) {
        let bytes = above.layer.part(start..above.layer.len());
        self.open(Piece { bytes, layer: above.number, start }, &mut *above.rest);
    }

    /// The same of something that was cut off.
    fn cut(&mut self, start: usize, above: &mut Above<'_>) {
        let bytes = above.layer.part(start..above.layer.len());
        let piece = Piece { bytes, layer: above.number, start }.trimmed();
        if !piece.bytes.is_empty() {
            self.unwrap(piece, &mut *above.rest);
        }
    }

    fn record(&mut self, piece: Piece<'_>) {
        if !self.has_part() {
            return;
        }
        self.counts.records += 1;
        self.found.push(Found {
            payload: self.payload,
            sub_sequence: self.sub_sequence.unwrap_or(0),
            layer: piece.layer,
            place: piece.start..piece.start + piece.bytes.len(),
        });
    }

    /// A stretch that gives no record.
    pub(super) fn reject(&mut self, reason: Reason, bytes: &[u8]) {
        self.rejected(reason, || redact::excerpt(bytes, EXCERPT_BYTES_MAX));
    }

    fn rejected(&mut self, reason: Reason, excerpt: impl FnOnce() -> String) {
        if !self.has_part() {
            return;
        }
        self.counts.rejects += 1;
        self.rejects += 1;
        if self.rejects <= REJECTS_TOLD_MAX {
            let (sub_sequence, excerpt) = (self.sub_sequence, excerpt());
            (self.reject)(Rejected { reason, sub_sequence, excerpt });
        }
    }

    /// Whether one more part may be read.
    fn has_part(&mut self) -> bool {
        let has = self.parts > 0;
        self.parts = self.parts.saturating_sub(1);
        has
    }

    /// Whether nothing more is read of this payload.
    pub(super) fn is_full(&self) -> bool {
        self.parts == 0
    }

    /// Counts bytes that were read in vain and are read again. Where they are too many, nothing
    /// more is read of this payload: it was made to take long.
    pub(super) fn again(&mut self, bytes: usize) {
        self.again_bytes = self.again_bytes.saturating_add(bytes);
        if self.again_bytes > AGAIN_BYTES_MAX {
            self.parts = 0;
        }
    }

    /// Tells what was not told one by one.
    pub(super) fn end(self) {
        let mut tell = |reason| {
            let (sub_sequence, excerpt) = (None, String::new());
            (self.reject)(Rejected { reason, sub_sequence, excerpt });
        };
        if self.rejects > REJECTS_TOLD_MAX {
            tell(Reason::More(self.rejects - REJECTS_TOLD_MAX));
        }
        if self.parts == 0 {
            self.counts.rejects += 1;
            tell(Reason::Surplus);
        }
    }
}

/// Whether these bytes are no text, so that a blank at their end belongs to them.
fn is_packed(bytes: &[u8]) -> bool {
    bytes.starts_with(&GZIP) || bytes.starts_with(&ZSTD) || bytes.starts_with(&kpl::MAGIC)
}

/// Base64 decoded, if it is that and holds the beginning of something we know. Firehose and JSON
/// converters write bytes so.
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let head = STANDARD.decode(text.first_chunk::<8>()?).ok()?;
    let known = [&GZIP[..], &ZSTD, &kpl::MAGIC, b"{", b"[", b"\""];
    if !known.iter().any(|begins| head.starts_with(begins)) {
        return None;
    }
    STANDARD.decode(text).ok()
}
