//! SQL that people write: it reads, and nothing else.

use super::super::compress::Dictionary;
use super::read::Reader;
use rusqlite::functions::FunctionFlags;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::types::ValueRef;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// The most bytes of an answer: it is kept in memory, so that a slow reader of the output holds no query open.
const ANSWER_SIZE_BYTES_MAX: usize = 256 * 1024 * 1024;
/// The most bytes that one body may say it has.
const BODY_SIZE_BYTES_MAX: i64 = 256 * 1024 * 1024;

/// What a query gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SqlAnswer {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<SqlValue>>,
    /// There were more rows than asked for.
    pub has_more: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum SqlValue {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
}

/// Why a query gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    #[error("only reading is allowed here: SELECT, WITH, EXPLAIN and PRAGMA table_info(…)")]
    NotAllowed,
    #[error("one query at a time; leave out what comes after the first `;`")]
    Several,
    #[error("the query took longer than {0:?}")]
    TookTooLong(Duration),
    #[error(
        "the answer has more than {ANSWER_SIZE_BYTES_MAX} bytes; ask for less at once with LIMIT"
    )]
    TooLarge,
    #[error("{0}")]
    Sqlite(rusqlite::Error),
}

impl Reader {
    /// Readies this connection for SQL that people write: gives it the function `body(dictionary, size_bytes, body)`,
    /// and takes everything away that does more than read.
    pub fn allow_sql(&mut self) -> rusqlite::Result<()> {
        let mut dictionaries = HashMap::new();
        {
            let mut query = self
                .connection
                .prepare("SELECT id, bytes FROM dictionaries")?;
            let mut rows = query.query([])?;
            while let Some(row) = rows.next()? {
                let id = row.get(0)?;
                dictionaries.insert(id, Dictionary::new(id, row.get(1)?));
            }
        }
        let flags = FunctionFlags::SQLITE_UTF8
            | FunctionFlags::SQLITE_DETERMINISTIC
            | FunctionFlags::SQLITE_DIRECTONLY;
        self.connection
            .create_scalar_function("body", 3, flags, move |context| {
                let (id, size_bytes) = (context.get::<i64>(0)?, context.get::<i64>(1)?);
                let packed = context.get_raw(2).as_blob()?;
                let wrong = |why: String| rusqlite::Error::UserFunctionError(why.into());
                let dictionary: &Dictionary = dictionaries.get(&id).ok_or_else(|| {
                    wrong(format!(
                        "there is no dictionary {id}; write body(dictionary, size_bytes, body)"
                    ))
                })?;
                let size_bytes =
                    usize::try_from(size_bytes.clamp(0, BODY_SIZE_BYTES_MAX)).unwrap_or(0);
                let body = dictionary
                    .unpack(packed, size_bytes)
                    .map_err(|error| wrong(format!("this is no body: {error}")))?;
                Ok(String::from_utf8_lossy(&body).into_owned())
            })?;
        self.connection.pragma_update(None, "query_only", true)?;
        self.connection
            .set_up()
            .authorizer(Some(|it: AuthContext<'_>| judge(&it.action)))
    }

    /// Answers a query. Call [`allow_sql`](Self::allow_sql) first.
    pub fn sql(
        &self,
        text: &str,
        rows_max: usize,
        time_max: Duration,
    ) -> Result<SqlAnswer, SqlError> {
        let sort = |error| sort(error, time_max);
        let began = Instant::now();
        let mut query = self.connection.prepare(text).map_err(sort)?;
        if !query.readonly() {
            return Err(SqlError::NotAllowed);
        }
        let columns: Vec<String> = query.column_names().map(str::to_owned).collect();
        let mut answer = SqlAnswer {
            columns,
            ..SqlAnswer::default()
        };
        let mut size_bytes = 0;
        let mut rows = query.query([]).map_err(sort)?;
        while let Some(row) = rows.next().map_err(sort)? {
            if answer.rows.len() == rows_max {
                answer.has_more = true;
                break;
            }
            let values = (0..answer.columns.len())
                .map(|at| row.get_ref(at).map(SqlValue::from))
                .collect::<rusqlite::Result<Vec<_>>>()
                .map_err(sort)?;
            size_bytes += values.iter().map(SqlValue::size_bytes).sum::<usize>();
            if size_bytes > ANSWER_SIZE_BYTES_MAX {
                return Err(SqlError::TooLarge);
            }
            if began.elapsed() > time_max {
                return Err(SqlError::TookTooLong(time_max));
            }
            answer.rows.push(values);
        }
        Ok(answer)
    }
}

/// Pragmas that tell of the schema and change nothing.
const PRAGMAS: [&str; 10] = [
    "table_info",
    "table_xinfo",
    "table_list",
    "index_list",
    "index_info",
    "index_xinfo",
    "database_list",
    "user_version",
    "page_count",
    "freelist_count",
];

fn judge(action: &AuthAction<'_>) -> Authorization {
    let is_allowed = match action {
        AuthAction::Select | AuthAction::Read { .. } | AuthAction::Recursive => true,
        AuthAction::Function { function_name } => {
            !function_name.eq_ignore_ascii_case("load_extension")
        }
        AuthAction::Pragma { pragma_name, .. } => PRAGMAS
            .iter()
            .any(|it| it.eq_ignore_ascii_case(pragma_name)),
        // Whatever else SQLite knows, now or later, does more than read.
        _ => false,
    };
    if is_allowed {
        Authorization::Allow
    } else {
        Authorization::Deny
    }
}

fn sort(error: rusqlite::Error, time_max: Duration) -> SqlError {
    use rusqlite::ErrorCode as Code;
    match &error {
        rusqlite::Error::MultipleStatement => SqlError::Several,
        rusqlite::Error::SqliteFailure(cause, _) => match cause.code {
            Code::AuthorizationForStatementDenied | Code::ReadOnly => SqlError::NotAllowed,
            Code::OperationInterrupted => SqlError::TookTooLong(time_max),
            _ => SqlError::Sqlite(error),
        },
        rusqlite::Error::SqlInputError { error: cause, .. }
            if cause.code == Code::AuthorizationForStatementDenied =>
        {
            SqlError::NotAllowed
        }
        _ => SqlError::Sqlite(error),
    }
}

impl SqlValue {
    fn size_bytes(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Null | Self::Integer(_) | Self::Real(_) => 0,
                Self::Text(it) => it.len(),
                Self::Blob(it) => it.len(),
            }
    }
}

impl From<ValueRef<'_>> for SqlValue {
    fn from(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(it) => Self::Integer(it),
            ValueRef::Real(it) => Self::Real(it),
            ValueRef::Text(it) => Self::Text(String::from_utf8_lossy(it).into_owned()),
            ValueRef::Blob(it) => Self::Blob(it.to_vec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::desk::Desk;
    use crate::ledger::folder::Folder;

    /// A ledger that was opened and closed, and one packed body of it.
    fn scene() -> (tempfile::TempDir, Reader) {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path());
        let opened = super::super::open(&folder, &[], Desk::new()).unwrap();
        opened.ledger.close();
        opened.threads.join();
        let mut reader = Reader::open_bounded(&folder, Duration::from_millis(200)).unwrap();
        reader.allow_sql().unwrap();
        (dir, reader)
    }

    fn ask(reader: &Reader, text: &str) -> Result<SqlAnswer, SqlError> {
        reader.sql(text, 10, Duration::from_millis(200))
    }

    #[test]
    fn a_query_gives_columns_and_rows_and_says_when_there_are_more() {
        let (_dir, reader) = scene();
        let answer = ask(&reader, "SELECT 1 AS a, 'x' AS b, NULL AS c, x'ff' AS d").unwrap();
        assert_eq!(answer.columns, ["a", "b", "c", "d"]);
        assert_eq!(
            answer.rows,
            [[
                SqlValue::Integer(1),
                SqlValue::Text("x".into()),
                SqlValue::Null,
                SqlValue::Blob(vec![255])
            ]]
        );
        let count = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 11) SELECT i FROM n";
        let answer = ask(&reader, count).unwrap();
        assert_eq!((answer.rows.len(), answer.has_more), (10, true));
    }

