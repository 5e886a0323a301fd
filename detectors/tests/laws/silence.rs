//! Records in batches: a silence is told of those at the edges of a batch's gaps alone, and finds what
//! the definition finds in all of them.

use std::sync::Arc;

use floodmark_detectors::alert::{Alert, Life};
use floodmark_detectors::definition::Point;
use floodmark_detectors::engine::{Engine, Options};
use floodmark_detectors::record::Record;
use floodmark_detectors::rule::{Card, Detection, Document, Environment, Kind, RuleSet, Tap};
use floodmark_detectors::time::EventTime;
use floodmark_detectors::window::burst::EVIDENCE_EACH_END;
use proptest::prelude::*;

use super::stream::{Inputs, Stream, closed, rule, truth};
use super::{cases, fit, streams};

/// Whatever has a region is heard.
const HEARD: &str = "title: t\nlogsource: {product: aws, service: cloudtrail}\n\
    detection: {heard: {awsRegion|exists: true}, condition: heard}\n";

fn rules(kind: &Kind) -> RuleSet {
    let document = Document { path: "heard.yml".into(), text: HEARD.into() };
    let loaded = RuleSet::load(&[document], &Environment::default()).unwrap();
    let group_by = vec![floodmark_detectors::field::Path::parse("awsRegion").unwrap()];
    let tap = Tap { rule: 0, member: 0, group_by, value: Vec::new() };
    let heard = |detection: Detection| Detection { taps: vec![tap.clone()], ..detection };
    let mut silence = rule(kind.clone(), 4, Vec::new());
    silence.card =
        Arc::new(Card { group_by: vec!["awsRegion".into()], ..Card::clone(&silence.card) });
    RuleSet::of(vec![silence], loaded.detections.into_iter().map(heard).collect())
}

fn record((key, point): &(u8, Point)) -> String {
    let (minutes, seconds) = (point.time / 60, point.time % 60);
    format!(
        r#"{{"eventTime":"1970-01-01T00:{minutes:02}:{seconds:02}Z","eventID":"{}","awsRegion":"k{key}"}}"#,
        point.id
    )
}

/// All that is said of the stream's records, in batches as `choices` say, each of which comes in parts.
fn said(kind: &Kind, stream: &Stream, choices: &[(u8, u8)]) -> Vec<Alert> {
    let engine = Engine::new(Arc::new(rules(kind)), Options::default());
    let mut inputs = Inputs { stream, done: vec![0; stream.inputs.len()] };
    let mut choices = choices.iter().cycle();
    let mut alerts = Vec::new();
    while inputs.done.iter().zip(&stream.inputs).any(|(done, all)| *done < all.len()) {
        let choice = choices.next().copied().unwrap();
        let (input, from, to) = inputs.next(choice);
        let batch: Vec<String> = stream.inputs[input][from..to].iter().map(record).collect();
        let batch: Vec<Record<'_>> =
            batch.iter().map(|bytes| Record::decode(bytes.as_bytes()).unwrap()).collect();
        let mut whole = engine.begin();
        for part in batch.chunks(1 + usize::from(choice.1) % 4) {
            let outcome = whole.apply(part);
            assert_eq!(outcome.counts.matches, part.len() as u64);
            alerts.extend(outcome.alerts);
        }
        alerts.extend(whole.end().alerts);
        inputs.done[input] = to;
        alerts.extend(engine.advance(inputs.watermark()).alerts);
    }
    alerts.extend(engine.finish().alerts);
    alerts
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn silences_are_found_however_records_are_batched(
        (quiet_secs, slot_secs, slots) in (1_i64..8, 1_i64..5, 1_u32..4),
        stream in streams(),
        choices in prop::collection::vec((any::<u8>(), any::<u8>()), 1..20),
    ) {
        let kind = Kind::Silence { quiet_secs, slot_secs, slots };
        let rule = rule(kind, 4, Vec::new());
        let stream = fit(&rule, stream);
        let said = said(&rule.kind, &stream, &choices);
        prop_assert_eq!(closed(&said), truth(&rule, &stream));
        for alert in said.iter().filter(|alert| alert.life == Life::Closed) {
            let shown = alert.count.min(2 * EVIDENCE_EACH_END as u64);
            prop_assert_eq!(alert.evidence.len() as u64, shown, "what each quiet followed is shown");
        }
    }
}

/// Time may pass while a batch is under way: what it took for late bridges nothing.
#[test]
fn what_comes_too_late_bridges_no_gap() {
    let kind = Kind::Silence { quiet_secs: 30, slot_secs: 1, slots: 1 };
    let engine = Engine::new(Arc::new(rules(&kind)), Options::default());
    let take = |times: &[i64]| {
        let points =
            times.iter().map(|time| (0, Point { time: *time, id: time.unsigned_abs(), value: 0 }));
        let batch: Vec<String> = points.map(|point| record(&point)).collect();
        let batch: Vec<Record<'_>> =
            batch.iter().map(|bytes| Record::decode(bytes.as_bytes()).unwrap()).collect();
        let mut whole = engine.begin();
        for part in batch.chunks(1) {
            assert!(whole.apply(part).alerts.is_empty());
        }
        assert!(whole.end().alerts.is_empty());
    };
    take(&[0]);
    assert!(engine.advance(EventTime(20)).alerts.is_empty());
    // The one of 19 is late. Without that of 25 nothing was heard for 45 s.
    take(&[19, 25, 45]);
    assert!(engine.advance(EventTime(60)).alerts.is_empty());
}

/// Once time is known, no record is kept that cannot end a time which was active throughout.
#[test]
fn what_no_silence_can_follow_is_not_kept() {
    let kind = Kind::Silence { quiet_secs: 30, slot_secs: 10, slots: 10 };
    let engine = Engine::new(Arc::new(rules(&kind)), Options::default());
    let take = |time: i64| {
        let bytes = record(&(0, Point { time, id: time.unsigned_abs(), value: 0 }));
        assert!(engine.apply(&[Record::decode(bytes.as_bytes()).unwrap()]).alerts.is_empty());
        bytes.len() as u64
    };
    let first = take(5);
    assert_eq!(engine.evidence_bytes(), first, "anything may have been before");
    assert!(engine.advance(EventTime(5)).alerts.is_empty());
    take(25);
    assert_eq!(engine.evidence_bytes(), first);
}

/// Where a key goes on elsewhere, the last that was heard of it here is no silence; one before it is.
#[test]
fn what_is_heard_elsewhere_from_here_on_is_not_silent() {
    let kind = Kind::Silence { quiet_secs: 30, slot_secs: 10, slots: 1 };
    let said = |finish: &dyn Fn(&Engine) -> Vec<Alert>| {
        let engine = Engine::new(Arc::new(rules(&kind)), Options::default());
        let point = |time: i64| (0, Point { time, id: time.unsigned_abs(), value: 0 });
        let batch: Vec<String> = [5, 50, 55].map(point).iter().map(record).collect();
        let batch: Vec<Record<'_>> =
            batch.iter().map(|bytes| Record::decode(bytes.as_bytes()).unwrap()).collect();
        assert!(engine.apply(&batch).alerts.is_empty());
        closed(&finish(&engine)).len()
    };
    assert_eq!(said(&|engine| engine.finish().alerts), 2);
    assert_eq!(said(&|engine| engine.finish_here().alerts), 1);
}
