#![allow(clippy::unwrap_used)]

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::broken::AGAIN_GRACE_BYTES;
use super::*;

/// Gives at most so many bytes a read.
struct Trickle<'a>(&'a [u8], usize);

impl Read for Trickle<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = self.1.min(into.len());
        let into = into.get_mut(..bytes).unwrap();
        self.0.read(into)
    }
}

type Rejects = Vec<Reject>;

fn framed(text: &[u8], at_once: usize) -> (Vec<Vec<u8>>, Rejects) {
    let (mut records, mut rejects) = (Vec::new(), Vec::new());
    let mut framer = Framer::new(Trickle(text, at_once), Limits::default());
    while let Some(framed) = framer.next() {
        match framed {
            Framed::Record { offset, bytes } => {
                if !text.starts_with(&[0x1f, 0x8b]) {
                    assert!(text.get(offset as usize..).unwrap().starts_with(bytes));
                }
                records.push(bytes.to_vec());
            }
            Framed::Reject(reject) => rejects.push(reject),
        }
    }
    (records, rejects)
}

/// Records as text, and rejects as (offset, bytes, reason), the same for any size of reads.
fn read(text: &str) -> (Vec<String>, Vec<(u64, u64, Reason)>) {
    let whole = framed(text.as_bytes(), usize::MAX);
    for at_once in [1, 7, 64] {
        assert_eq!(framed(text.as_bytes(), at_once), whole, "{at_once} bytes a read");
    }
    let (records, rejects) = whole;
    (
        records.into_iter().map(|record| String::from_utf8(record).unwrap()).collect(),
        rejects.into_iter().map(|reject| (reject.offset, reject.bytes, reject.reason)).collect(),
    )
}

fn records(text: &str) -> Vec<String> {
    let (records, rejects) = read(text);
    assert_eq!(rejects, [], "{text}");
    records
}

#[test]
fn reads_every_layout() {
    let two = ["{\"a\":1}", "{\"b\":\"}\\\"{\"}"].map(String::from);
    let [a, b] = &two;
    for text in [
        format!("{a}\n{b}\n"),
        format!("\u{feff}{a}\r\n\r\n{b}"),
        format!("{a}{b}"),
        format!("{a} {b}"),
        format!("[{a},{b}]"),
        format!("[{a}\n,\n{b}\n]\n"),
        format!("[[{a}],[{b}]]"),
        format!("{{\"Records\":[{a},{b}]}}"),
        format!(" {{ \"Records\" :\n [ {a} , {b} ] , \"next\": {{\"x\":[\"]}}\"]}} }} "),
        format!(
            "{{\"owner\":{{\"Records\":[1]}},\"x\":\"\\\"Records\\\":[\",\"Records\":[{a},{b}]}}"
        ),
        format!("{{\"Records\":[{a}]}}\n{{\"Records\":[{b}]}}\n{{\"Records\":[]}}"),
        format!("[{{\"Records\":[{a}]}},{{\"Records\":[{b}]}}]"),
        format!("\u{1e}{a}\n\u{1e}{b}\n"),
        format!("2026-01-31T23:59:59.123Z {a}\n2026-01-31T23:59:59.123Z {b}\n"),
    ] {
        assert_eq!(records(&text), two, "{text}");
    }
    assert_eq!(records(""), [""; 0]);
    assert_eq!(records("\u{feff} \n"), [""; 0]);
    let plain = "{\"Records\":{\"a\":[1]}}";
    assert_eq!(records(plain), [plain], "no list, no wrapper");
}

#[test]
fn reads_pretty_printed() {
    let record = "{\n  \"a\": {\n    \"b\": [\n      {\n        \"c\": 1\n      }\n    ]\n  }\n}";
    assert_eq!(records(&format!("{record}\n{record}")), [record, record]);
    assert_eq!(records(&format!("[\n{record},\n{record}\n]")), [record, record]);
    let wrapped = format!("{{\n  \"Records\": [\n    {record},\n    {record}\n  ]\n}}\n");
    assert_eq!(records(&wrapped), [record, record]);
}