    #[test]
    fn body_gives_the_text_of_a_payload() {
        let (_dir, reader) = scene();
        let packed = Dictionary::new(1, Vec::new())
            .pack(b"{\"id\":\"evt_1\"}")
            .unwrap();
        let query = format!(
            "SELECT body(1, {}, x'{}')",
            packed.size_bytes,
            hex::encode(&packed.bytes)
        );
        let answer = ask(&reader, &query).unwrap();
        assert_eq!(answer.rows, [[SqlValue::Text("{\"id\":\"evt_1\"}".into())]]);
        assert!(matches!(
            ask(&reader, "SELECT body(1, 5, x'00')"),
            Err(SqlError::Sqlite(_))
        ));
    }

    #[test]
    fn nothing_but_reading_is_allowed() {
        let (_dir, reader) = scene();
        for query in [
            "DELETE FROM events",
            "INSERT INTO meta VALUES ('a', 'b')",
            "CREATE TEMP TABLE t (a)",
            "ATTACH 'other.db' AS other",
            "PRAGMA query_only = off",
            "PRAGMA wal_checkpoint(TRUNCATE)",
            "BEGIN",
            "VACUUM INTO 'copy.db'",
        ] {
            assert!(
                matches!(ask(&reader, query), Err(SqlError::NotAllowed)),
                "{query}"
            );
        }
        assert!(matches!(
            ask(&reader, "SELECT 1; SELECT 2"),
            Err(SqlError::Several)
        ));
        assert!(
            !ask(&reader, "PRAGMA table_info(events)")
                .unwrap()
                .rows
                .is_empty()
        );
    }

    #[test]
    fn a_query_without_end_is_ended() {
        let (_dir, reader) = scene();
        let endless =
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";
        assert!(matches!(
            ask(&reader, endless),
            Err(SqlError::TookTooLong(_))
        ));
    }
}
