//! `conclave user …` and `conclave invite`: orders, and what is printed of their answers.

use std::time::{Duration, SystemTime};

use config::Loaded;

use super::{arguments::UserCommand, standard_input};
use crate::{
    Surroundings,
    control::{Administrator, Answer, DeadLetterLine, LaneLine, Order, ReportLine, UserKind},
    output,
};

/// The order that a command stands for; the password is read here, before anything is opened.
pub(super) fn order_of_user(command: UserCommand) -> anyhow::Result<Order> {
    Ok(match command {
        UserCommand::Create {
            name,
            admin,
            display_name,
        } => Order::CreateUser {
            password: standard_input::read_password(&format!("Password of {name}"))?,
            name,
            admin,
            display_name,
        },
        UserCommand::List => Order::ListUsers { after: 0 },
        UserCommand::ResetPassword { name } => Order::ResetPassword {
            password: standard_input::read_password(&format!("New password of {name}"))?,
            name,
        },
        UserCommand::Deactivate { name, erase } => Order::DeactivateUser { name, erase },
    })
}

/// Has an order carried out, and prints the answer.
pub(super) async fn administer(loaded: &Loaded, order: Order) -> anyhow::Result<()> {
    let surroundings = Surroundings::of_this_machine();
    // Whoever makes the first account may have no server yet; whoever asks for less has mistaken
    // the place.
    let begins = matches!(order, Order::CreateUser { .. });
    let mut administrator = Administrator::reach(loaded, begins, &surroundings).await?;
    let outcome = carry_out(&mut administrator, order).await;
    administrator.finish().await;
    outcome
}

async fn carry_out(administrator: &mut Administrator, order: Order) -> anyhow::Result<()> {
    let mut next = Some(order);
    while let Some(order) = next.take() {
        let answer = administrator.order(order).await?;
        next = match answer {
            Answer::Users {
                next: Some(after), ..
            } => Some(Order::ListUsers { after }),
            Answer::Reports {
                next: Some(after), ..
            } => Some(Order::ListReports { after }),
            Answer::DeadLetters {
                next: Some(ref after),
                ..
            } => Some(Order::ListDeadLetters {
                after: Some(after.clone()),
            }),
            _ => None,
        };
        print(answer);
    }
    Ok(())
}

fn print(answer: Answer) {
    match answer {
        Answer::UserCreated { user_id } => output::say(format_args!("{user_id} is there")),
        Answer::Users { users, .. } => {
            for user in users {
                let admin = if user.admin { " administrator" } else { "" };
                let deactivated = if user.deactivated { " deactivated" } else { "" };
                let locked = if user.locked { " locked" } else { "" };
                let suspended = if user.suspended { " suspended" } else { "" };
                let kind = match user.kind {
                    UserKind::Person => "",
                    UserKind::Guest => " guest",
                    UserKind::Server => " server",
                };
                let user_id = user.user_id;
                output::say(format_args!(
                    "{user_id}{kind}{admin}{deactivated}{locked}{suspended}"
                ));
            }
        }
        Answer::Reports { reports, .. } => reports.iter().for_each(print_report),
        Answer::PasswordReset { user_id } => output::say(format_args!(
            "{user_id} has the new password, and no session any more"
        )),
        Answer::UserDeactivated { user_id } => {
            output::say(format_args!("{user_id} is deactivated"));
        }
        Answer::Invited {
            token,
            expires_at,
            server,
        } => print_invitation(&token, expires_at, &server),
        Answer::Deliveries { lanes } => lanes.iter().for_each(print_lane),
        Answer::DeadLetters { letters, .. } => letters.iter().for_each(print_dead_letter),
        Answer::DeadLettersReplayed { count } => {
            output::say(format_args!("tried again: {count}"));
        }
        Answer::DeadLettersForgotten { count } => {
            output::say(format_args!("forgotten: {count}"));
        }
        // Not an answer to what is asked here.
        Answer::AuditVerified { .. }
        | Answer::NoticesSent { .. }
        | Answer::BackedUp(_)
        | Answer::Progress { .. }
        | Answer::Refused { .. } => {}
    }
}

/// One line. People wrote the reason: nothing in it moves the terminal's cursor.
fn print_report(report: &ReportLine) {
    let what = match (&report.event_id, &report.room_id, &report.user_id) {
        (Some(event), room, sender) => {
            let room = room.as_deref().unwrap_or_default();
            let sender = sender.as_deref().unwrap_or_default();
            format!("event {event} of {sender} in {room}")
        }
        (None, Some(room), _) => format!("room {room}"),
        (None, None, user) => format!("user {}", user.as_deref().unwrap_or_default()),
    };
    let ReportLine {
        at,
        reporter,
        reason,
        ..
    } = report;
    let reason = reason.escape_debug();
    let date = date_of(*at);
    output::say(format_args!("{date} {reporter} reports {what}: {reason}"));
}

fn print_lane(line: &LaneLine) {
    let LaneLine {
        lane,
        letters,
        targets,
        failing,
        dead,
    } = line;
    output::say(format_args!(
        "{lane}: {letters} waiting for {targets} targets ({failing} failing), {dead} given up"
    ));
}

/// One line. Who is at the other end may have written part of the fault.
fn print_dead_letter(letter: &DeadLetterLine) {
    let DeadLetterLine {
        lane,
        target,
        pos,
        died_at,
        fault,
        ..
    } = letter;
    let (date, fault) = (date_of(*died_at), fault.escape_debug());
    output::say(format_args!("{date} {lane} {target} {pos}: {fault}"));
}

/// The token is the last word, so that scripts find it.
fn print_invitation(token: &str, expires_at: i64, server: &str) {
    let until = date_of(expires_at);
    output::say(format_args!(
        "Until {until} somebody can register at {server} with the token\n{token}"
    ));
}

/// A moment in milliseconds since 1970, as people read it.
pub(super) fn date_of(millis: i64) -> String {
    let since = Duration::from_millis(u64::try_from(millis).unwrap_or(0));
    let moment = SystemTime::UNIX_EPOCH.checked_add(since);
    moment.map_or("the end of time".to_owned(), |moment| {
        humantime::format_rfc3339_seconds(moment).to_string()
    })
}
