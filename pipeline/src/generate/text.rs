//! Appending to a record: texts, numbers, letters, times.

use std::io::Write;

use floodmark_detectors::time::EventTime;

use super::random::mix;

/// Appends texts.
pub(super) fn put(out: &mut Vec<u8>, texts: &[&str]) {
    for text in texts {
        out.extend_from_slice(text.as_bytes());
    }
}

/// Appends a decimal number.
pub(super) fn put_number(out: &mut Vec<u8>, number: u64) {
    let mut digits = [0; 20];
    let (mut at, mut left) = (digits.len(), number);
    loop {
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends the low digits of a number in hexadecimal.
pub(super) fn put_hex(out: &mut Vec<u8>, number: u64, digits: u16) {
    put_letters(out, number, digits, b"0123456789abcdef", 4);
}

/// Appends capitals and digits, as in AWS's ids, at most 24.
pub(super) fn put_base(out: &mut Vec<u8>, number: u64, letters: u16) {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    put_letters(out, number, letters.min(12), LETTERS, 5);
    put_letters(out, mix(number, 0), letters.saturating_sub(12), LETTERS, 5);
}

/// Appends what looks like base64, at most 10 characters.
pub(super) fn put_blob(out: &mut Vec<u8>, number: u64, letters: u16) {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    put_letters(out, number, letters, LETTERS, 6);
}

fn put_letters<const N: usize>(
    out: &mut Vec<u8>,
    number: u64,
    count: u16,
    letters: &[u8; N],
    bits: u32,
) {
    let letter = |place: u32| letters[(number >> (place * bits)) as usize % N];
    out.extend((0..u32::from(count)).map(letter));
}

/// Appends a time as CloudTrail writes it.
pub(super) fn put_time(out: &mut Vec<u8>, time: EventTime) {
    write!(out, "{time}").expect("a vector takes every byte");
}
