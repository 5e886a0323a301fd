#![allow(clippy::unwrap_used, clippy::string_slice)]

use std::sync::Arc;

use floodmark_detectors::alert::{Alert, AlertId, Evidence, Life};
use floodmark_detectors::engine::{Engine, Options, State};
use floodmark_detectors::record::Record;
use floodmark_detectors::rule::{Document, Environment, Level, RuleSet};
use floodmark_detectors::time::EventTime;

use super::*;
use crate::encode::ocsf::tests::burst;
use crate::flow::Kept;
use crate::source::batch::Handover;

fn alert(id: u128, revision: u32, life: Life) -> Alert {
    Alert { id: AlertId(id), revision, life, ..burst() }
}

fn state(watermark: i64) -> State {
    let time = EventTime(watermark);
    State { watermark: time, forgotten: time, opened: 7, since: EventTime(5), windows: Vec::new() }
}

/// All parts of a checkpoint.
fn save(
    ledger: &Ledger,
    positions: &[Kept],
    states: &[(Arc<str>, State)],
    gone: &[Arc<str>],
) -> Result<(), LedgerError> {
    ledger.forget_lanes(gone)?;
    for (lane, state) in states {
        ledger.save_windows(lane, &state.windows, Duration::MAX)?;
    }
    ledger.save_positions(positions, states)
}

#[test]
fn what_was_said_and_saved_is_there_after_it_was_closed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/floodmark.ledger");
    let seed;
    {
        let ledger = Ledger::open(&path, false).unwrap();
        seed = ledger.seed().unwrap();
        ledger.say("", &[alert(1, 1, Life::Open), alert(2, 1, Life::Open)], 5, 0).unwrap();
        ledger.say("", &[alert(1, 2, Life::Closed), alert(1, 2, Life::Update)], 6, 0).unwrap();
        let last = burst().last.0;
        let kept = Kept {
            input: 0,
            name: Arc::from("k t[0]"),
            position: "12".into(),
            settled: EventTime(3),
            handover: Some(Handover {
                reread_from: "7".into(),
                settled: EventTime(3),
                judges_from: EventTime(1),
            }),
        };
        save(&ledger, &[kept], &[("".into(), state(last))], &[]).unwrap();
    }
    let ledger = Ledger::open(&path, false).unwrap();
    assert_eq!(ledger.seed().unwrap(), seed);
    let resumed = ledger.resume().unwrap();
    let input = &resumed.inputs["k t[0]"];
    let reread_from = input.reread_from.as_deref();
    assert_eq!((&*input.position, input.settled, reread_from), ("12", EventTime(3), Some("7")));
    let State { opened, since, .. } = resumed.lanes[""].state;
    assert_eq!((opened, since), (7, EventTime(5)));
    let said: Vec<_> =
        resumed.lanes[""].said.iter().map(|a| (a.id.0, a.revision, a.life)).collect();
    assert_eq!(said, [(2, 1, Life::Open), (1, 2, Life::Closed)], "a revision is said once");
    let lives: Vec<_> =
        ledger.revisions(AlertId(1)).unwrap().iter().map(|e| (e.said_ms, e.alert.life)).collect();
    assert_eq!(lives, [(5, Life::Open), (6, Life::Closed)]);
}

