//! Running the program.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use floodmark::clock::Stopwatch;

/// How long anything may take before a test gives up.
pub(super) const PATIENCE: Duration = Duration::from_secs(180);

/// What a run came to.
pub(super) struct Done {
    pub(super) code: i32,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: String,
}

impl Done {
    /// Its output as text.
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.stdout.clone()).unwrap()
    }

    /// Fails the test unless the exit code is this one.
    #[track_caller]
    pub(super) fn expect(self, code: i32) -> Done {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.text(), self.stderr);
        self
    }
}

/// Runs `floodmark` with these arguments, its standard input at its end.
pub(super) fn floodmark<A: AsRef<OsStr>>(arguments: &[A]) -> Done {
    floodmark_reading(arguments, Stdio::null())
}

/// Runs `floodmark` with these arguments, a file as its standard input.
pub(super) fn floodmark_on<A: AsRef<OsStr>>(arguments: &[A], stdin: &Path) -> Done {
    floodmark_reading(arguments, std::fs::File::open(stdin).unwrap().into())
}

/// The program, with what the servers of the tests take for credentials.
pub(super) fn program<A: AsRef<OsStr>>(arguments: &[A]) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_floodmark"));
    program.args(arguments).env("COLUMNS", "100");
    program.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    program
}

fn floodmark_reading<A: AsRef<OsStr>>(arguments: &[A], stdin: Stdio) -> Done {
    let output = program(arguments).stdin(stdin).output().unwrap();
    Done {
        code: output.status.code().unwrap_or(-1),
        stdout: output.stdout,
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Waits for what must come about.
#[track_caller]
pub(super) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let since = Stopwatch::start();
    while !is_so() {
        assert!(since.elapsed() < PATIENCE, "waited too long until {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// Puts arguments of unlike types into one list.
macro_rules! args {
    ($($argument:expr),* $(,)?) => {
        [$(std::ffi::OsStr::new(&$argument).to_owned()),*]
    };
}
pub(super) use args;
