//! The feed as files: of lines, of payloads, or as in a bucket.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use floodmark_detectors::time::EventTime;

use super::delay::{Arrival, Deliveries};
use super::organisation::REGIONS;
use super::payload::Wrapping;
use super::random::mix;
use super::{Feed, Plan, deliveries};

/// Writes the feed of a plan in order of arrival, a record a line, and says how many there were.
///
/// # Errors
///
/// What `out` fails with.
pub fn write(plan: &Plan, out: impl Write) -> io::Result<u64> {
    let mut payloads = Payloads::new(out, Wrapping::Plain, 1);
    payloads.put_feed(plan)?;
    payloads.finish()
}

/// Records written as payloads: text a payload a line, what is packed one behind the other, and
/// what is neither in base64, a payload a line.
#[derive(Debug)]
pub struct Payloads<W: Write> {
    out: W,
    wrapping: Wrapping,
    per_payload: usize,
    waiting: Vec<Vec<u8>>,
    records: u64,
}

impl<W: Write> Payloads<W> {
    /// Payloads of so many records each; the last may have fewer.
    pub fn new(out: W, wrapping: Wrapping, per_payload: usize) -> Payloads<W> {
        Payloads { out, wrapping, per_payload, waiting: Vec::new(), records: 0 }
    }

    /// Adds a record.
    ///
    /// # Errors
    ///
    /// What the output fails with.
    pub fn put(&mut self, record: &[u8]) -> io::Result<()> {
        self.records += 1;
        if self.wrapping == Wrapping::Plain && self.per_payload == 1 {
            self.out.write_all(record)?;
            return self.out.write_all(b"\n");
        }
        self.waiting.push(record.to_vec());
        if self.waiting.len() >= self.per_payload { self.end_payload() } else { Ok(()) }
    }

    /// Adds the feed of a plan in order of arrival.
    ///
    /// # Errors
    ///
    /// What the output fails with.
    pub fn put_feed(&mut self, plan: &Plan) -> io::Result<()> {
        let mut deliveries = deliveries(plan);
        let mut record = Vec::with_capacity(4_096);
        while deliveries.next_into(&mut record).is_some() {
            self.put(&record)?;
            record.clear();
        }
        Ok(())
    }

    /// Writes what waits, and says how many records there were.
    ///
    /// # Errors
    ///
    /// What the output fails with.
    pub fn finish(mut self) -> io::Result<u64> {
        if !self.waiting.is_empty() {
            self.end_payload()?;
        }
        self.out.flush()?;
        Ok(self.records)
    }

    fn end_payload(&mut self) -> io::Result<()> {
        let payload = self.wrapping.wrap(&self.waiting);
        self.waiting.clear();
        match self.wrapping {
            Wrapping::Gzip | Wrapping::Zstd | Wrapping::CloudWatch => self.out.write_all(&payload),
            Wrapping::Kpl => writeln!(self.out, "{}", STANDARD.encode(&payload)),
            Wrapping::Ndjson => self.out.write_all(&payload),
            _ => {
                self.out.write_all(&payload)?;
                self.out.write_all(b"\n")
            }
        }
    }
}

/// Writes the feed as CloudTrail fills a bucket, whatever feed the plan names: under `directory`,
/// `AWSLogs/<account>/CloudTrail/<region>/<year>/<month>/<day>/`, gzip files of
/// `{"Records":[...]}`. Says how many records there were.
///
/// # Errors
///
/// What the file system fails with.
pub fn write_files(plan: &Plan, directory: &Path) -> io::Result<u64> {
    let plan = Plan { feed: Feed::FiveMinuteFiles, ..plan.clone() };
    let mut deliveries = deliveries(&plan);
    let mut open: Option<(Arrival, Records)> = None;
    let mut record = Vec::with_capacity(4_096);
    let mut records = 0;
    while let Some(arrival) = deliveries.advance(&mut record) {
        let same = |other: &Arrival| {
            (other.at, other.account, other.region) == (arrival.at, arrival.account, arrival.region)
        };
        let mut file = match open.take() {
            Some((begun, file)) if same(&begun) => file,
            finished => {
                if let Some((_, file)) = finished {
                    file.finish()?;
                }
                Records::create(directory, &deliveries, arrival)?
            }
        };
        file.append(&record)?;
        open = Some((arrival, file));
        record.clear();
        records += 1;
    }
    if let Some((_, file)) = open {
        file.finish()?;
    }
    Ok(records)
}

/// A file of `{"Records":[...]}` being written.
struct Records {
    out: GzEncoder<BufWriter<File>>,
    empty: bool,
}

impl Records {
    fn create(directory: &Path, deliveries: &Deliveries, arrival: Arrival) -> io::Result<Records> {
        let account = &deliveries.organisation().accounts[usize::from(arrival.account)].id;
        let region = REGIONS[usize::from(arrival.region)];
        let (day, minute) = stamps(arrival.at);
        let unique = mix(mix(arrival.at.0 as u64, u64::from(arrival.account)), region.len() as u64);
        let directory = directory.join(format!("AWSLogs/{account}/CloudTrail/{region}/{day}"));
        fs::create_dir_all(&directory)?;
        let name = format!("{account}_CloudTrail_{region}_{minute}_{unique:016x}.json.gz");
        let file = BufWriter::new(File::create(directory.join(name))?);
        let mut out = GzEncoder::new(file, Compression::fast());
        out.write_all(b"{\"Records\":[")?;
        Ok(Records { out, empty: true })
    }

    fn append(&mut self, record: &[u8]) -> io::Result<()> {
        if !self.empty {
            self.out.write_all(b",")?;
        }
        self.empty = false;
        self.out.write_all(record)
    }

    fn finish(mut self) -> io::Result<()> {
        self.out.write_all(b"]}")?;
        self.out.finish()?.flush()
    }
}

/// A time as directories (`2026/11/25`) and as a minute in a file's name (`20261125T0905Z`).
fn stamps(time: EventTime) -> (String, String) {
    let text = time.to_string();
    let (date, clock) = text.split_once('T').unwrap_or((&text, ""));
    let clock: String = clock.chars().filter(char::is_ascii_digit).take(4).collect();
    (date.replace('-', "/"), format!("{}T{clock}Z", date.replace('-', "")))
}
