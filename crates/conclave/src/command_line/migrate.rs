//! `conclave migrate`: an embedded deployment goes to PostgreSQL, and its files to S3 if they are
//! to, with the same sessions, devices and positions.

use std::path::Path;

use anyhow::{Context, bail};
use audit::{Act, Actor, Record};
use config::{DatabaseUrl, FilesUrl, Loaded};
use copy::{CopyError, FilesMoved, Move, Origin, RowsMoved};
use model::time::Timestamp;
use seal::MasterKey;
use store::{Begun, Database, Location};

use super::administer::date_of;
use crate::{
    Surroundings,
    data_dir::{DataDir, NotLocked},
    files,
    moved_note::MovedNote,
    node::Owners,
    output,
    progress::ProgressShown,
    registrations,
    storage::{self, Place, Storage},
};

/// A move: from where, and to where.
struct Sides<'a> {
    from: &'a Loaded,
    to: &'a Loaded,
    /// The embedded database.
    database: &'a Path,
}

/// Checks everything first, copies and compares then, and opens the new place at last.
pub(super) async fn migrate(from: &Loaded, to: &Loaded, again: bool) -> anyhow::Result<()> {
    let surroundings = Surroundings::of_this_machine();
    let sides = Sides::of(from, to)?;
    check_origin(from).await?;
    let data_dir = DataDir::lock(&from.config).map_err(|error| in_use(error, from))?;
    let origin = Origin::open(sides.database).await?;
    sides.check_name(&origin)?;
    let master = unlock(from, &surroundings).await?;
    let fingerprint = master.voucher().fingerprint().to_owned();
    if sides.has_moved(&origin).await? {
        sides.say_what_to_do(&fingerprint);
        return Ok(());
    }
    registrations::read(&to.config)?;
    let (rows, files) = sides.move_all(&origin, again, &surroundings).await?;
    sides.note_beside(&origin, surroundings.clock.now())?;
    sides
        .arrive(&origin, data_dir, master, &surroundings)
        .await?;
    output::say(format_args!(
        "Everything of {} up to position {} is at {}: {} rows in {} tables{}, read back and found \
         equal.",
        origin.server_name(),
        origin.head(),
        storage::shown(to),
        rows.rows,
        rows.tables,
        told_of(files.as_ref())
    ));
    sides.say_what_to_do(&fingerprint);
    Ok(())
}

impl<'a> Sides<'a> {
    fn of(from: &'a Loaded, to: &'a Loaded) -> anyhow::Result<Self> {
        let DatabaseUrl::Sqlite(database) = &from.config.database.url else {
            bail!(
                "this deployment is on PostgreSQL already ({}): `conclave backup` and `conclave \
                 restore` bring it to another database",
                storage::shown(from)
            );
        };
        if let DatabaseUrl::Sqlite(_) = &to.config.database.url {
            bail!(
                "{} is no PostgreSQL database: name one with --to postgres://…",
                storage::shown(to)
            );
        }
        Ok(Self { from, to, database })
    }

    fn check_name(&self, origin: &Origin) -> anyhow::Result<()> {
        let name = &self.from.config.server.name;
        if origin.server_name() == name.as_str() {
            return Ok(());
        }
        bail!(
            "the database {} belongs to the server {}, and this configuration is of {name}: set \
             server.name to the database\u{2019}s",
            self.database.display(),
            origin.server_name()
        )
    }

    /// Whether an earlier run has finished the move. One that was about to is gone on with.
    async fn has_moved(&self, origin: &Origin) -> anyhow::Result<bool> {
        let Some(note) = MovedNote::read(self.database)? else {
            return Ok(false);
        };
        let place = storage::place(self.to).await?;
        let arrived = match place {
            Place::Deployment => {
                let there = Database::open_as_it_is(storage::options(&self.to.config)).await;
                let there = there.map_err(|error| storage::explain_store(&error, self.to))?;
                origin.has_arrived(&there).await?
            }
            _ => false,
        };
        if arrived || place == Place::UnfinishedMove {
            return Ok(arrived);
        }
        bail!(
            "the database {} was moved to {} at {} already, and {} is another place: if nobody has \
             used the first since, remove {} and run the command again",
            self.database.display(),
            note.to,
            note.at,
            storage::shown(self.to),
            MovedNote::path_beside(self.database).display()
        )
    }

