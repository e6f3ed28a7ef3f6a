//! `conclave serve`: a node, from its start to the signal that ends it.

use anyhow::Context;
use config::Loaded;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{Node, Surroundings, open_files, output, telemetry};

/// Serves until SIGTERM or SIGINT; SIGHUP reads the TLS files again.
pub(super) async fn serve(loaded: &Loaded) -> anyhow::Result<()> {
    telemetry::start(&loaded.config.log);
    open_files::raise_limit();
    // From here on a signal is kept until it is looked for: none ends the start half-way.
    let mut terminate = listen_for(SignalKind::terminate())?;
    let mut interrupt = listen_for(SignalKind::interrupt())?;
    let mut hang_up = listen_for(SignalKind::hangup())?;
    let mut node = Node::start(loaded, Surroundings::of_this_machine()).await?;
    greet(&node, loaded);
    tracing::debug!("the server has greeted whoever started it");
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => node.reload_certificates(),
            () = node.lost_history() => {
                node.stop().await;
                // With nothing in memory, and a note of what it had seen.
                node = Node::start(loaded, Surroundings::of_this_machine()).await?;
            }
        }
    }
    tracing::info!("the server is stopping");
    node.leave();
    let stopping = async {
        let leave_after = loaded.config.server.leave_after;
        if let Some(leave_after) = leave_after {
            let clock = Surroundings::of_this_machine().clock;
            clock.sleep(leave_after).await;
        }
        node.stop().await;
    };
    tokio::select! {
        () = stopping => Ok(()),
        // Whoever asks twice does not want to wait.
        _ = interrupt.recv() => Ok(()),
    }
}

fn listen_for(kind: SignalKind) -> anyhow::Result<Signal> {
    signal(kind).context("the operating system refuses to hand over signals")
}

/// Tells what the person who started it must know.
fn greet(node: &Node, loaded: &Loaded) {
    let name = &loaded.config.server.name;
    for address in node.addresses() {
        output::say(format_args!(
            "Listening on {address}, for clients at {}",
            node.public_url()
        ));
    }
    if let Some(address) = node.metrics_address() {
        output::say(format_args!("Metrics are at http://{address}/metrics"));
    }
    if node.is_new() || node.setup_link().is_some() {
        output::say(format_args!(
            "This server's name is {name}. It is part of every id and can never change: if it is \
             not right, stop now, remove {} and start again with --server-name",
            loaded.config.server.data_dir.display()
        ));
    }
    if let Some(link) = node.setup_link() {
        output::say(format_args!(
            "Make the first administrator within seven days, once, at\n{link}"
        ));
    }
}
