//! What can be written behind `conclave`.

use std::{path::PathBuf, time::Duration};

use accounts::TokenTerms;
use clap::{Args, Parser, Subcommand};

use crate::control::{Order, Recipients};

/// The messaging server that an organisation runs for itself.
#[derive(Parser)]
#[command(name = "conclave", version)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) sources: SourceOptions,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Args)]
pub(super) struct SourceOptions {
    /// The configuration file; without one, defaults and the environment count.
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// The folder for everything the server keeps on this machine.
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) data_dir: Option<String>,
    /// The name that ends every user's id; it can never change.
    #[arg(long, global = true, value_name = "NAME")]
    pub(super) server_name: Option<String>,
}

#[derive(Subcommand)]
pub(super) enum Command {
    /// Runs the server until it is told to stop.
    Serve {
        /// An address on which clients are served; may be given more than once.
        #[arg(long, value_name = "ADDR")]
        listen: Vec<String>,
    },
    /// Looks at the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Looks at everything that a server needs, beside a running one or without one, and says what
    /// is wrong with it. Changes nothing.
    Doctor {
        /// Prints one JSON object instead of lines.
        #[arg(long)]
        json: bool,
        /// Reads all of a SQLite database, too, which takes as long as it is large.
        #[arg(long)]
        thorough: bool,
    },
    /// Manages people's accounts, beside a running server or without one.
    #[command(subcommand)]
    User(UserCommand),
    /// Makes an invitation: a token with which one person registers, whoever else may.
    Invite(Invite),
    /// Tells people something in the name of the server.
    #[command(subcommand)]
    Notices(NoticesCommand),
    /// Looks at what people reported.
    #[command(subcommand)]
    Report(ReportCommand),
    /// Looks at what leaves the server, and at what could not be delivered.
    #[command(subcommand)]
    Delivery(DeliveryCommand),
    /// Looks at the audit record.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Writes a copy of everything into a new folder, beside a running server or without one.
    Backup {
        /// The folder; one that is there must be empty.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// Makes no copy: proves that the one in the folder is as it was made.
        #[arg(long)]
        verify: bool,
    },
    /// Restores a copy into an empty data directory and an empty database.
    Restore {
        /// The folder of the copy.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Moves everything to an empty PostgreSQL database, while no server runs: clients go on with
    /// the same sessions.
    Migrate(Migrate),
}

#[derive(Args)]
pub(super) struct Migrate {
    /// Where the database goes, as for `database.url`.
    #[arg(long, value_name = "URL", required_unless_present = "to_file")]
    pub(super) to: Option<String>,
    /// A file that holds that URL, which other users of this machine then do not see.
    #[arg(long, value_name = "FILE", conflicts_with = "to")]
    pub(super) to_file: Option<String>,
    /// Where files go, as for `files.url`; without it they stay where they are.
    #[arg(long, value_name = "URL")]
    pub(super) files: Option<String>,
    /// Removes what an interrupted run has left, and begins anew.
    #[arg(long)]
    pub(super) again: bool,
}

#[derive(Subcommand)]
pub(super) enum ConfigCommand {
    /// Prints every key with its value and origin, or says what is wrong and where.
    Check {
        /// As for `serve`.
        #[arg(long, value_name = "ADDR")]
        listen: Vec<String>,
    },
}

#[derive(Subcommand)]
pub(super) enum UserCommand {
    /// Makes an account; its password is the first line of standard input.
    Create {
        /// The name before the colon, such as `alice`.
        name: String,
        /// Makes it an administrator's.
        #[arg(long)]
        admin: bool,
        /// The name that others see.
        #[arg(long, value_name = "NAME")]
        display_name: Option<String>,
    },
    /// Lists all accounts.
    List,
    /// Sets a password from the first line of standard input, and ends all sessions.
    ResetPassword {
        /// The name before the colon, or the whole id.
        name: String,
    },
    /// Closes an account for good; its name is never given again.
    Deactivate {
        /// The name before the colon, or the whole id.
        name: String,
        /// Takes back what the person told of themselves, too.
        #[arg(long)]
        erase: bool,
    },
}

#[derive(Args)]
pub(super) struct Invite {
    /// The user name that who registers with it gets.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Makes a registration token for so many people instead. It works where
    /// `registration.mode` is `token`.
    #[arg(long, value_name = "COUNT", conflicts_with = "name",
          value_parser = clap::value_parser!(u32).range(1..))]
    uses: Option<u32>,
    /// Sends the invitation by mail, too (`mail.host`).
    #[arg(long, value_name = "ADDRESS", conflicts_with = "uses")]
    email: Option<String>,
    /// How long it is good.
    #[arg(long, value_name = "TIME", default_value = "7days",
          value_parser = validity)]
    valid_for: Duration,
}

