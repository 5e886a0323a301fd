//! The ledger: what survives a stop. One SQLite file (WAL) of positions, windows, alerts and how far
//! each sink is.
//!
//! Two kinds of writing. Alerts are committed with full sync, in groups, before anything is sent: so
//! none is lost or renamed. A checkpoint is windows that changed, some at a time so that alerts need not
//! wait for all, and then the positions that they belong to; the alerts of these windows have been
//! committed before it. One process writes at a time (a lock beside the file says which); anybody
//! may read meanwhile.
//!
//! A file that is damaged, or was written by a newer version, is refused with advice, and never
//! emptied. What an older version wrote is brought up to date when it is opened.

mod alerts;
mod backfill;
mod body;
mod checkpoint;
mod delivery;
mod feeds;
mod schema;
#[cfg(test)]
mod tests;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

pub use alerts::{Entry, Filter};
pub use backfill::BACKFILL_SECS_MIN;
pub use checkpoint::Resumed;
pub use delivery::{Cursor, Standing, Waiting};

/// How long a connection waits for another one.
const BUSY_MS: u64 = 10_000;

/// Why the ledger cannot be used, or not now.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Another process has it.
    #[error(
        "{0} belongs to a running floodmark; stop that one, or start this one with --standby to take \
         over when it ends"
    )]
    Taken(PathBuf),
    /// It was written by a newer version.
    #[error(
        "{path} has version {found} of the ledger and this floodmark knows up to {known}: use the \
         newer floodmark, or name another file under [ledger] path"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest that is known.
        known: i64,
    },
    /// It was written by an older version, and whoever only reads changes nothing.
    #[error(
        "{path} has version {found} of the ledger and this floodmark reads version {known}: the next \
         `floodmark run` on it brings it up to date; until then use the older floodmark"
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: usize,
        /// The one that is read.
        known: usize,
    },
    /// There is none.
    #[error("there is no ledger {0}: `floodmark run` makes it, where [ledger] path says")]
    Absent(PathBuf),
    /// It is no ledger, or not whole.
    #[error(
        "{path} is damaged ({why}): nothing was changed in it. Put it aside (`mv {path} {path}.damaged`) \
         to start with the committed positions of the sources and without open windows, or save \
         what can be read with `sqlite3 {path}.damaged .recover`"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite found.
        why: String,
    },
    /// There is no room, for now.
    #[error("{0}: no room left")]
    Full(PathBuf),
    /// Anything else.
    #[error("{path}: {why}")]
    Failed {
        /// The file.
        path: PathBuf,
        /// What SQLite or the system says.
        why: String,
    },
}

/// An open ledger. Clones share it.
#[derive(Debug, Clone)]
pub struct Ledger {
    path: PathBuf,
    connection: Arc<Mutex<Connection>>,
    /// The lock, held as long as any clone lives; none for one in memory or for reading.
    kept: Option<Arc<File>>,
}

impl Ledger {
    /// Opens the file for writing, or makes it; readable for its owner alone, since evidence is in
    /// it. With `waits` it waits for another process to let go.
    pub fn open(path: &Path, waits: bool) -> Result<Ledger, LedgerError> {
        let failed = |why: std::io::Error| LedgerError::Failed {
            path: path.to_path_buf(),
            why: why.to_string(),
        };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut lock_path = path.as_os_str().to_owned();
        lock_path.push(".lock");
        let lock = private(Path::new(&lock_path)).map_err(failed)?;
        if waits {
            lock.lock().map_err(failed)?;
        } else {
            match lock.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(LedgerError::Taken(path.to_path_buf()));
                }
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
        drop(private(path).map_err(failed)?);
        let connection = Connection::open(path).map_err(|error| fault(path, &error))?;
        let mut ledger = Ledger::of(path, connection, Some(Arc::new(lock)));
        ledger.examine()?;
        ledger.upgrade()?;
        ledger.forget_unfinished()?;
        Ok(ledger)
    }

    /// A ledger that lives as long as the process: for input that can be read again from its
    /// beginning.
    pub fn in_memory() -> Result<Ledger, LedgerError> {
        let path = Path::new("(memory)");
        let connection = Connection::open_in_memory().map_err(|error| fault(path, &error))?;
        let mut ledger = Ledger::of(path, connection, None);
        ledger.upgrade()?;
        Ok(ledger)
    }

    /// Opens the file for reading, also while a daemon writes it: takes no lock of the daemon's, and
    /// changes nothing.
    pub fn read(path: &Path) -> Result<Ledger, LedgerError> {
        if !path.exists() {
            return Err(LedgerError::Absent(path.to_path_buf()));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection =
            Connection::open_with_flags(path, flags).map_err(|error| fault(path, &error))?;
        let ledger = Ledger::of(path, connection, None);
        ledger.with(|connection| connection.busy_timeout(Duration::from_millis(BUSY_MS)))?;
        ledger.is_up_to_date()?;
        Ok(ledger)
    }

    fn of(path: &Path, connection: Connection, lock: Option<Arc<File>>) -> Ledger {
        let connection = Arc::new(Mutex::new(connection));
        Ledger { path: path.to_path_buf(), connection, kept: lock }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it outlives the process.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.kept.is_some()
    }

    /// The key of all hashes, drawn once: windows are kept under it.
    pub fn seed(&self) -> Result<u64, LedgerError> {
        let seed: i64 = self.with(|connection| {
            connection.query_row("SELECT value FROM meta WHERE name = 'seed'", [], |row| row.get(0))
        })?;
        Ok(seed.cast_unsigned())
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the connection; its error names the file.
    fn with<T>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        work(&mut self.lock()).map_err(|error| fault(&self.path, &error))
    }
}

/// A file that only its owner may read.
fn private(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.create(true).append(true).read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn fault(path: &Path, error: &rusqlite::Error) -> LedgerError {
    let path = path.to_path_buf();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => LedgerError::Full(path),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            LedgerError::Damaged { path, why: error.to_string() }
        }
        _ => LedgerError::Failed { path, why: error.to_string() },
    }
}