    async fn move_all(
        &self,
        origin: &Origin,
        again: bool,
        surroundings: &Surroundings,
    ) -> anyhow::Result<(RowsMoved, Option<FilesMoved>)> {
        let options = || storage::options(&self.to.config);
        // Before anything is written there: whether it is there, and what is in it.
        storage::place(self.to).await?;
        let shown = ProgressShown::new();
        let watch = |progress: copy::Progress<'_>| shown.show(progress);
        let begun = Move::begin(origin, &options(), again, &watch).await;
        let (moving, begun) = begun.map_err(|error| self.unfinished(error))?;
        say_how_it_begins(begun);
        let place = storage::shown_value(self.to, "files.url");
        let moves_files = self.moves_files();
        if moves_files && !moving.puts_files_into(&place) {
            files::check_empty(&self.to.config, "move", surroundings).await?;
        }
        let moved = moving.move_rows().await;
        moved.map_err(|error| self.unfinished(error))?;
        let compared = moving.compare_rows(options()).await;
        let rows = compared.map_err(|error| self.unfinished(error))?;
        if !moves_files {
            return Ok((rows, None));
        }
        let source = match &self.from.config.files.url {
            FilesUrl::Folder(folder) => blobs::Blobs::in_read_only_folder(folder.clone()),
            FilesUrl::S3(_) => files::open(&self.from.config, surroundings).await?,
        };
        let target = files::open(&self.to.config, surroundings).await?;
        let now = surroundings.clock.now();
        let moved = moving.move_files((&source, &target), &place, now).await;
        let moved = moved.map_err(|error| self.unfinished(error))?;
        if moved.missing_count > 0 {
            let names: Vec<String> = moved.missing.iter().map(ToString::to_string).collect();
            output::complain(format_args!(
                "warning: {} files that the database names are not in {}, so they are not at the \
                 new place either: {}",
                moved.missing_count,
                storage::shown_value(self.from, "files.url"),
                names.join(" ")
            ));
        }
        Ok((rows, Some(moved)))
    }

    fn moves_files(&self) -> bool {
        self.from.config.files.url != self.to.config.files.url
    }

    /// Before the new place is opened: at no moment can both be served.
    fn note_beside(&self, origin: &Origin, now: Timestamp) -> anyhow::Result<()> {
        let note = MovedNote {
            to: storage::shown(self.to),
            head: origin.head(),
            at: date_of(now.as_millis()),
        };
        note.write(self.database)
    }

    async fn arrive(
        &self,
        origin: &Origin,
        data_dir: DataDir,
        master: MasterKey,
        surroundings: &Surroundings,
    ) -> anyhow::Result<()> {
        let config = &self.to.config;
        let appservices = registrations::read(config)?;
        let storage = Storage::open_unfinished(data_dir, self.to, master, surroundings).await?;
        let owners = Owners::start(config, appservices, &storage, surroundings).await?;
        let record = Record::new(Act::DeploymentMoved, Actor::CommandLine)
            .with("from", storage::shown(self.from))
            .with("to", storage::shown(self.to))
            .with("files", storage::shown_value(self.to, "files.url"))
            .with("head", origin.head().to_string());
        let arrived = copy::arrive(&owners.log, record).await;
        owners.log.stop().await;
        arrived.context(UNFINISHED).map(drop)
    }

    fn unfinished(&self, error: CopyError) -> anyhow::Error {
        match error {
            // These are whole sentences, and say what to do.
            CopyError::Refused(_) | CopyError::Differs { .. } => error.into(),
            CopyError::Store(error) => storage::explain_store(&error, self.to).context(UNFINISHED),
            error => anyhow::Error::new(error).context(UNFINISHED),
        }
    }

    fn say_what_to_do(&self, fingerprint: &str) {
        let key_file = storage::shown_value(self.from, "seal.key_file");
        let key = match key_file.as_str() {
            "" => "# key, as it is set now".to_owned(),
            file => format!("key_file = \"{file}\""),
        };
        output::say(format_args!(
            "Set this in the configuration of every node, with the password where there is one, \
             and start the server:\n\n\
             [database]\nurl = \"{}\"\n\n[files]\nurl = \"{}\"\n\n[seal]\n{key}  # the master key \
             {fingerprint}, the same one on every node\n\n\
             {} is not to be used again, and refuses to be: {} says so. Keep it until you are \
             sure.",
            storage::shown(self.to),
            storage::shown_value(self.to, "files.url"),
            self.database.display(),
            MovedNote::path_beside(self.database).display()
        ));
    }
}

const UNFINISHED: &str = "the move was not finished, and the same command goes on with it";

async fn check_origin(from: &Loaded) -> anyhow::Result<()> {
    storage::check_readable(from).await?;
    match storage::place(from).await? {
        Place::UnfinishedRestore => bail!(
            "a restore into the database at {} was not finished: finish it before it is moved",
            storage::shown(from)
        ),
        _ => Ok(()),
    }
}

async fn unlock(from: &Loaded, surroundings: &Surroundings) -> anyhow::Result<MasterKey> {
    let location: Location = storage::location(&from.config);
    let source = storage::key_source(&from.config);
    let master = MasterKey::unlock(&source, &location, &*surroundings.entropy).await;
    master.map_err(|error| storage::explain_seal(error, from))
}

fn in_use(error: NotLocked, from: &Loaded) -> anyhow::Error {
    match error {
        NotLocked::InUse(process) => {
            let process = process.map_or(String::new(), |id| format!(" (process {id})"));
            anyhow::anyhow!(
                "the data directory {} is in use{process}: stop the server first, for what it \
                 is told while everything moves would be lost",
                from.config.server.data_dir.display()
            )
        }
        NotLocked::Failed(error) => error,
    }
}

fn say_how_it_begins(begun: Begun) {
    match begun {
        Begun::Anew => {}
        Begun::WhereItWas => output::say("An earlier run was interrupted: this one goes on there."),
        Begun::AnewForAnother => output::say(
            "The server was used since an earlier run was interrupted: everything is copied anew.",
        ),
    }
}

fn told_of(files: Option<&FilesMoved>) -> String {
    files.map_or(String::new(), |files| {
        let FilesMoved {
            count, size_bytes, ..
        } = files;
        format!(" and {count} files of {size_bytes} bytes")
    })
}
