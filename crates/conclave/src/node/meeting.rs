//! Where this node meets the others of its deployment: in this process, or on NATS.

use anyhow::Context;
use bus::{Bus, Credentials, Identity, NatsOptions, NodeId};
use config::{BusCredentials, BusUrl, Config};
use model::entropy::Entropy;
use seal::Keyring;
use zeroize::Zeroizing;

use crate::roots::roots;

/// Goes onto the bus. NATS need not be there: the bus connects when it is.
pub(super) fn join(
    config: &Config,
    keyring: &Keyring,
    entropy: &dyn Entropy,
) -> anyhow::Result<Bus> {
    let node = NodeId::generate(entropy);
    match options(config, deployment(config, keyring))? {
        None => Ok(Bus::in_process(node)),
        Some(options) => Bus::nats(node, options).context("bus.url cannot be used"),
    }
}

/// How NATS is reached, where there is one.
pub(crate) fn options(
    config: &Config,
    deployment: [u8; 16],
) -> anyhow::Result<Option<NatsOptions>> {
    let Some(url) = &config.bus.url else {
        return Ok(None);
    };
    if config.bus.ca_file.is_some() {
        // The bus reads it by itself, and tries for ever what cannot be.
        roots("bus.ca_file", config.bus.ca_file.as_deref())?;
    }
    Ok(Some(NatsOptions {
        servers: url.hosts.clone(),
        credentials: credentials(url),
        tls: url.tls,
        ca_file: config.bus.ca_file.clone(),
        identity: identity(&config.bus)?,
        deployment,
    }))
}

/// The certificate that this node shows, if it can be one.
fn identity(bus: &config::Bus) -> anyhow::Result<Option<Identity>> {
    let Some((cert_file, key_file)) = bus.cert_file.as_ref().zip(bus.key_file.as_ref()) else {
        return Ok(None);
    };
    // The bus reads them by itself, and tries for ever what cannot be.
    trust::Identity::in_files(cert_file, key_file)
        .context("bus.cert_file and bus.key_file cannot be used")?;
    Ok(Some(Identity {
        cert_file: cert_file.clone(),
        key_file: key_file.clone(),
    }))
}

/// What tells this deployment from all others. Its database has a random key of its own, so
/// neither another organisation nor a second server of the same name has the same subject, and
/// who only knows the name cannot guess it.
fn deployment(config: &Config, keyring: &Keyring) -> [u8; 16] {
    let hash = keyring.blind("bus", config.server.name.as_bytes());
    let (first, _) = hash.split_first_chunk().expect("a hash has 32 bytes");
    *first
}

fn credentials(url: &BusUrl) -> Option<Credentials> {
    let secret = |secret: &config::Secret| Zeroizing::new(secret.expose().to_owned());
    url.credentials
        .as_ref()
        .map(|credentials| match credentials {
            BusCredentials::Password(user, password) => Credentials::Password {
                user: user.clone(),
                password: secret(password),
            },
            BusCredentials::Token(token) => Credentials::Token(secret(token)),
        })
}
