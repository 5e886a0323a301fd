//! Any bytes as a payload: opening returns, within its limits, and says whatever it does not give.
//! The first byte chooses what the others are put into first, so that depths are reached which
//! chance would not find behind a checksum.

#![no_main]

use floodmark::envelope::{Kind, Opener, PARTS_MAX, REJECTS_TOLD_MAX};
use floodmark::generate::Wrapping;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, bytes)) = bytes.split_first() else {
        return;
    };
    let wrapping = match choice % 8 {
        0 => Some(Wrapping::Gzip),
        1 => Some(Wrapping::Kpl),
        2 => Some(Wrapping::CloudWatch),
        3 => Some(Wrapping::String),
        4 => Some(Wrapping::Connect),
        _ => None,
    };
    let items: Vec<&[u8]> = bytes.split(|byte| *byte == 0xff).collect();
    let wrapped = wrapping.map(|wrapping| wrapping.wrap(&items));
    let payload = wrapped.as_deref().unwrap_or(bytes);

    let mut opener = Opener::default();
    let mut rejects = 0;
    opener.open(0, payload, &mut |rejected| {
        assert!(!rejected.reason.to_string().is_empty());
        rejects += 1;
    });
    let counts = *opener.counts();
    assert_eq!(counts.records, opener.found().len() as u64);
    assert!(opener.found().len() <= PARTS_MAX);
    assert!(rejects <= REJECTS_TOLD_MAX + 2);
    let told = counts.records + counts.rejects + counts.digests + counts.control_messages;
    let lists: u64 = Kind::ALL.iter().map(|kind| counts.of(*kind).count).sum();
    assert!(told > 0 || lists > 0, "nothing is lost in silence");
    for found in opener.found() {
        assert!(!opener.bytes(found, payload).is_empty());
    }
    // The same payload behind others gives the same.
    let before = opener.found().len();
    opener.open(1, payload, &mut |_| {});
    let (first, second) = opener.found().split_at(before);
    assert_eq!(first.len(), second.len());
    for (a, b) in first.iter().zip(second) {
        assert_eq!(opener.bytes(a, payload), opener.bytes(b, payload));
    }
});
