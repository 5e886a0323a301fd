//! The hour of an organisation that several benches read: disordered, with every attack in it.

use floodmark::generate::{Attacks, Feed, Plan, deliveries};

/// So many records of it, in order of arrival.
pub(crate) fn hour(records: usize) -> impl Iterator<Item = Vec<u8>> {
    let plan = Plan {
        records: records as u64,
        duration_secs: 3_600,
        attacks: Attacks::All,
        feed: Feed::Disordered,
        ..Plan::default()
    };
    deliveries(&plan).take(records).map(|delivered| delivered.record)
}
