//! Schema versions: numbered, forward only, one transaction each.

use super::OpenError;
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;

/// All migrations, in order; number n makes schema version n.
const MIGRATIONS: [&str; 6] = [
    include_str!("migrations/0001.sql"),
    include_str!("migrations/0002.sql"),
    include_str!("migrations/0003.sql"),
    include_str!("migrations/0004.sql"),
    include_str!("migrations/0005.sql"),
    include_str!("migrations/0006.sql"),
];

/// Brings the schema to the newest version. Refuses one that is newer than this program.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let at = |cause| OpenError::Sqlite {
        path: path.display().to_string(),
        cause,
    };
    let found: i64 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(at)?;
    let known = MIGRATIONS.len() as i64;
    if found > known {
        return Err(OpenError::Newer {
            path: path.display().to_string(),
            found,
            known,
        });
    }
    for (number, sql) in (1..).zip(MIGRATIONS).filter(|(number, _)| *number > found) {
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(at)?;
        transaction.execute_batch(sql).map_err(at)?;
        transaction
            .pragma_update(None, "user_version", number)
            .map_err(at)?;
        transaction.commit().map_err(at)?;
    }
    Ok(())
}

/// Refuses to look into a ledger whose schema this program does not know.
pub(super) fn refuse_other(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let path = || path.display().to_string();
    let found: i64 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(|cause| OpenError::Sqlite {
            path: path(),
            cause,
        })?;
    let known = MIGRATIONS.len() as i64;
    match found.cmp(&known) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(OpenError::Newer {
            path: path(),
            found,
            known,
        }),
        std::cmp::Ordering::Less => Err(OpenError::Older {
            path: path(),
            found,
            known,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_were_in_force_are_known_as_such_after_the_third_migration() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(MIGRATIONS[0]).unwrap();
        connection.pragma_update(None, "user_version", 1).unwrap();
        connection
            .execute_batch(
                "INSERT INTO script_versions VALUES ('hash', 'scripts/a.rhai', '{}', 7);
                 INSERT INTO meta VALUES ('last_good_version/a', 'hash'), ('last_good_config', 'hash');",
            )
            .unwrap();
        migrate(&mut connection, Path::new("ledger.db")).unwrap();
        let found: (String, String, i64, i64) = connection
            .query_row(
                "SELECT handler, version, saved_at, first_at FROM handler_versions",
                [],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
            )
            .unwrap();
        assert_eq!(found, ("a".into(), "hash".into(), 7, 7));
        let known: i64 = connection
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .unwrap();
        assert_eq!(known, MIGRATIONS.len() as i64);
    }
}
