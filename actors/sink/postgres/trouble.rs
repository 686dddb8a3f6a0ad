//! What an error of PostgreSQL means: whether to try again, and what to tell a person.

use postgres::error::SqlState;
use watershed_core::SinkError;

/// Why something was not done.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The database, or the way to it.
    Database(postgres::Error),
    /// Something that no repetition changes.
    Final(SinkError),
}

impl From<postgres::Error> for Trouble {
    fn from(error: postgres::Error) -> Self {
        Trouble::Database(error)
    }
}

impl From<SinkError> for Trouble {
    fn from(error: SinkError) -> Self {
        Trouble::Final(error)
    }
}

/// Whether the same may succeed if it is tried again: the way to the database is broken, or others were in the way.
pub(super) fn is_passing(error: &postgres::Error) -> bool {
    let Some(state) = error.code() else {
        // Errors without a code are of the connection, but for those of a wrong configuration.
        return error.is_closed()
            || std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<std::io::Error>);
    };
    // 08: the connection; 40: roll-backs by deadlock and serialization; 53: out of connections, memory or disk;
    // 57P: the server stops, starts or has crashed.
    let class = state.code();
    class.starts_with("08")
        || class.starts_with("40")
        || class.starts_with("53")
        || class.starts_with("57P")
        || [&SqlState::LOCK_NOT_AVAILABLE, &SqlState::QUERY_CANCELED, &SqlState::OBJECT_IN_USE]
            .contains(&state)
}

/// The reason in words, and what to do where something can be done.
pub(super) fn why(error: &postgres::Error) -> String {
    let Some(database) = error.as_db_error() else {
        let source = std::error::Error::source(error).map(|source| format!(": {source}"));
        return format!(
            "{error}{}",
            source.filter(|why| !error.to_string().ends_with(why)).unwrap_or_default()
        );
    };
    let advice = match *database.code() {
        SqlState::INSUFFICIENT_PRIVILEGE => "; grant it to the job's user",
        SqlState::DISK_FULL => "; make room on the server",
        SqlState::TOO_MANY_CONNECTIONS => "; raise max_connections, or give the sink fewer subtasks",
        SqlState::QUERY_CANCELED => "; raise .statement_timeout(..) if the server needs so long",
        SqlState::LOCK_NOT_AVAILABLE => "; another session keeps the rows locked",
        _ => "",
    };
    let detail = database.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
    format!("{}{detail}{advice}", database.message())
}
