//! A record as it is offered to windows.

use std::sync::Arc;

/// What a record of any length may keep for the next, bytes: most fit into it.
const KEPT_BYTES: usize = 2_048;

/// A record that windows may keep. Its bytes are copied once, and only if some window takes it.
#[derive(Debug)]
pub struct Offer<'r> {
    bytes: &'r [u8],
    shared: Option<Arc<[u8]>>,
    /// Whether windows may keep more bytes of records.
    has_room: bool,
    /// A window wanted it and there was no room.
    is_left_out: bool,
}

impl<'r> Offer<'r> {
    /// A record that nobody keeps yet.
    #[must_use]
    pub fn of(bytes: &'r [u8]) -> Offer<'r> {
        Offer { bytes, shared: None, has_room: true, is_left_out: false }
    }

    /// One that is kept already.
    #[must_use]
    pub fn shared(bytes: &'r Arc<[u8]>) -> Offer<'r> {
        Offer { shared: Some(bytes.clone()), ..Offer::of(bytes) }
    }

    /// Begins to offer it to another window.
    pub(crate) fn anew(&mut self, has_room: bool) {
        self.has_room = has_room;
        self.is_left_out = false;
    }

    /// Whether a window wanted it and there was no room.
    pub(crate) fn is_left_out(&self) -> bool {
        self.is_left_out
    }

    /// Takes it, shared with all that do; nothing where there is no room.
    pub(super) fn take(&mut self) -> Option<Arc<[u8]>> {
        let bytes = self.bytes;
        let has_room = self.is_wanted();
        has_room.then(|| self.shared.get_or_insert_with(|| bytes.into()).clone())
    }

    /// Takes a copy in place of another record; an empty one where there is no room.
    pub(super) fn take_over(&mut self, other: &mut Vec<u8>) {
        other.clear();
        if self.is_wanted() {
            other.reserve_exact(self.bytes.len().max(KEPT_BYTES));
            other.extend_from_slice(self.bytes);
        }
        // Only what is held is counted, so what a much longer one took is given back.
        if other.capacity() > 2 * other.len().max(KEPT_BYTES) {
            other.shrink_to_fit();
        }
    }

    fn is_wanted(&mut self) -> bool {
        self.is_left_out |= !self.has_room;
        self.has_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_record_takes_no_room_once_it_is_replaced() {
        let (long, short) = (vec![b'l'; 1 << 20], b"short");
        let mut kept = Vec::new();
        Offer::of(&long).take_over(&mut kept);
        assert_eq!(kept, long);
        Offer::of(short).take_over(&mut kept);
        assert_eq!(kept, short);
        assert!(kept.capacity() <= 2 * KEPT_BYTES, "{}", kept.capacity());
        let mut offer = Offer::of(&long);
        offer.anew(false);
        offer.take_over(&mut kept);
        assert!(kept.is_empty() && offer.is_left_out());
    }
}