#[test]
fn a_lane_that_is_gone_takes_all_of_its_own_with_it() {
    let ledger = Ledger::in_memory().unwrap();
    let kept = |input: u32, name: &str| Kept {
        input,
        name: name.into(),
        position: "12".into(),
        settled: EventTime(3),
        handover: None,
    };
    let last = burst().last.0;
    let of = |name: &str, opened| (name.into(), State { opened, ..state(last) });
    ledger.say("k t[0]", &[alert(1, 1, Life::Open)], 5, 0).unwrap();
    ledger.say("k t[1]", &[alert(2, 1, Life::Open)], 5, 0).unwrap();
    let both = [kept(0, "k t[0]"), kept(1, "k t[1]")];
    save(&ledger, &both, &[of("k t[0]", 1), of("k t[1]", 2)], &[]).unwrap();
    let said = |resumed: &Resumed, name: &str| -> Vec<u128> {
        resumed.lanes[name].said.iter().map(|alert| alert.id.0).collect()
    };
    let resumed = ledger.resume().unwrap();
    assert_eq!((said(&resumed, "k t[0]"), said(&resumed, "k t[1]")), (vec![1], vec![2]));
    // The first was lost and came back anew: what is saved with it is of the new one.
    save(&ledger, &[kept(2, "k t[0]")], &[of("k t[0]", 7)], &["k t[0]".into()]).unwrap();
    let resumed = ledger.resume().unwrap();
    assert_eq!((said(&resumed, "k t[0]"), said(&resumed, "k t[1]")), (vec![], vec![2]));
    assert_eq!(resumed.lanes["k t[0]"].state.opened, 7);
    save(&ledger, &[], &[], &["k t[0]".into(), "k t[1]".into()]).unwrap();
    let resumed = ledger.resume().unwrap();
    assert!(resumed.lanes.is_empty() && resumed.inputs.is_empty());
    // What was said stays, for the sinks and for whoever asks; it is another's to say that it is over.
    assert_eq!(ledger.bursts(&Filter::default()).unwrap().len(), 2);
    assert!(ledger.bursts(&Filter { is_open: true, ..Filter::default() }).unwrap().is_empty());
}

#[test]
fn one_process_writes_and_anybody_reads() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("floodmark.ledger");
    let ledger = Ledger::open(&path, false).unwrap();
    ledger.say("", &[alert(1, 1, Life::Open)], 5, 0).unwrap();
    assert!(matches!(Ledger::open(&path, false), Err(LedgerError::Taken(_))));
    let reader = Ledger::read(&path).unwrap();
    assert_eq!(reader.bursts(&Filter::default()).unwrap().len(), 1);
    drop(ledger);
    Ledger::open(&path, false).unwrap();
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("floodmark.ledger");
    let _ledger = Ledger::open(&path, false).unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_damaged_or_newer_file_is_refused_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("floodmark.ledger");
    std::fs::write(&path, "this is no database, and long enough to be looked at".repeat(99))
        .unwrap();
    let before = std::fs::read(&path).unwrap();
    let error = Ledger::open(&path, false).unwrap_err();
    assert!(matches!(error, LedgerError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("mv "), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), before);

    let newer = folder.path().join("newer.ledger");
    drop(Ledger::open(&newer, false).unwrap());
    let connection = rusqlite::Connection::open(&newer).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let error = Ledger::open(&newer, false).unwrap_err();
    assert!(matches!(error, LedgerError::Newer { found: 99, .. }), "{error}");
}

