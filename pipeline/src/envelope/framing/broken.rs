//! What is no record: rejected with its reason, and where reading goes on.

use std::io::Read;

use floodmark_detectors::time::EventTime;
use memchr::memmem;

use super::{AGAIN_TIMES_MAX, EXCERPT_BYTES_MAX, Found, Framer, Reason, Reject};
use crate::encode::redact;
use crate::envelope::shape::{KEPT_BYTES, beginning, next_line_object};

/// Bytes that may be read again in any case.
pub(super) const AGAIN_GRACE_BYTES: u64 = 8 << 20;

/// What is kept of something that is no record, to be shown, bytes.
const SHOWN_BYTES_MAX: usize = 4 * EXCERPT_BYTES_MAX;

/// Longest time stamp before a record, bytes.
const STAMP_BYTES_MAX: usize = 40;

impl<R: Read> Framer<R> {
    /// Goes to the next plausible record after a broken one.
    pub(super) fn go_on(&mut self, reason: Reason) -> Reject {
        let (offset, excerpt) = (self.place(), self.excerpt());
        let scanned = self.rest().len();
        let indent = offset.saturating_sub(self.line);
        let beginning = beginning(self.rest());
        self.start += 1;
        loop {
            let by_line = next_line_object(self.rest(), indent);
            let by_beginning =
                beginning.as_ref().and_then(|begins| memmem::find(self.rest(), begins));
            if let Some(skip) = by_line.into_iter().chain(by_beginning).min() {
                let again = (scanned as u64).saturating_sub(self.place() + skip as u64 - offset);
                let read = self.offset + self.end as u64;
                if self.again_bytes + again > AGAIN_GRACE_BYTES + read * AGAIN_TIMES_MAX {
                    self.start = self.end;
                } else {
                    self.again_bytes += again;
                    let lines = self.rest().get(..skip).unwrap_or_default();
                    if let Some(last) = memchr::memrchr(b'\n', lines) {
                        self.line = self.place() + last as u64 + 1;
                    }
                    self.start += skip;
                    if self.wrapper_head().is_some() {
                        // The break has swallowed the end of the list that it was in.
                        self.open.clear();
                    }
                }
                break;
            }
            // A beginning may straddle what is read next: some bytes are kept.
            self.start = self.start.max(self.end.saturating_sub(KEPT_BYTES));
            if !self.fill() {
                self.start = self.end;
                break;
            }
        }
        Reject { offset, bytes: self.place() - offset, reason, excerpt }
    }

    /// Something that begins like no record, up to the end of its line or the next value.
    pub(super) fn garbage(&mut self) -> Option<Found> {
        let offset = self.place();
        let in_list = !self.open.is_empty();
        let text = in_list && self.rest().first() == Some(&b'"');
        let mut escaped = false;
        let mut first = true;
        let mut shown = Vec::new();
        loop {
            let ends = self.rest().iter().position(|&byte| {
                let opening = std::mem::take(&mut first);
                if text {
                    let closing = byte == b'"' && !escaped && !opening;
                    escaped = byte == b'\\' && !escaped;
                    return closing || byte == b'\n';
                }
                !opening && (matches!(byte, b'\n' | b'{') || in_list && matches!(byte, b',' | b']'))
            });
            let bytes = ends.unwrap_or(self.rest().len());
            let room = SHOWN_BYTES_MAX - shown.len();
            shown.extend(self.rest().iter().take(bytes.min(room)));
            self.start += bytes;
            if ends.is_some() || !self.fill() {
                break;
            }
        }
        if text && self.rest().first() == Some(&b'"') {
            self.start += 1;
        }
        self.element();
        let is_stamp = self.rest().first() == Some(&b'{')
            && shown.len() <= STAMP_BYTES_MAX
            && std::str::from_utf8(&shown)
                .is_ok_and(|text| EventTime::parse(text.trim()).is_some());
        if is_stamp {
            // What follows begins a line as far as records go.
            self.line = self.place();
            return None;
        }
        Some(Found::Reject(Reject {
            offset,
            bytes: self.place() - offset,
            reason: Reason::NotAnObject,
            excerpt: redact::excerpt(&shown, EXCERPT_BYTES_MAX),
        }))
    }

    /// A wrapper that breaks after its list: on to the next line.
    pub(super) fn broken_tail(&mut self, reason: Reason) -> Found {
        let line = memchr::memchr(b'\n', self.rest()).unwrap_or(self.rest().len());
        self.reject(reason, line)
    }

    pub(super) fn reject(&mut self, reason: Reason, bytes: usize) -> Found {
        let reject = Reject {
            offset: self.place(),
            bytes: bytes as u64,
            reason,
            excerpt: redact::excerpt(
                self.rest().get(..bytes).unwrap_or_default(),
                EXCERPT_BYTES_MAX,
            ),
        };
        self.start += bytes;
        Found::Reject(reject)
    }

    fn excerpt(&self) -> String {
        let line = self.rest().split(|&byte| byte == b'\n').next();
        redact::excerpt(line.unwrap_or_default(), EXCERPT_BYTES_MAX)
    }
}
