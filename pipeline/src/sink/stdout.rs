//! Standard output, for people and pipes.

use std::io::{self, Write};

use super::{Format, Sink, Told, Verdict, render_all};

/// Writes each batch whole, and flushes it.
///
/// What a failed write has put out already is not known, so it is not repeated: a reader who has
/// gone does not come back. Those alerts are refused, with the reason.
#[derive(Debug)]
pub struct Stdout<W = io::Stdout> {
    out: W,
    format: Format,
}

impl Stdout {
    /// The process's own.
    #[must_use]
    pub fn new(format: Format) -> Stdout {
        Stdout::over(io::stdout(), format)
    }
}

impl<W: Write + Send> Stdout<W> {
    /// Over any writer.
    pub fn over(out: W, format: Format) -> Stdout<W> {
        Stdout { out, format }
    }
}

impl<W: Write + Send> Sink for Stdout<W> {
    fn send(&mut self, alerts: &[Told]) -> Vec<Verdict> {
        let bytes = render_all(self.format, alerts);
        let verdict = match self.out.write_all(&bytes).and_then(|()| self.out.flush()) {
            Ok(()) => Verdict::Delivered,
            Err(error) => Verdict::Refused(format!("cannot write to standard output: {error}")),
        };
        vec![verdict; alerts.len()]
    }

    fn close(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::encode::ocsf::{View, tests::burst};

    fn told() -> Told {
        Told { alert: burst(), view: View::Final }
    }

    #[test]
    fn writes_one_line_an_alert() {
        let mut out = Vec::new();
        let mut sink = Stdout::over(&mut out, Format::default());
        assert_eq!(sink.send(&[told(), told()]), vec![Verdict::Delivered; 2]);
        sink.close().unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), 2);
        for line in text.lines() {
            let finding: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(finding["count"], 24);
        }
    }

    #[test]
    fn a_reader_who_has_gone_is_told_of() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let verdicts = Stdout::over(Gone, Format::default()).send(&[told()]);
        assert!(
            matches!(verdicts.as_slice(), [Verdict::Refused(why)] if why.contains("broken pipe"))
        );
    }
}