#[test]
fn a_torn_page_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("floodmark.ledger");
    {
        let ledger = Ledger::open(&path, false).unwrap();
        for id in 0..200 {
            ledger.say("", &[alert(id, 1, Life::Open)], 5, 0).unwrap();
        }
    }
    let mut bytes = std::fs::read(&path).unwrap();
    let half = bytes.len() / 2;
    bytes[half..half + 4096].fill(0xAB);
    std::fs::write(&path, &bytes).unwrap();
    let error = Ledger::open(&path, false).unwrap_err();
    assert!(matches!(error, LedgerError::Damaged { .. }), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

#[test]
fn two_revisions_of_a_burst_never_travel_together() {
    let ledger = Ledger::in_memory().unwrap();
    let mut cursor = ledger.cursor("s").unwrap();
    let said = [
        alert(1, 1, Life::Open),
        alert(2, 1, Life::Open),
        alert(1, 2, Life::Closed),
        alert(2, 2, Life::Closed),
    ];
    ledger.say("", &said, 5, 0).unwrap();
    let mut travelled = Vec::new();
    loop {
        let entries = cursor.next(64).unwrap();
        let Some(last) = entries.last() else { break };
        travelled
            .push(entries.iter().map(|e| (e.alert.id.0, e.alert.revision)).collect::<Vec<_>>());
        cursor.advance(last.sequence, &[]).unwrap();
    }
    assert_eq!(travelled, [vec![(1, 1), (2, 1)], vec![(1, 2), (2, 2)]]);
}

#[test]
fn what_a_sink_lacks_and_what_may_come_again_is_not_forgotten() {
    let ledger = Ledger::in_memory().unwrap();
    let mut quick = ledger.cursor("quick").unwrap();
    let slow = ledger.cursor("slow").unwrap();
    for id in 0..10 {
        ledger.say("", &[alert(id, 1, Life::Open)], 5, 0).unwrap();
    }
    let state = state(burst().last.0 + 1_000);
    save(&ledger, &[], &[("".into(), state)], &[]).unwrap();
    quick.advance(10, &[(4, "too long".into())]).unwrap();
    assert_eq!(ledger.prune(&["quick", "slow"], 3, 0).unwrap(), 0, "slow has none of them");
    assert_eq!(ledger.prune(&["quick"], 3, 2_000).unwrap(), 0, "they may come again");
    assert_eq!(ledger.prune(&["quick"], 3, 0).unwrap(), 7);
    assert_eq!(ledger.waiting("quick").unwrap().count, 0);
    drop(slow);
}

#[test]
fn secrets_do_not_reach_the_disk() {
    let ledger = Ledger::in_memory().unwrap();
    let mut secret = alert(1, 1, Life::Open);
    let record = br#"{"responseElements":{"authorizedUrl":"https://x/?token=hidden","a":1}}"#;
    let evidence = Evidence { time: EventTime(1), record: record.to_vec().into() };
    secret.evidence = vec![evidence.clone()];
    secret.crossing = Some(evidence);
    ledger.say("", &[secret], 5, 0).unwrap();
    let body: Vec<u8> = ledger
        .with(|connection| connection.query_row("SELECT body FROM alerts", [], |row| row.get(0)))
        .unwrap();
    let plain = zstd::decode_all(body.as_slice()).unwrap();
    let plain = String::from_utf8_lossy(&plain);
    assert!(plain.contains("authorizedUrl") && !plain.contains("hidden"), "{plain}");
}

/// A state with one window that holds a record.
fn state_with_a_window() -> State {
    let rule = "{title: r, id: 4b2b8e7c-6a2e-4a52-9d5e-3a4c6c4b2a11, \
                 logsource: {product: aws, service: cloudtrail}, \
                 detection: {s: {eventSource: a}, condition: s}}";
    let document = Document { path: "r.yml".into(), text: rule.into() };
    let rules = RuleSet::load(&[document], &Environment::default()).unwrap();
    let engine = Engine::new(Arc::new(rules), Options::default());
    let record = br#"{"eventTime":"2026-11-07T10:00:00Z","eventSource":"a","eventID":"1",
        "recipientAccountId":"1","userIdentity":{"type":"Root","accountId":"1"}}"#;
    let outcome = engine.apply(&[Record::decode(record).unwrap()]);
    assert_eq!((outcome.counts.samples, engine.window_count()), (1, 1));
    engine.export(EventTime(30))
}

#[test]
fn windows_are_read_as_they_were_written_and_as_earlier_versions_wrote_them() {
    let ledger = Ledger::in_memory().unwrap();
    let state = state_with_a_window();
    save(&ledger, &[], &[("".into(), state.clone())], &[]).unwrap();
    let read = || {
        let resumed = ledger.resume().unwrap();
        assert_eq!(resumed.unreadable, 0);
        let [(_, window)] = &*resumed.lanes[""].state.windows else { panic!("there is one") };
        rmp_serde::to_vec_named(window).unwrap()
    };
    let body = rmp_serde::to_vec_named(&state.windows[0].1).unwrap();
    assert_eq!(read(), body);
    // Once they were not compressed,
    let sql = "UPDATE windows SET body = ?1";
    ledger.with(|connection| connection.execute(sql, [&body])).unwrap();
    assert_eq!(read(), body);
    // and a record was a list of numbers.
    let list = serde_json::json!({"time": 5, "record": [1, 200]});
    let evidence: Evidence =
        rmp_serde::from_slice(&rmp_serde::to_vec_named(&list).unwrap()).unwrap();
    assert_eq!(*evidence.record, [1, 200]);
    let body = b"\x28\xb5\x2f\xfd and no more".as_slice();
    ledger.with(|connection| connection.execute(sql, [body])).unwrap();
    assert_eq!(ledger.resume().unwrap().unreadable, 1, "it starts afresh");
}

