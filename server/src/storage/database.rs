//! One database of either kind: where it is, how to connect, whose fault an error is.
//!
//! in:  a path or a URL
//! out: connections that are set up alike; a schema that is up to date
//!
//! Both kinds go through `sqlx::Any`, so there is one set of statements. What it asks of them: types TEXT, BIGINT and
//! DOUBLE PRECISION only, placeholders `$1`, and rows that exist already are met by `ON CONFLICT`.

use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{AnyConnection, AnyPool, ConnectOptions, Connection, Executor};
use tokio::time::timeout;
use url::Url;

static MIGRATIONS: Migrator = sqlx::migrate!("src/storage/migrations");

/// How long a connection may take to be there.
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// Where everything is kept.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A SQLite file; its folder is made when missing.
    File(PathBuf),
    /// A PostgreSQL server.
    Postgres(Url),
}

impl Place {
    /// From `postgres://user:password@host/database`. The reason never contains the text: it may hold a password.
    pub(crate) fn postgres(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| format!("is not a URL: {error}"))?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err("is not postgres://…; a SQLite file needs no URL".to_owned());
        }
        if url.path().len() < 2 {
            return Err("names no database: postgres://user@host/database".to_owned());
        }
        Ok(Self::Postgres(url))
    }
}

/// For logs and messages: without the password.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Postgres(url) => {
                let (host, port) = (url.host_str().unwrap_or("localhost"), url.port().unwrap_or(5432));
                write!(f, "postgres://{host}:{port}{}", url.path())
            }
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({self})")
    }
}

/// Why there is no storage.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StorageError {
    #[error("database {place}: {source}")]
    File { place: Place, source: io::Error },
    #[error("database {place}: {source}")]
    Use { place: Place, source: sqlx::Error },
    #[error("database {place}: its tables are not those of this version: {source}")]
    Migrate { place: Place, source: MigrateError },
}

/// A database that can be connected to.
#[derive(Clone)]
pub(super) struct Database {
    place: Place,
    options: AnyConnectOptions,
}

impl Database {
    /// Makes the file when it is missing, and brings the tables up to date.
    pub(super) async fn open(place: Place) -> Result<Self, StorageError> {
        static DRIVERS: Once = Once::new();
        DRIVERS.call_once(sqlx::any::install_default_drivers);
        let url = match &place {
            Place::File(path) => {
                make_file(path).map_err(|source| StorageError::File { place: place.clone(), source })?;
                sqlite_url(path)
            }
            Place::Postgres(url) => Ok(url.clone()),
        };
        let options = url
            .and_then(|url| AnyConnectOptions::from_url(&url))
            .map_err(|source| StorageError::Use { place: place.clone(), source })?;
        let database = Self { place, options };
        let mut connection = database.connect().await.map_err(|source| database.error(source))?;
        MIGRATIONS
            .run_direct(None, &mut connection, false)
            .await
            .map_err(|source| StorageError::Migrate { place: database.place.clone(), source })?;
        let _ = connection.close().await;
        Ok(database)
    }

    /// A connection of its own, outside pools.
    pub(super) async fn connect(&self) -> sqlx::Result<AnyConnection> {
        let connecting = async {
            let mut connection = self.options.connect().await?;
            set_up(&mut connection, self.is_file()).await?;
            Ok(connection)
        };
        timeout(CONNECT_TIME, connecting).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }

    /// A connection for the writer, which would rather try again than sit in SQLite's wait for a lock.
    pub(super) async fn connect_writer(&self) -> sqlx::Result<AnyConnection> {
        let mut connection = self.connect().await?;
        if self.is_file() {
            connection.execute("PRAGMA busy_timeout = 250").await?;
        }
        Ok(connection)
    }

    /// Connections that are made as they are needed.
    pub(super) fn pool(&self, size: u32) -> AnyPool {
        let is_file = self.is_file();
        AnyPoolOptions::new()
            .max_connections(size)
            .acquire_timeout(CONNECT_TIME)
            .after_connect(move |connection, _| Box::pin(set_up(connection, is_file)))
            .connect_lazy_with(self.options.clone())
    }

    pub(super) fn error(&self, source: sqlx::Error) -> StorageError {
        StorageError::Use { place: self.place.clone(), source }
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    pub(super) fn is_file(&self) -> bool {
        matches!(self.place, Place::File(_))
    }

    /// The statement that begins a transaction which writes. SQLite must be told at once: a transaction that reads
    /// first fails when another has written meanwhile.
    pub(super) fn begin(&self) -> &'static str {
        if self.is_file() { "BEGIN IMMEDIATE" } else { "BEGIN" }
    }
}

/// SQLite: readers go on while one writes (WAL), and what is committed survives a power cut (FULL).
async fn set_up(connection: &mut AnyConnection, is_file: bool) -> sqlx::Result<()> {
    if is_file {
        connection.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL").await?;
    }
    Ok(())
}

/// An empty file for SQLite to fill, because it would make one that others may read.
fn make_file(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map(drop)
}

fn sqlite_url(path: &Path) -> sqlx::Result<Url> {
    let absolute = std::path::absolute(path).map_err(sqlx::Error::Io)?;
    let file = Url::from_file_path(&absolute)
        .map_err(|()| sqlx::Error::Configuration("the path of the database is not one".into()))?;
    // The same text but for the scheme, percent-encoded alike.
    let url = file.as_str().replacen("file:", "sqlite:", 1);
    Url::parse(&url).map_err(|error| sqlx::Error::Configuration(error.into()))
}

/// What a failed statement tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The row can never be stored.
    Row,
    /// The database cannot store now: locked, full, gone, or wrong in a way that an operator may mend.
    Database,
}

/// SQLite: `SQLITE_TOOBIG`, `SQLITE_CONSTRAINT`, `SQLITE_MISMATCH`. PostgreSQL: classes 22 (data exception) and 23
/// (integrity constraint violation).
pub(super) fn fault(error: &sqlx::Error) -> Fault {
    let sqlx::Error::Database(told) = error else { return Fault::Database };
    let Some(code) = told.code() else { return Fault::Database };
    let of_row = match code.len() {
        5 => code.starts_with("22") || code.starts_with("23"),
        _ => code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 18..=20)),
    };
    if of_row { Fault::Row } else { Fault::Database }
}
