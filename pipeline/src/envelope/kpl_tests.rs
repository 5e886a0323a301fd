//! Against payloads that Amazon's producer wrote (1.1.1, three shards).
#![allow(clippy::unwrap_used)]

use super::*;

macro_rules! captured {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/envelopes/", $name))
    };
}

const OF_THREE: &[u8] = captured!("kpl-3-records.bin");

fn all(payload: &[u8]) -> Vec<UserRecord<'_>> {
    user_records(payload).unwrap().map(Result::unwrap).collect()
}

/// What the producer was given for its record of this number.
fn put(n: usize, pad: usize) -> String {
    let pad = "x".repeat(pad);
    format!("{{\"eventID\":\"kpl-{n}\",\"eventName\":\"CreateTrainingJob\",\"pad\":\"{pad}\"}}")
}

#[test]
fn what_the_producer_wrote_is_read() {
    let records = all(OF_THREE);
    assert_eq!(records.len(), 3);
    for (n, record) in records.iter().enumerate() {
        let key = format!("pk-{n}");
        assert_eq!(record.sub_sequence, n as u64);
        assert_eq!(record.partition_key, Some(key.as_str()));
        // The producer gives the first a key, so that the payload lands in its shard.
        assert_eq!(record.explicit_hash_key, (n == 0).then_some("0"));
        assert_eq!(record.hash_key() == Some(0), n == 0);
        assert_eq!(record.data, put(n, n).as_bytes());
    }
}

#[test]
fn every_user_record_hashes_into_the_shard_it_was_read_from() {
    let shards = [
        (
            &captured!("kpl-27-records.bin")[..],
            27,
            85_070_591_730_234_615_865_843_651_857_942_052_863,
            170_141_183_460_469_231_731_687_303_715_884_105_725,
        ),
        (
            &captured!("kpl-315-records.bin")[..],
            315,
            255_211_775_190_703_847_597_530_955_573_826_158_589,
            u128::MAX,
        ),
    ];
    for (payload, count, first, last) in shards {
        let records = all(payload);
        assert_eq!(records.len(), count);
        for record in records {
            let hash_key = record.hash_key().unwrap();
            assert!((first..=last).contains(&hash_key), "{record:?}");
            let text = std::str::from_utf8(record.data).unwrap();
            assert!(text.starts_with("{\"eventID\":\"kpl-") && text.ends_with("\"}"), "{text}");
        }
    }
    let by_partition_key = all(captured!("kpl-27-records.bin"));
    assert!(by_partition_key.iter().any(|record| record.explicit_hash_key.is_none()));
}

#[test]
fn what_is_not_aggregated_is_an_ordinary_payload() {
    assert!(!is_aggregated(captured!("kpl-unaggregated.bin")));
    assert!(user_records(b"").is_none() && user_records(&MAGIC).is_none());
    for at in 0..OF_THREE.len() {
        let mut flipped = OF_THREE.to_vec();
        flipped[at] ^= 1;
        assert!(!is_aggregated(&flipped), "byte {at}");
        assert!(!is_aggregated(&OF_THREE[..at]), "{at} bytes");
    }
}

/// A payload of any message, with the right MD5.
fn sealed(message: &[u8]) -> Vec<u8> {
    [&MAGIC[..], message, &Md5::digest(message)[..]].concat()
}

#[test]
fn a_message_that_breaks_gives_what_came_before() {
    let message = message(OF_THREE).unwrap();
    let whole = all(OF_THREE);
    let mut broken = 0;
    for cut in 0..message.len() {
        let payload = sealed(&message[..cut]);
        let read: Vec<_> = user_records(&payload).unwrap().collect();
        let good = read.iter().filter(|record| record.is_ok()).count();
        let data = |record: &UserRecord<'_>| record.data.to_vec();
        let given: Vec<_> = read.iter().flatten().map(data).collect();
        assert_eq!(given, whole[..good].iter().map(data).collect::<Vec<_>>());
        if let Some(Err(fault)) = read.last() {
            assert_eq!(fault.sub_sequence, good as u64);
            broken += 1;
        }
        assert!(read.len() <= good + 1, "after a fault there is nothing");
    }
    assert!(broken > 150, "{broken}");
}

#[test]
fn odd_messages() {
    // Keys behind the records, unknown fields of every kind, tags, and an index beyond its table.
    let record = b"\x1a\x0b\x08\x00\x10\x05\x1a\x01x\x22\x02\x0a\x00";
    let others = b"\x48\x01\x51\x00\x00\x00\x00\x00\x00\x00\x00\x5d\x00\x00\x00\x00\x62\x01z";
    let payload = sealed(&[&record[..], others, b"\x0a\x01k"].concat());
    let expected = UserRecord {
        sub_sequence: 0,
        partition_key: Some("k"),
        explicit_hash_key: None,
        data: b"x",
    };
    assert_eq!(all(&payload), [expected]);
    for broken in [
        &b"\x1a\x02\x08\x00"[..],                    // no data
        b"\x1a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", // longer than there is
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", // no end
        b"\x1b\x1c",                                 // a group
    ] {
        let payload = sealed(broken);
        let read: Vec<_> = user_records(&payload).unwrap().collect();
        assert_eq!(read, [Err(Malformed { sub_sequence: 0 })], "{broken:?}");
    }
    assert_eq!(all(&sealed(b"")), []);
}
