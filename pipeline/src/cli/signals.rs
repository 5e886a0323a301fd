//! Signals. To stop, the first asks, and the second ends the process where it stands.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

/// The exit code of a process that a second signal ends.
const ENDED: i32 = 130;

/// A flag that SIGINT, SIGTERM and SIGHUP set.
pub(super) fn stop() -> anyhow::Result<Arc<AtomicBool>> {
    stop_on(&[SIGINT, SIGTERM, SIGHUP])
}

/// A flag that SIGINT and SIGTERM set, and one that SIGHUP sets, which asks for a reload.
pub(super) fn stop_and_reload() -> anyhow::Result<(Arc<AtomicBool>, Arc<AtomicBool>)> {
    let reload = Arc::new(AtomicBool::new(false));
    flag::register(SIGHUP, reload.clone()).context(CANNOT)?;
    Ok((stop_on(&[SIGINT, SIGTERM])?, reload))
}

const CANNOT: &str = "cannot listen for signals";

fn stop_on(signals: &[i32]) -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in signals {
        // In this order: the first finds the flag down.
        flag::register_conditional_shutdown(*signal, ENDED, stop.clone()).context(CANNOT)?;
        flag::register(*signal, stop.clone()).context(CANNOT)?;
    }
    Ok(stop)
}
