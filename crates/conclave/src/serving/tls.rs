//! Certificate and key from files, read again when they change.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::{Context, bail};
use config::Tls;
use model::time::Clock;
use parking_lot::{Mutex, RwLock};
use rustls::{
    InconsistentKeys, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio_rustls::TlsAcceptor;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The certificate that clients are shown, and where it comes from.
pub(crate) struct Certificates {
    files: Tls,
    shown: Arc<Shown>,
    seen: Mutex<Option<[Stamp; 2]>>,
    acceptor: TlsAcceptor,
}

#[derive(Debug)]
struct Shown(RwLock<Arc<CertifiedKey>>);

/// What tells that a file is another one than before.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    changed: Option<SystemTime>,
    /// Also moves when others may read the file from now on.
    status_changed: i64,
    size_bytes: u64,
    inode: u64,
}

impl Certificates {
    /// Reads both files, which must belong together.
    pub(crate) fn load(files: Tls) -> anyhow::Result<Arc<Self>> {
        let seen = stamps(&files).ok();
        let shown = Arc::new(Shown(RwLock::new(read(&files)?)));
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .context("TLS cannot be set up")?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&shown) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(Self {
            files,
            shown,
            seen: Mutex::new(seen),
            acceptor: TlsAcceptor::from(Arc::new(config)),
        }))
    }

    /// What turns a TCP stream into a TLS stream.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }

    /// Looks at the files now and then, for as long as it is polled.
    pub(crate) async fn follow_files(self: Arc<Self>, clock: Arc<dyn Clock>) {
        loop {
            clock.sleep(LOOK_EVERY).await;
            let this = Arc::clone(&self);
            let looking = tokio::task::spawn_blocking(move || this.reload_if_changed());
            if let Err(error) = looking.await {
                tracing::error!(%error, "the TLS files could not be looked at");
            }
        }
    }

    /// Takes changed files if they are good; keeps what is shown if they are not.
    fn reload_if_changed(&self) {
        let now = stamps(&self.files).ok();
        {
            let mut seen = self.seen.lock();
            if *seen == now {
                return;
            }
            *seen = now;
        }
        self.reload();
    }

    /// Reads the files, whether they changed or not.
    pub(crate) fn reload(&self) {
        match read(&self.files) {
            Ok(read) => {
                *self.shown.0.write() = read;
                tracing::info!("clients are shown the new TLS certificate");
            }
            Err(error) => tracing::error!(
                error = format!("{error:#}"),
                "the TLS files are not usable: clients are still shown the old certificate"
            ),
        }
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read()))
    }
}

fn stamps(files: &Tls) -> io::Result<[Stamp; 2]> {
    Ok([stamp(&files.cert_file)?, stamp(&files.key_file)?])
}

fn stamp(path: &Path) -> io::Result<Stamp> {
    let metadata = fs::metadata(path)?;
    Ok(Stamp {
        changed: metadata.modified().ok(),
        status_changed: metadata.ctime_nsec() + metadata.ctime() * 1_000_000_000,
        size_bytes: metadata.len(),
        inode: metadata.ino(),
    })
}

/// Reads both files, and sees that they belong together.
pub(crate) fn read(files: &Tls) -> anyhow::Result<Arc<CertifiedKey>> {
    let (cert_file, key_file) = (files.cert_file.display(), files.key_file.display());
    let chain = CertificateDer::pem_file_iter(&files.cert_file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("server.tls.cert_file {cert_file} cannot be read"))?;
    if chain.is_empty() {
        bail!("server.tls.cert_file {cert_file} holds no certificate in PEM");
    }
    let key = PrivateKeyDer::from_pem_file(&files.key_file)
        .with_context(|| format!("server.tls.key_file {key_file} cannot be read"))?;
    let key = aws_lc_rs::default_provider()
        .key_provider
        .load_private_key(key)
        .with_context(|| format!("server.tls.key_file {key_file} holds a key of no known kind"))?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        // Some kinds of keys cannot be compared.
        Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {
            Ok(Arc::new(certified))
        }
        Err(error) => Err(error).with_context(|| {
            format!("{cert_file} and {key_file} do not belong together: renew both")
        }),
    }
}