#[test]
fn a_cut_line_costs_that_line_alone() {
    for (broken, reason) in [
        ("{\"a\":\"x", Reason::TextBroken),
        ("{\"a\":{\"b\":1}", Reason::NextBegins),
        ("{\"a\":[1,2", Reason::NextBegins),
        ("{\"a\":\"x\\", Reason::TextBroken),
    ] {
        let text = format!("{{\"n\":1}}\n{broken}\n{{\"n\":2}}\n{{\"n\":3}}\n");
        let (records, rejects) = read(&text);
        assert_eq!(records, ["{\"n\":1}", "{\"n\":2}", "{\"n\":3}"], "{text}");
        assert_eq!(rejects, [(8, broken.len() as u64 + 1, reason)], "{text}");
    }
    // Cut where a value could follow: told by the end of the input, and nothing else is lost.
    let (records, rejects) = read("{\"a\":\n{\"n\":2}\n{\"n\":3}\n");
    assert_eq!(records, ["{\"n\":2}", "{\"n\":3}"]);
    assert_eq!(rejects.len(), 1);
    let (records, rejects) = read("{\"n\":1}\n{\"n\":2");
    assert_eq!(records, ["{\"n\":1}"]);
    assert_eq!(rejects, [(8, 6, Reason::CutOff)]);
}

#[test]
fn a_broken_element_costs_that_element_alone() {
    let good = "{\"eventVersion\":\"1.08\",\"n\":1}";
    let broken = "{\"eventVersion\":\"1.08\",\"n\":\"x}";
    let (records, rejects) = read(&format!("{{\"Records\":[{good},{broken},{good},{good}]}}\n"));
    assert_eq!(records, [good, good, good]);
    assert_eq!(rejects.len(), 1);
    let line = format!("{{\"Records\":[{good},{broken}]}}\n");
    let (records, rejects) = read(&line.repeat(40));
    assert_eq!(records.len(), 40);
    assert!(rejects.iter().all(|r| r.2 != Reason::TooDeep), "{rejects:?}");
    assert!(rejects.len() >= 40, "{rejects:?}");
}

#[test]
fn what_is_no_record_is_rejected_and_passed() {
    let (records, rejects) = read("hello, world\n{\"n\":1}\n42\n\"x\"\nnull\n{\"n\":2},\n}\n]\n");
    assert_eq!(records, ["{\"n\":1}", "{\"n\":2}"]);
    let reasons: Vec<Reason> = rejects.iter().map(|reject| reject.2.clone()).collect();
    let mut expected = vec![Reason::NotAnObject; 7];
    expected[4] = Reason::StrayComma;
    assert_eq!(reasons, expected);
    assert_eq!(rejects[0], (0, 12, Reason::NotAnObject));
    let (records, rejects) = read("[1,{\"n\":1},\"a,]\\\"{\",null,{\"n\":2},]");
    assert_eq!(records, ["{\"n\":1}", "{\"n\":2}"]);
    assert_eq!(rejects.len(), 4, "{rejects:?}");
    assert_eq!(rejects[3].2, Reason::StrayComma);
    let (_, rejects) = read("[{\"n\":1}");
    assert_eq!(rejects, [(8, 0, Reason::ListCutOff)]);
    let (records, rejects) = read(&format!("{}{{\"n\":1}}", "[".repeat(20)));
    assert_eq!(records, ["{\"n\":1}"]);
    assert_eq!(rejects.len(), 5, "four too deep, and the lists never end");
}

#[test]
fn a_record_too_long_is_rejected_in_bounded_memory() {
    let long = format!("{{\"n\":\"{}\"}}", "x".repeat(5 << 20));
    let text = format!("{{\"n\":1}}\n{long}\n{{\"n\":2}}\n");
    let mut framer = Framer::new(text.as_bytes(), Limits::default());
    let mut seen = Vec::new();
    while let Some(framed) = framer.next() {
        seen.push(match framed {
            Framed::Record { bytes, .. } => String::from_utf8(bytes.to_vec()).unwrap(),
            Framed::Reject(reject) => {
                assert!(reject.excerpt.len() <= EXCERPT_BYTES_MAX);
                format!("{} {} {}", reject.offset, reject.bytes, reject.reason)
            }
        });
    }
    let told = format!("8 {} record longer than 1048576 bytes", long.len() + 1);
    assert_eq!(seen, ["{\"n\":1}", told.as_str(), "{\"n\":2}"]);
    assert!(framer.buffer.len() <= BUFFER_BYTES_MAX);
    let just = format!("{{\"n\":\"{}\"}}", "x".repeat(RECORD_BYTES_MAX - 8));
    assert_eq!(framed(just.as_bytes(), usize::MAX).0, [just.as_bytes()]);
}

#[test]
fn a_long_wrapper_is_read_element_by_element() {
    let record = format!("{{\"n\":\"{}\"}}", "x".repeat(1_000));
    for head in ["{\"Records\":[", "{\"owner\":\"me\",\"Records\":["] {
        let text = format!("{head}{}{record}]}}", format!("{record},").repeat(3_999));
        let mut framer = Framer::new(text.as_bytes(), Limits::default());
        let mut count = 0;
        while let Some(framed) = framer.next() {
            assert!(matches!(framed, Framed::Record { bytes, .. } if bytes == record.as_bytes()));
            count += 1;
        }
        assert_eq!(count, 4_000);
        assert!(framer.buffer.len() <= BUFFER_BYTES_MAX);
    }
}

