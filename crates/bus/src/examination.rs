//! Trying NATS from outside of a deployment: each server by itself, on a subject that nobody else uses.

use std::time::Duration;

use async_nats::ServerAddr;
use futures_util::{StreamExt, future::join_all};
use tokio::time::{Instant, timeout};

use crate::{BadServer, NatsOptions, NodeId, link};

/// What became of trying one server.
#[derive(Debug)]
pub struct Examined {
    /// The server, as `host:port`.
    pub server: String,
    /// How long it took to hear what was said, or why nothing was heard.
    pub outcome: Result<Duration, ExamineError>,
}

/// Why a server cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ExamineError {
    /// It does not answer, or does not let this program in.
    #[error(transparent)]
    Connect(#[from] async_nats::ConnectError),
    /// The connection was lost at once.
    #[error("it ended the connection")]
    Lost,
    /// It let this program in, and what was said was not heard.
    #[error("what is said there is not heard: may this user publish and subscribe?")]
    Silent,
    /// It took too long.
    #[error("no answer within {} seconds", .0.as_secs())]
    Late(Duration),
}

/// Says something on each server, on a subject of its own below `conclave.doctor`, and waits until it
/// hears it.
pub async fn examine(
    options: &NatsOptions,
    node: NodeId,
    within: Duration,
) -> Result<Vec<Examined>, BadServer> {
    let subject = format!("conclave.doctor.{node}");
    let addresses = options.addresses()?;
    let trying = options.servers.iter().zip(&addresses);
    let trying = trying.map(|(server, address)| async {
        let tried = timeout(within, speak(options, address, &subject)).await;
        Examined {
            server: server.clone(),
            outcome: tried.unwrap_or(Err(ExamineError::Late(within))),
        }
    });
    Ok(join_all(trying).await)
}

async fn speak(
    options: &NatsOptions,
    address: &ServerAddr,
    subject: &str,
) -> Result<Duration, ExamineError> {
    // Less than anybody waits for the whole of it.
    const HEARD_WITHIN: Duration = Duration::from_secs(2);
    let client = link::connect_to(options, address).await?;
    let mut incoming = client
        .subscribe(subject.to_owned())
        .await
        .map_err(|_| ExamineError::Lost)?;
    let began = Instant::now();
    let said = client
        .publish(subject.to_owned(), "is anybody there?".into())
        .await;
    said.map_err(|_| ExamineError::Lost)?;
    client.flush().await.map_err(|_| ExamineError::Lost)?;
    match timeout(HEARD_WITHIN, incoming.next()).await {
        Ok(Some(_)) => Ok(began.elapsed()),
        Ok(None) => Err(ExamineError::Lost),
        Err(_) => Err(ExamineError::Silent),
    }
}
