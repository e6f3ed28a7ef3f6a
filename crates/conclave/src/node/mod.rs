//! A whole server as one value.

mod bridges;
mod doors;
mod faces;
mod mailing;
mod meeting;
mod owners;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use axum::Router;
use bus::Bus;
use config::Loaded;
use metrics_exporter_prometheus::PrometheusHandle;
use model::time::Clock;
use push::{Gateways, Push};
use ruma::ServerName;
use store::{Begin, LeasedCursor};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{doors::Doors, mailing::Mails};
pub(crate) use self::{
    mailing::options as mail_options, meeting::options as bus_options, owners::Owners,
};
use crate::{
    Surroundings, configuration_record,
    control::{Administration, Socket},
    data_dir::DataDir,
    history_note::HistoryNote,
    metrics_page, open_files, registrations,
    serving::{self, Certificates, Ends, Offer},
    storage::Storage,
};

/// How long requests may take to finish when the node stops.
const FINISH_WITHIN: Duration = Duration::from_secs(10);

/// How many may read metrics at once.
const METRICS_CONNECTIONS: usize = 16;

/// A running server. A process may have several, each with a data directory of its own.
///
/// Dropping it without [`Node::stop`] ends it as a crash would: what was acknowledged is kept.
pub struct Node {
    addresses: Vec<SocketAddr>,
    metrics_address: Option<SocketAddr>,
    public_url: String,
    setup_link: Option<String>,
    is_new: bool,
    certificates: Option<Arc<Certificates>>,
    owners: Owners,
    bus: Bus,
    history: Option<HistoryNote>,
    ends: Ends,
    /// Given up last: as long as it is held, nobody else opens the database.
    _data_dir: DataDir,
}

impl Node {
    /// Starts a server: data directory, key, database, owners, listeners, bus and faces, in
    /// this order.
    ///
    /// # Errors
    ///
    /// One sentence that says what is wrong, where, and what to do.
    pub async fn start(loaded: &Loaded, surroundings: Surroundings) -> anyhow::Result<Self> {
        let counted = metrics_page::start();
        let config = &loaded.config;
        // Before anything is touched.
        let appservices = registrations::read(config)?;
        let data_dir = DataDir::lock(config);
        let data_dir = data_dir.map_err(|error| error.into_error(&config.server.data_dir))?;
        let storage = Storage::open(data_dir, loaded, &surroundings).await?;
        let history = HistoryNote::of(&storage.database, storage.data_dir.path());
        let loss = match &history {
            Some(history) if !storage.is_new => history.compare(&storage.database).await?,
            _ => None,
        };
        let owners = Owners::start(config, appservices, &storage, &surroundings).await?;
        if let Some(loss) = loss {
            loss.begin_epoch(&owners.log).await?;
        }
        configuration_record::keep(loaded, &storage.keyring, &owners, &storage.data_dir)
            .await
            .context("the configuration could not be recorded")?;
        let senders = owners.accounts.make_senders().await;
        senders.context("the users of application services could not be made")?;
        let doors = Doors::open(loaded).await?;
        let public_url = doors.public_url;
        let ends = Ends {
            leave: CancellationToken::new(),
            stop: CancellationToken::new(),
            abort: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        let bus = meeting::join(config, &storage.keyring, &*surroundings.entropy)?;
        let mails = mailing::mails(config, &public_url, &owners, &surroundings.clock)?;
        let bridging = bridges::bridging(&owners, &surroundings);
        let ear = bridges::ear(&bridging, &bus, &surroundings);
        let meeting = (&bus, &bridging);
        let face = faces::build(config, &public_url, &owners, meeting, &surroundings, &ends);
        let face = face.await?;
        let setup = owners.accounts.make_setup_link().await;
        let setup = setup.context("the setup link could not be made")?;
        let socket = Socket::bind(storage.data_dir.path())?;
        let administration =
            Administration::new(owners.clone(), &storage, &surroundings, public_url.clone());

        let clock = &surroundings.clock;
        let node = Self {
            addresses: doors.addresses,
            metrics_address: doors.metrics_address,
            setup_link: setup.map(|token| faces::setup_link(&public_url, &token)),
            public_url,
            is_new: storage.is_new,
            certificates: doors.certificates,
            owners,
            bus,
            history,
            ends,
            _data_dir: storage.data_dir,
        };
        node.serve_clients(face, doors.clients, clock);
        if let Some(counted) = counted {
            node.serve_metrics(counted, doors.metrics, clock);
        }
        node.finish_what_was_begun();
        node.keep_house(clock, &config.server.name);
        node.deliver(faces::gateways(config, &surroundings), mails);
        node.spawn(async move { bridging.run(ear).await });
        node.spawn(socket.serve(administration, node.ends.clone()));
        if let Some(history) = node.history.clone() {
            node.spawn(history.keep_up(Arc::clone(clock)));
        }
        let engine = storage.database.engine_name();
        tracing::info!(engine, url = node.public_url, "the server has started");
        Ok(node)
    }

    fn serve_clients(&self, face: Router, listeners: Vec<TcpListener>, clock: &Arc<dyn Clock>) {
        let offer = Offer {
            router: face,
            certificates: self.certificates.clone(),
            most_connections: open_files::most_connections(),
        };
        serving::serve(offer, listeners, &self.ends, clock);
        if let Some(certificates) = &self.certificates {
            self.spawn(Arc::clone(certificates).follow_files(Arc::clone(clock)));
        }
    }

    fn serve_metrics(
        &self,
        counted: PrometheusHandle,
        listener: Option<TcpListener>,
        clock: &Arc<dyn Clock>,
    ) {
        let offer = Offer {
            router: metrics_page::routes(counted.clone(), self.owners.log.clone()),
            certificates: None,
            most_connections: METRICS_CONNECTIONS,
        };
        serving::serve(offer, listener.into_iter().collect(), &self.ends, clock);
        self.spawn(metrics_page::keep_up(counted, Arc::clone(clock)));
    }

    /// What an earlier start was interrupted in.
    fn finish_what_was_begun(&self) {
        let Owners { lifecycle, .. } = self.owners.clone();
        self.spawn(async move {
            if let Err(error) = lifecycle.finish_deactivations().await {
                tracing::warn!(%error, "closed accounts may still be in rooms until the next start");
            }
        });
    }

    /// What is done every few hours by one node for all, what is sent when its time has come, and
    /// what is written from the log. Nobody waits for it: it is broken off when the node stops,
    /// between two changes, and goes on when one starts again, or at another.
    fn keep_house(&self, clock: &Arc<dyn Clock>, server_name: &ServerName) {
        let owners = self.owners.clone();
        let (waiting, waiting_log) = (owners.rooms.clone(), owners.log.clone());
        self.spawn(async move { waiting.send_delayed_regularly(&waiting_log).await });
        let (closed, closed_log) = (owners.rooms.clone(), owners.log.clone());
        self.spawn(async move { closed.send_guests_out_regularly(&closed_log).await });
        let search = owners.search.clone();
        self.spawn(async move { search.keep_index().await });
        let (clock, server_name) = (Arc::clone(clock), server_name.to_owned());
        let log = owners.log.clone();
        let house = move |_: LeasedCursor| {
            let owners = owners.clone();
            let (clock, server_name) = (Arc::clone(&clock), server_name.clone());
            async move {
                tokio::join!(
                    previews::forget_pictures_regularly(owners.media.clone(), clock, &server_name),
                    owners.media.sweep_regularly(),
                    owners.rooms.forget_transactions_regularly(&owners.log),
                    owners.keys.trim_to_device_regularly(),
                );
                Ok(())
            }
        };
        self.spawn(async move {
            Box::pin(LeasedCursor::run(&log, "house", Begin::AtTheHead, house)).await;
        });
    }

    /// What leaves the server, whenever that is this node's to do.
    fn deliver(&self, gateways: Gateways, mails: Option<Mails>) {
        let (mailroom, mailing) = mails.unzip();
        let Owners {
            log,
            accounts,
            rooms,
            pushers,
            outbox,
            ..
        } = self.owners.clone();
        let push = Push::new(log, accounts, rooms, pushers, outbox, (gateways, mailing));
        self.spawn(async move { push.run().await });
        if let Some(mailroom) = mailroom {
            self.spawn(async move { mailroom.run().await });
        }
    }

    /// Runs something until the node stops.
    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.ends.stop.clone();
        let running = async move { stop.run_until_cancelled(work).await };
        self.ends.tasks.spawn(running);
    }