#[test]
fn nothing_but_broken_records_takes_linear_time() {
    for line in ["{\"a\":1,\n", "{", "[{\"a\":[\n", "{\"a\":\"\n", "\"", "{\"Records\":["] {
        let text = line.repeat((3 << 20) / line.len());
        let mut framer = Framer::new(text.as_bytes(), Limits::default());
        let mut covered = 0;
        while let Some(framed) = framer.next() {
            if let Framed::Reject(reject) = framed {
                covered += reject.bytes;
            }
        }
        assert!(covered > 0);
        let most = AGAIN_GRACE_BYTES + text.len() as u64 * AGAIN_TIMES_MAX;
        assert!(framer.again_bytes <= most, "{}", framer.again_bytes);
    }
}

#[test]
fn a_cut_gzip_gives_what_was_readable_and_a_reject() {
    let mut rng = StdRng::seed_from_u64(1);
    let text: String =
        (0..20_000).map(|n| format!("{{\"n\":{n},\"x\":{}}}\n", rng.random::<u64>())).collect();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    let (all, rejects) = framed(&gzip, usize::MAX);
    assert_eq!((all.len(), rejects.len()), (20_000, 0));
    let (some, rejects) = framed(&gzip[..gzip.len() / 2], 1_000);
    assert!(some.len() > 5_000 && all.starts_with(&some), "{}", some.len());
    let last = rejects.last().unwrap();
    assert!(matches!(last.reason, Reason::Unreadable(_)), "{last:?}");
    let (double, rejects) = framed(&[&gzip[..], &gzip[..]].concat(), usize::MAX);
    assert_eq!((double.len(), rejects.len()), (40_000, 0));
}

#[test]
fn any_mixture_of_layouts_reads_the_same() {
    for seed in 0..300 {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut text = String::new();
        let mut expected = Vec::new();
        for _ in 0..rng.random_range(1..6) {
            let some: Vec<String> = (0..rng.random_range(0..5)).map(|_| any(&mut rng)).collect();
            expected.extend(some.iter().cloned());
            let blank = ["", " ", "\n", "\r\n  "][rng.random_range(0..4)];
            let list = some.join(&format!("{blank},{blank}"));
            text += &match rng.random_range(0..4) {
                0 => some.concat(),
                1 => format!("{blank}[{blank}{list}{blank}]"),
                2 => format!("{{{blank}\"Records\":{blank}[{list}]{blank}}}{blank}"),
                _ => format!("{}\n", some.join("\n")),
            };
        }
        let (found, rejects) = framed(text.as_bytes(), rng.random_range(1..200));
        let found: Vec<String> =
            found.into_iter().map(|record| String::from_utf8(record).unwrap()).collect();
        assert_eq!((&found, rejects), (&expected, vec![]), "seed {seed}: {text}");
    }
}

fn any(rng: &mut StdRng) -> String {
    let value = ["1", "\"}{\\\"[\"", "{}", "[{\"x\":\"\\\\\"},[]]", "null"][rng.random_range(0..5)];
    let pretty = ["", "\n  ", " "][rng.random_range(0..3)];
    let many = rng.random_range(0..12);
    let members: Vec<String> = (0..many).map(|n| format!("{pretty}\"k{n}\":{value}")).collect();
    format!("{{{}{pretty}}}", members.join(","))
}

#[test]
fn no_bytes_at_all_make_it_panic_or_hang() {
    for seed in 0..3_000 {
        let mut rng = StdRng::seed_from_u64(seed);
        let pool = b"{{{}}}[[]]\"\"\\,::\n\n \xef\xbb\xbf\xff1aR";
        let text: Vec<u8> = (0..rng.random_range(0..400))
            .flat_map(|_| match rng.random_range(0..20) {
                0 => b"{\"Records\":[".to_vec(),
                1 => b"{\"eventVersion\":".to_vec(),
                _ => vec![pool[rng.random_range(0..pool.len())]],
            })
            .collect();
        let (whole, one) = (framed(&text, usize::MAX), framed(&text, 1));
        let bytes = |framed: &(Vec<Vec<u8>>, Rejects)| {
            framed.0.iter().map(Vec::len).sum::<usize>() as u64
                + framed.1.iter().map(|reject| reject.bytes).sum::<u64>()
        };
        assert!(bytes(&whole) <= text.len() as u64, "seed {seed}");
        assert!(bytes(&one) <= text.len() as u64, "seed {seed}");
    }
}
