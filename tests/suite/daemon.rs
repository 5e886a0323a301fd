//! `floodmark run` as a process that is killed, stopped and started again.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use super::program::{args, program, until};

/// The time of the stream, as one of its records tells it.
///
/// The tests' hours pass in seconds. Were the topic all that is read, a daemon that has caught up
/// with it would go on with the clock on the wall, and all that comes later would be late. So each
/// daemon reads this record from a pipe besides, over and over: the watermark cannot pass it.
#[derive(Clone, Default)]
pub(super) struct Metronome(Arc<Mutex<String>>);

/// How often it beats. A pipe that brings nothing for two seconds holds no time.
const BEAT: Duration = Duration::from_millis(100);

impl Metronome {
    pub(super) fn set(&self, record: &str) {
        record.clone_into(&mut self.0.lock().unwrap());
    }

    /// Beats until the other side is gone, or `over` is.
    fn beat(&self, mut pipe: ChildStdin, over: mpsc::Receiver<()>) {
        let beat = self.clone();
        std::thread::spawn(move || {
            while let Err(mpsc::RecvTimeoutError::Timeout) = over.recv_timeout(BEAT) {
                let line = beat.0.lock().unwrap().clone() + "\n";
                match pipe.write_all(line.as_bytes()) {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => return,
                    Err(error) => panic!("{error}"),
                }
            }
        });
    }
}

/// A daemon that runs.
pub(super) struct Daemon {
    child: Child,
    log: PathBuf,
    /// Ends the beat of its metronome.
    _over: mpsc::Sender<()>,
}

impl Daemon {
    /// Starts one. What it says goes to a file named after the configuration.
    pub(super) fn start(config: &Path, metronome: &Metronome) -> Daemon {
        let log = config.with_extension("log");
        let mut child = program(&args!["run", "--config", config])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(File::options().create(true).append(true).open(&log).unwrap())
            .spawn()
            .unwrap();
        let (over, is_over) = mpsc::channel();
        metronome.beat(child.stdin.take().unwrap(), is_over);
        Daemon { child, log, _over: over }
    }

    /// Ends it where it stands.
    pub(super) fn kill(mut self) {
        self.assert_runs();
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop, and waits until it has.
    pub(super) fn stop(mut self) {
        let asked = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(asked.success());
        until("the daemon has stopped", || self.child.try_wait().unwrap().is_some());
        let code = self.child.wait().unwrap().code();
        assert_eq!(code, Some(0), "{}", self.said());
    }

    /// Asks it to read its rules again.
    pub(super) fn reload(&mut self) {
        self.assert_runs();
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-HUP", &id]).status().unwrap().success());
    }

    /// Waits until it has said this.
    #[track_caller]
    pub(super) fn until_said(&mut self, what: &str) {
        until(what, || {
            self.assert_runs();
            self.said().contains(what)
        });
    }

    #[track_caller]
    pub(super) fn assert_runs(&mut self) {
        assert_eq!(self.child.try_wait().unwrap(), None, "{}", self.said());
    }

    /// All that daemons of this configuration have said.
    pub(super) fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }
}

/// A test that fails leaves no daemon behind, and shows what it has said.
impl Drop for Daemon {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}:\n{}", self.log.display(), self.said());
        }
        // It may have ended already.
        if self.child.kill().is_ok() {
            self.child.wait().unwrap();
        }
    }
}