    /// The addresses on which it serves clients, with the ports that were chosen for port 0.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The address on which `/metrics` is, if it is served.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// Where clients reach it, without a slash at the end.
    pub fn public_url(&self) -> &str {
        &self.public_url
    }

    /// The link with which the first administrator is made, as long as there is none.
    pub fn setup_link(&self) -> Option<&str> {
        self.setup_link.as_deref()
    }

    /// Whether this start made the database.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Reads certificate and key again now, instead of when their files are seen to change.
    pub fn reload_certificates(&self) {
        if let Some(certificates) = &self.certificates {
            certificates.reload();
        }
    }

    /// Waits until the database is found to have less than this node has seen: it has failed over to
    /// a server that had not received everything, and what this node holds in memory is of a history
    /// that is gone. It answers nothing any more; stop it, and start another in its place.
    pub async fn lost_history(&self) {
        match &self.history {
            Some(history) => history.lost().await,
            None => std::future::pending().await,
        }
    }

    /// Says from now on that no more requests should come, and answers those that do.
    pub fn leave(&self) {
        self.ends.leave.cancel();
    }

    /// Stops: nothing new is accepted, long polls end, requests finish within ten seconds, and
    /// the log writes what is queued.
    pub async fn stop(self) {
        self.ends.leave.cancel();
        self.ends.stop.cancel();
        self.ends.tasks.close();
        let finished = tokio::time::timeout(FINISH_WITHIN, self.ends.tasks.wait()).await;
        if finished.is_err() {
            tracing::warn!("requests that did not finish were broken off");
            self.ends.abort.cancel();
            self.ends.tasks.wait().await;
        }
        self.owners.log.stop().await;
        if let Some(history) = &self.history {
            history.keep();
        }
        // Last, so that other nodes may still hear of what was committed.
        self.bus.close().await;
        tracing::info!("the server has stopped");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.ends.leave.cancel();
        self.ends.stop.cancel();
        self.ends.abort.cancel();
        self.bus.leave();
    }
}