#[derive(Subcommand)]
pub(super) enum NoticesCommand {
    /// Sends a notice, beside a running server or without one. Each person gets it in a room of
    /// their own, to which the first one invites them.
    Send(SendNotice),
}

#[derive(Args)]
pub(super) struct SendNotice {
    /// Who is told: the name before the colon, or the whole id; may be given more than once.
    #[arg(long, value_name = "USER", required_unless_present = "everyone")]
    to: Vec<String>,
    /// Tells everybody who has an account, but for guests.
    #[arg(long, conflicts_with = "to")]
    everyone: bool,
    /// The name of the notice: whoever has got it under this name does not get it again.
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// What they are told.
    #[arg(value_name = "TEXT")]
    text: String,
}

#[derive(Subcommand)]
pub(super) enum ReportCommand {
    /// Lists what people reported, oldest first, beside a running server or without one.
    List,
}

#[derive(Subcommand)]
pub(super) enum DeliveryCommand {
    /// Tells how much waits to leave, and how much was given up, beside a running server or
    /// without one.
    Status,
    /// Lists what was given up.
    Dead,
    /// Lets what was given up be tried again.
    Replay(Lane),
    /// Forgets what was given up.
    Forget(Lane),
}

#[derive(Args)]
pub(super) struct Lane {
    /// Which kind of delivery, such as `push`.
    #[arg(value_name = "LANE")]
    lane: String,
    /// Only what was for one target, as `delivery dead` names it.
    #[arg(long, value_name = "TARGET")]
    target: Option<String>,
}

impl DeliveryCommand {
    pub(super) fn into_order(self) -> Order {
        match self {
            Self::Status => Order::DeliveryStatus {},
            Self::Dead => Order::ListDeadLetters { after: None },
            Self::Replay(Lane { lane, target }) => Order::ReplayDeadLetters { lane, target },
            Self::Forget(Lane { lane, target }) => Order::ForgetDeadLetters { lane, target },
        }
    }
}

#[derive(Subcommand)]
pub(super) enum AuditCommand {
    /// Proves that every record stands as it was written, or names the first that does not.
    Verify {
        /// A checkpoint that an earlier run printed: proves that nothing up to it was cut off.
        #[arg(long, value_name = "SEQ:LINK")]
        checkpoint: Option<String>,
    },
}

fn validity(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if duration < Duration::from_secs(1) || duration > TokenTerms::LONGEST_LIFETIME {
        return Err("an invitation is good for 1s to 3650days".to_owned());
    }
    Ok(duration)
}

impl Invite {
    pub(super) fn into_order(self) -> Order {
        let lifetime_ms = u64::try_from(self.valid_for.as_millis()).unwrap_or(u64::MAX);
        Order::Invite {
            name: self.name,
            uses: self.uses,
            lifetime_ms,
            email: self.email,
        }
    }
}

impl SendNotice {
    /// To whom, under which name, and what; everybody, if nobody is named.
    pub(super) fn into_parts(self) -> (Vec<Recipients>, Option<String>, String) {
        let to = match self.everyone {
            true => vec![Recipients::After(0)],
            false => self.to.into_iter().map(Recipients::One).collect(),
        };
        (to, self.id, self.text)
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, error::ErrorKind};

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn what_serve_accepts_is_the_contract() {
        let line = "conclave serve --config c.toml --data-dir d --server-name n --listen [::1]:1";
        let arguments = Arguments::try_parse_from(line.split(' ')).ok().unwrap();
        assert_eq!(arguments.sources.data_dir.as_deref(), Some("d"));
        assert!(matches!(arguments.command, Command::Serve { listen } if listen == ["[::1]:1"]));
    }

    #[test]
    fn wrong_usage_is_told_apart_from_help() {
        let kind = |line: &str| {
            Arguments::try_parse_from(line.split(' '))
                .err()
                .unwrap()
                .kind()
        };
        assert_eq!(
            kind("conclave user create"),
            ErrorKind::MissingRequiredArgument
        );
        assert_eq!(kind("conclave invite --uses 0"), ErrorKind::ValueValidation);
        for validity in ["0s", "11years", "soon", "99999999999years"] {
            let line = format!("conclave invite --valid-for {validity}");
            assert_eq!(kind(&line), ErrorKind::ValueValidation);
        }
        let nobody = kind("conclave notices send hello");
        assert_eq!(nobody, ErrorKind::MissingRequiredArgument);
        let both = kind("conclave notices send --everyone --to alice hello");
        assert_eq!(both, ErrorKind::ArgumentConflict);
        for line in ["conclave backup", "conclave restore", "conclave migrate"] {
            assert_eq!(kind(line), ErrorKind::MissingRequiredArgument);
        }
        let both = kind("conclave migrate --to postgres://a/b --to-file c");
        assert_eq!(both, ErrorKind::ArgumentConflict);
        assert_eq!(kind("conclave --help"), ErrorKind::DisplayHelp);
    }
}
