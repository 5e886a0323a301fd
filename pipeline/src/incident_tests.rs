#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use floodmark_detectors::alert::Life;
use floodmark_detectors::rule::Card;

use super::*;
use crate::encode::ocsf::tests::burst;

const MINUTE: i64 = 60;

/// What a rule says at a minute of one principal, whose bursts have the rule's name in their id.
fn said(code: &str, mode: Mode, level: Level, minute: i64) -> Alert {
    let first = EventTime(1_767_225_600 + minute * MINUTE);
    let fields = ["floodmark.account", "floodmark.principal", "awsRegion"];
    let key: Arc<[Box<str>]> =
        vec!["111122223333".into(), "arn:aws:iam::111122223333:role/a".into(), code.into()].into();
    Alert {
        id: AlertId::of(code, &key, first),
        life: Life::Open,
        rule: Arc::new(Card {
            id: code.into(),
            code: Some(code.into()),
            mode,
            group_by: fields.map(String::from).to_vec(),
            ..Card::default()
        }),
        key,
        level,
        first,
        last: first,
        ..burst()
    }
}

fn alert(code: &str, level: Level, minute: i64) -> Alert {
    said(code, Mode::Alert, level, minute)
}

/// A place for each different incident, in the order in which they come, and the pages.
fn shape(alerts: &[Alert]) -> Vec<(usize, bool)> {
    let mut ids: Vec<&str> = Vec::new();
    let incidents = alerts.iter().filter_map(|alert| alert.incident.as_ref());
    incidents
        .map(|incident| {
            let known = ids.iter().position(|id| **id == *incident.id);
            let place = known.unwrap_or_else(|| {
                ids.push(&incident.id);
                ids.len() - 1
            });
            (place, incident.page)
        })
        .collect()
}

/// An attack in the morning, more of it, something grave, and another one after the hour.
fn morning() -> Vec<Alert> {
    vec![
        alert("A", Level::Medium, 0),
        alert("B", Level::Medium, 5),
        alert("C", Level::High, 20),
        alert("D", Level::Medium, 30),
        alert("E", Level::High, 60),
        alert("F", Level::Low, 61),
        alert("G", Level::Medium, 62),
    ]
}

const MORNING: [(usize, bool); 7] =
    [(0, true), (0, false), (0, true), (0, false), (0, false), (1, true), (1, true)];

#[test]
fn an_incident_pages_once_and_when_it_becomes_graver() {
    let mut bursts = morning();
    of_bursts(&mut bursts);
    assert_eq!(shape(&bursts), MORNING);
    assert_eq!(shape(&Incidents::default().put(morning())), MORNING);
}

#[test]
fn of_two_in_one_second_the_graver_pages() {
    let mut bursts = vec![alert("A", Level::Low, 0), alert("B", Level::Critical, 0)];
    of_bursts(&mut bursts);
    assert_eq!(shape(&bursts), [(0, false), (0, true)]);
}

#[test]
fn a_restart_changes_nothing() {
    for split in 0..=morning().len() {
        let mut all = Incidents::default().put(morning()[..split].to_vec());
        let rest = Incidents::after(&all).put(morning()[split..].to_vec());
        all.extend(rest);
        assert_eq!(shape(&all), MORNING, "stopped after {split}");
    }
}

#[test]
fn a_burst_stays_in_the_incident_it_opened_with() {
    let mut incidents = Incidents::default();
    let open = alert("A", Level::Medium, 0);
    let late = alert("B", Level::Medium, 200);
    let graver = Alert { life: Life::Update, level: Level::High, ..open.clone() };
    let again = Alert { life: Life::Update, ..graver.clone() };
    // A late record shows that it began before.
    let over = Alert { life: Life::Closed, first: open.first.plus(-7_200), ..graver.clone() };
    let all = incidents.put(vec![open, late, graver, again, over]);
    assert_eq!(shape(&all), [(0, true), (1, true), (0, true), (0, false), (0, false)]);
    assert!(incidents.open.len() == 1, "the other goes on");
}

#[test]
fn what_comes_late_joins_the_incident_that_is_there() {
    let all = Incidents::default().put(vec![
        alert("A", Level::High, 50),
        alert("B", Level::High, 0),
        alert("C", Level::High, -20),
    ]);
    assert_eq!(shape(&all), [(0, true), (0, false), (1, true)]);
}

#[test]
fn enrichment_is_listed_and_posture_is_none() {
    let all = vec![
        said("E-1", Mode::Enrich, Level::Low, -50),
        said("P-1", Mode::Posture, Level::Low, 0),
        said("O-1", Mode::Observe, Level::Low, 0),
        said("E-9", Mode::Enrich, Level::Low, -70),
        alert("A", Level::High, 0),
        said("E-2", Mode::Enrich, Level::Low, 10),
        alert("B", Level::High, 20),
    ];
    let listed = |alerts: &[Alert]| -> Vec<String> {
        let incidents = alerts.iter().filter_map(|alert| alert.incident.as_ref());
        incidents.map(|incident| incident.enrichment.join(" ")).collect()
    };
    assert_eq!(listed(&Incidents::default().put(all.clone())), ["E-1", "E-1 E-2"]);
    let mut bursts = all;
    of_bursts(&mut bursts);
    assert_eq!(listed(&bursts), ["E-1 E-2", "E-1 E-2"]);
    assert_eq!(shape(&bursts), [(0, true), (0, false)]);
}

#[test]
fn who_is_the_principal_where_the_key_has_one() {
    let with_key = |code: &str, fields: &[&str], key: &[&str]| {
        let mut alert = alert(code, Level::High, 0);
        alert.rule = Arc::new(Card {
            group_by: fields.iter().map(ToString::to_string).collect(),
            ..Card::clone(&alert.rule)
        });
        alert.key = key.iter().map(|value| Box::from(*value)).collect();
        alert
    };
    let account = ["floodmark.account"];
    let all = Incidents::default().put(vec![
        alert("A", Level::High, 0),
        with_key("B", &["floodmark.account"], &["111122223333"]),
        with_key("C", &account, &["111122223333"]),
        with_key("D", &account, &["444455556666"]),
        with_key("E", &[], &[]),
        with_key("F", &[], &[]),
        with_key(
            "G",
            &["floodmark.principal", "floodmark.account"],
            &["arn:aws:iam::111122223333:role/a", "111122223333"],
        ),
    ]);
    let places: Vec<usize> = shape(&all).into_iter().map(|(place, _)| place).collect();
    assert_eq!(places, [0, 1, 1, 2, 3, 4, 0]);
}

#[test]
fn memory_is_bounded() {
    let mut incidents = Incidents::default();
    let hours = i64::try_from(REMEMBERED_MAX).unwrap() + 10;
    for hour in 0..hours {
        let mut open = alert("A", Level::High, hour * 120);
        open.life = Life::Closed;
        open.evidence.clear();
        assert_eq!(incidents.put(vec![open]).len(), 1);
    }
    assert!(incidents.known.len() <= REMEMBERED_MAX && incidents.open.is_empty());
    let again = incidents.put(vec![alert("B", Level::High, (hours - 1) * 120)]);
    assert_eq!(shape(&again), [(0, false)]);
}
