//! Derived fields, each kept once it was asked for.

use std::cell::OnceCell;

use smallvec::SmallVec;

use crate::record::Value;

/// How many derived fields are kept without allocating: more than most records are asked for.
const DERIVED_AT_HAND: usize = 6;

/// Derived fields in the order they were first asked for: few enough to be searched.
#[derive(Default)]
pub(super) struct Derived<'b> {
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
    pub(super) fn values(
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
