//! The way down a path, through objects and arrays.

use std::ops::ControlFlow;

use smallvec::SmallVec;

use crate::record::{Elements, Value};

/// Most arrays directly within each other that are entered; a deeper one is visited as it stands,
/// and not entered on the way.
pub const ARRAY_NESTING_MAX: u8 = 8;

/// What is done with an array at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
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
pub(super) fn descend<'f>(
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
