//! `conclave notices send`: telling people something, some at a time.

use anyhow::bail;
use config::Loaded;

use super::arguments::SendNotice;
use crate::{
    Surroundings,
    control::{Administrator, Answer, Order, Recipients},
    output,
};

/// What became of a notice so far.
#[derive(Default)]
struct Tally {
    told: u64,
    before: u64,
    untold: u64,
}

/// Sends a notice, and tells how many have it. Doing it again under the same id tells nobody twice.
pub(super) async fn send_notice(loaded: &Loaded, notice: SendNotice) -> anyhow::Result<()> {
    let surroundings = Surroundings::of_this_machine();
    let mut administrator = Administrator::reach(loaded, false, &surroundings).await?;
    let outcome = send(&mut administrator, notice).await;
    administrator.finish().await;
    outcome
}

async fn send(administrator: &mut Administrator, notice: SendNotice) -> anyhow::Result<()> {
    let (recipients, mut id, text) = notice.into_parts();
    let mut tally = Tally::default();
    for to in recipients {
        let mut next = Some(to);
        while let Some(to) = next.take() {
            let order = Order::SendNotice {
                to,
                id: id.clone(),
                text: text.clone(),
            };
            let answer = administrator.order(order).await;
            let answer = answer.map_err(|error| again(error, id.as_deref()))?;
            let Answer::NoticesSent {
                id: name,
                told,
                before,
                untold,
                next: after,
            } = answer
            else {
                bail!("the server answered something else");
            };
            id = Some(name);
            tally.told += told;
            tally.before += before;
            tally.untold += untold.len() as u64;
            untold.iter().for_each(output::complain);
            next = after.map(Recipients::After);
        }
    }
    conclude(&tally, id.as_deref().unwrap_or_default())
}

/// An error behind which some may have been told: how to go on.
fn again(error: anyhow::Error, id: Option<&str>) -> anyhow::Error {
    match id {
        Some(id) => error.context(format!(
            "some may not be told yet: try again with --id {id}"
        )),
        None => error,
    }
}

fn conclude(tally: &Tally, id: &str) -> anyhow::Result<()> {
    let Tally {
        told,
        before,
        untold,
    } = tally;
    output::say(format_args!(
        "{told} told, {before} told before, under the id {id}"
    ));
    match untold {
        0 => Ok(()),
        count => bail!("{count} were not told: try again with --id {id}"),
    }
}