#[test]
fn bursts_are_found_by_what_was_said_of_them_last() {
    let ledger = Ledger::in_memory().unwrap();
    let graver = Alert { level: Level::Critical, ..alert(2, 2, Life::Update) };
    let said = [
        alert(0xa1, 1, Life::Open),
        alert(2, 1, Life::Open),
        alert(0xa1, 2, Life::Closed),
        graver,
        Alert { last: EventTime(burst().last.0 + 50), ..alert(3, 1, Life::Open) },
    ];
    ledger.say("", &said[..2], 5, 0).unwrap();
    ledger.say("", &said[2..], 6, 0).unwrap();
    let found = |filter: Filter| -> Vec<(u128, u32)> {
        let places = ledger.bursts(&filter).unwrap();
        let entries = places.into_iter().map(|place| ledger.entry(place).unwrap().unwrap());
        entries.map(|entry| (entry.alert.id.0, entry.alert.revision)).collect()
    };
    let all = Filter::default();
    assert_eq!(found(all.clone()), [(3, 1), (2, 2), (0xa1, 2)]);
    assert_eq!(found(Filter { is_open: true, ..all.clone() }), [(3, 1), (2, 2)]);
    assert_eq!(found(Filter { level: Some(Level::Critical), ..all.clone() }), [(2, 2)]);
    let since = Some(EventTime(burst().last.0 + 50));
    assert_eq!(found(Filter { since, ..all.clone() }), [(3, 1)]);
    let id = Some(AlertId(0xa1).to_string().to_uppercase());
    assert_eq!(found(Filter { id, ..all.clone() }), [(0xa1, 2)]);
    assert_eq!(found(Filter { id: Some("%".into()), ..all.clone() }), []);
    assert_eq!(found(Filter { rule: Some("dos-01".into()), ..all.clone() }).len(), 3);
    assert_eq!(found(Filter { rule: Some("DOS-02".into()), ..all.clone() }), []);
    assert_eq!(found(Filter { key: Some("role/ml-dev".into()), ..all }).len(), 3);
    assert_eq!(ledger.opened_ms(AlertId(2)).unwrap(), Some(5));
    assert!(ledger.entry(99).unwrap().is_none());
}

#[test]
fn each_sink_stands_to_an_alert_as_its_cursor_says() {
    let ledger = Ledger::in_memory().unwrap();
    let mut old = ledger.cursor("old").unwrap();
    ledger.say("", &[alert(1, 1, Life::Open)], 5, 0).unwrap();
    ledger.cursor("young").unwrap();
    ledger.say("", &[alert(2, 1, Life::Open), alert(3, 1, Life::Open)], 5, 0).unwrap();
    old.advance(2, &[(2, "400".into())]).unwrap();
    let of = |sequence| {
        let standings = ledger.standings(sequence).unwrap();
        assert_eq!((standings[0].0.as_str(), standings[1].0.as_str()), ("old", "young"));
        standings.into_iter().map(|(_, standing)| standing).collect::<Vec<_>>()
    };
    assert_eq!(of(1), [Standing::Delivered, Standing::Earlier]);
    assert_eq!(of(2), [Standing::Refused("400".into()), Standing::Waiting]);
    assert_eq!(of(3), [Standing::Waiting, Standing::Waiting]);
}

#[test]
fn an_older_file_is_brought_up_to_date_by_a_writer_and_refused_by_a_reader() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("floodmark.ledger");
    let error = Ledger::read(&path).unwrap_err();
    assert!(matches!(error, LedgerError::Absent(_)), "{error}");
    schema::tests::write_version_1(&path);
    let error = Ledger::read(&path).unwrap_err();
    assert!(matches!(error, LedgerError::Older { found: 1, .. }), "{error}");
    let ledger = Ledger::open(&path, false).unwrap();
    let resumed = ledger.resume().unwrap();
    assert_eq!(resumed.lanes[""].state.watermark, EventTime(30));
    assert_eq!(resumed.unreadable, 1, "the window of the test is none, and was taken over");
    assert_eq!(&*resumed.inputs["k t[0]"].position, "12");
    ledger.say("", &[alert(1, 1, Life::Open)], 5, 0).unwrap();
    let reader = Ledger::read(&path).unwrap();
    assert_eq!(reader.bursts(&Filter::default()).unwrap().len(), 1);
    assert!(reader.say("", &[alert(2, 1, Life::Open)], 5, 0).is_err(), "a reader changes nothing");
}
