//! Where alerts go.
//!
//! A sink renders and sends, once; it never retries. Whoever drives it reads the verdicts and
//! tries again, so waiting and backoff stand in one place for all sinks.
//!
//! **Why it blocks.** Each sink has its own cursor and is driven by a thread of its own; there are a
//! handful of them. So a sink that waits holds up nobody, a file needs no detour over a pool of
//! blocking threads, and there is no boxed future, no runtime and no question of what a dropped
//! future has sent already. A sink over HTTP uses a blocking client, or keeps a runtime to itself.

mod courier;
mod file;
mod kafka;
mod stdout;
pub mod webhook;

pub use courier::{Courier, Leaving};
pub use file::{File, Rotation};
pub use kafka::Kafka;
pub use stdout::Stdout;
pub use webhook::Webhook;

use std::time::Duration;

use floodmark_detectors::alert::Alert;

use crate::encode::ocsf::View;
use crate::encode::{self, text};

/// An alert on its way, and from where it is seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// What is said.
    pub alert: Alert,
    /// Whole, as a replay knows it, or as it happens.
    pub view: View,
}

/// What became of one alert. There is no default: what has no verdict is not done.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The receiver has it.
    Delivered,
    /// Not now.
    Again {
        /// Why, without secrets.
        why: String,
        /// How long to wait, if the receiver said so.
        after: Option<Duration>,
    },
    /// Never: the receiver will not take it, and why.
    Refused(String),
}

/// A way out.
pub trait Sink: Send {
    /// Sends each alert once; gives one verdict each, in the same order.
    fn send(&mut self, alerts: &[Told]) -> Vec<Verdict>;

    /// Makes durable what was delivered. Nothing is sent after it.
    fn close(&mut self) -> std::io::Result<()>;
}

/// How an alert is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One line each, in the words of a receiver.
    Encoded(encode::Format),
    /// A few lines for a person.
    Text {
        /// With the escape codes of a terminal.
        colour: bool,
    },
}

impl Default for Format {
    fn default() -> Format {
        Format::Encoded(encode::Format::default())
    }
}

impl Format {
    /// The alert, its last line ended.
    #[must_use]
    pub fn render(self, told: &Told) -> String {
        match self {
            Format::Encoded(format) => format!("{}\n", format.encode(&told.alert, told.view)),
            Format::Text { colour } => text::lines(&told.alert, told.view, colour),
        }
    }
}

fn render_all(format: Format, alerts: &[Told]) -> Vec<u8> {
    let rendered: Vec<String> = alerts.iter().map(|told| format.render(told)).collect();
    rendered.concat().into_bytes()
}
