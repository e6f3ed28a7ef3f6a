//! The program's commands.

mod administer;
mod arguments;
mod back_up;
mod check_config;
mod doctor;
mod migrate;
mod restore;
mod send_notice;
mod serve;
mod standard_input;
mod verify_audit;

use std::{ffi::OsString, process::ExitCode};

use anyhow::Context;
use clap::Parser;
use config::{Config, Loaded, Moving, Overrides, Secret, Sources};

use self::arguments::{
    Arguments, AuditCommand, Command, ConfigCommand, Migrate, NoticesCommand, ReportCommand,
    SourceOptions,
};
use crate::{control::Order, output};

/// Runs the program: 0 when it did what was asked, 1 when it could not, 2 when it was asked
/// wrongly.
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help goes to standard output and is no error; where neither can be written,
            // nobody reads.
            drop(error.print());
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let sources = sources(arguments.sources, environment);
    match execute(arguments.command, sources) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn execute(command: Command, sources: Sources) -> anyhow::Result<()> {
    match command {
        Command::Config(ConfigCommand::Check { listen }) => {
            check_config::check_config(with_listen(sources, &listen))
        }
        Command::Doctor { json, thorough } => block_on(doctor::doctor(sources, json, thorough)),
        Command::Serve { listen } => {
            let loaded = load(with_listen(sources, &listen))?;
            block_on(serve::serve(&loaded))
        }
        Command::User(command) => {
            let order = administer::order_of_user(command)?;
            let loaded = load(sources)?;
            block_on(administer::administer(&loaded, order))
        }
        Command::Invite(invite) => {
            let loaded = load(sources)?;
            block_on(administer::administer(&loaded, invite.into_order()))
        }
        Command::Notices(NoticesCommand::Send(notice)) => {
            let loaded = load(sources)?;
            block_on(send_notice::send_notice(&loaded, notice))
        }
        Command::Report(ReportCommand::List) => {
            let loaded = load(sources)?;
            let order = Order::ListReports { after: 0 };
            block_on(administer::administer(&loaded, order))
        }
        Command::Delivery(command) => {
            let loaded = load(sources)?;
            block_on(administer::administer(&loaded, command.into_order()))
        }
        Command::Audit(AuditCommand::Verify { checkpoint }) => {
            let loaded = load(sources)?;
            block_on(verify_audit::verify_audit(&loaded, checkpoint))
        }
        // A copy is proved wherever it lies, also where no server is configured.
        Command::Backup {
            folder,
            verify: true,
        } => block_on(back_up::verify(&folder)),
        Command::Backup { folder, .. } => {
            let loaded = load(sources)?;
            block_on(back_up::back_up(&loaded, &folder))
        }
        Command::Restore { folder } => {
            let loaded = load(sources)?;
            block_on(restore::restore(&loaded, &folder))
        }
        Command::Migrate(migrate) => {
            let (from, to) = sides(sources, &migrate);
            // The new place first: what is wrong with it is what was just written.
            let to = load(to)?;
            let from = Config::load(from)?;
            block_on(migrate::migrate(&from, &to, migrate.again))
        }
    }
}

fn sources(
    options: SourceOptions,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Sources {
    // A value that is no text cannot be right, and is refused by the key that gets it.
    let text = |text: OsString| text.to_string_lossy().into_owned();
    let environment = environment
        .into_iter()
        .map(|(name, value)| (text(name), text(value)));
    let sources = Sources::default()
        .with_environment(environment)
        .with_overrides(Overrides {
            data_dir: options.data_dir,
            server_name: options.server_name,
            ..Overrides::default()
        });
    match options.config {
        Some(file) => sources.with_file(file),
        None => sources,
    }
}

/// The configuration of where a deployment is, and of where it goes.
fn sides(sources: Sources, migrate: &Migrate) -> (Sources, Sources) {
    let (mut from, mut to) = (sources.clone(), sources);
    from.overrides.moving = Moving::From;
    to.overrides.moving = Moving::To {
        database_url: migrate.to.as_deref().map(Secret::new),
        database_url_file: migrate.to_file.clone(),
        files_url: migrate.files.clone(),
    };
    (from, to)
}

fn with_listen(mut sources: Sources, listen: &[String]) -> Sources {
    if !listen.is_empty() {
        sources.overrides.listen = Some(listen.join(","));
    }
    sources
}

fn load(sources: Sources) -> anyhow::Result<Loaded> {
    let loaded = Config::load(sources)?;
    for warning in &loaded.warnings {
        output::complain(format_args!("warning: {warning}"));
    }
    Ok(loaded)
}

fn block_on(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the operating system gives no threads")?
        .block_on(work)
}
