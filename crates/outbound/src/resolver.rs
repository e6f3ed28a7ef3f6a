//! From names to addresses.

use std::{
    io,
    net::{IpAddr, ToSocketAddrs},
    sync::Arc,
};

use async_trait::async_trait;
use tokio::sync::Semaphore;

/// How many names are asked for at once: each takes a thread for as long as the system waits for
/// its name server.
const AT_ONCE: usize = 16;

/// Where names are looked up: at the system, or in tests in a table.
#[async_trait]
pub trait Resolve: Send + Sync + 'static {
    /// Every address of a name, in the order in which they are to be tried.
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// Asks the system, as every program on the machine does.
#[derive(Debug)]
pub struct SystemResolver {
    places: Arc<Semaphore>,
}

impl Default for SystemResolver {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }
}

#[async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let name = name.to_owned();
        let asking = tokio::task::spawn_blocking(move || {
            // Held until the thread is free, also when nobody waits for it any longer.
            let _place = place;
            let found = (name.as_str(), 0).to_socket_addrs()?;
            Ok(found.map(|address| address.ip()).collect())
        });
        asking.await.map_err(io::Error::other)?
    }
}
