//! The schema: numbered files, forward only, each owner's in a sequence of its own.

use std::collections::BTreeSet;

use crate::{Row, StoreError, Value, tables::LEDGER_TABLE};

/// One step of an owner's schema.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Its place in the owner's sequence, from 1 without gaps.
    pub number: i64,
    /// The file's name, for people.
    pub name: &'static str,
    /// The statements, in the portable subset.
    pub sql: &'static str,
}

/// An owner's schema.
#[derive(Clone, Copy, Debug)]
pub struct Migrations {
    /// The crate that owns the tables.
    pub owner: &'static str,
    /// The steps, in order.
    pub steps: &'static [Migration],
}

/// The log's own tables.
pub(crate) const STORE: Migrations = Migrations {
    owner: "store",
    steps: &[
        Migration {
            number: 1,
            name: "log",
            sql: include_str!("../migrations/0001_log.sql"),
        },
        Migration {
            number: 2,
            name: "leases",
            sql: include_str!("../migrations/0002_leases.sql"),
        },
    ],
};

pub(crate) const LEDGER: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (\
    owner TEXT NOT NULL, number BIGINT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (owner, number))";

pub(crate) const APPLIED: &str = "SELECT owner, number FROM schema_migrations";

pub(crate) const RECORD: &str =
    "INSERT INTO schema_migrations (owner, number, name) VALUES ($1, $2, $3)";

/// The store's own steps and those of all owners.
pub(crate) fn all(owners: &[Migrations]) -> Vec<Migrations> {
    let mut known = vec![STORE];
    known.extend_from_slice(owners);
    known
}

/// The tables that the steps make.
pub(crate) fn table_names(known: &[Migrations]) -> BTreeSet<String> {
    let steps = known.iter().flat_map(|migrations| migrations.steps);
    let made = steps.flat_map(|step| step.sql.split("CREATE TABLE ").skip(1));
    let names = made.filter_map(|rest| rest.split([' ', '(', '\n']).next());
    let names = names.chain([LEDGER_TABLE]).map(str::to_owned);
    names.collect()
}

/// Refuses a schema that this program is too old for.
pub(crate) fn refuse_newer<'a>(
    known: &[Migrations],
    applied: impl Iterator<Item = (&'a str, i64)>,
) -> Result<(), StoreError> {
    for (owner, number) in applied {
        let newest = known
            .iter()
            .find(|migrations| migrations.owner == owner)
            .and_then(|migrations| migrations.steps.last())
            .map_or(0, |step| step.number);
        if number > newest {
            return Err(StoreError::Refused(format!(
                "the database's schema is newer than this program ({owner} is at step {number}, \
                 this program knows {newest}): start the version that wrote it, or a newer one"
            )));
        }
    }
    Ok(())
}

/// The steps that `applied` lacks, in order; refuses a schema that this program is too old for.
pub(crate) fn missing<'a>(
    known: &'a [Migrations],
    applied: &[Row],
) -> Result<Vec<(&'static str, &'a Migration)>, StoreError> {
    let there: Vec<(&str, i64)> = applied
        .iter()
        .map(|row| Ok((row.text(0)?, row.int(1)?)))
        .collect::<Result<_, StoreError>>()?;
    refuse_newer(known, there.into_iter())?;
    let done = |owner: &str, number: i64| {
        applied
            .iter()
            .any(|row| row.text(0).ok() == Some(owner) && row.int(1).ok() == Some(number))
    };
    Ok(known
        .iter()
        .flat_map(|migrations| migrations.steps.iter().map(|step| (migrations.owner, step)))
        .filter(|(owner, step)| !done(owner, step.number))
        .collect())
}

pub(crate) fn record_of(owner: &'static str, step: &Migration) -> [Value; 3] {
    [owner.into(), step.number.into(), step.name.into()]
}
