//! [`Mailer`]: hands mail to the operator's mail server, by SMTP.

use std::{fmt, sync::Arc, time::Duration};

use lettre::{
    address::Envelope,
    transport::smtp::{
        authentication::{self, DEFAULT_MECHANISMS},
        client::AsyncSmtpConnection,
        commands,
        extension::ClientId,
    },
};
use model::{mail_address::MailAddress, time::Clock};
use rustls::{
    RootCertStore,
    pki_types::{InvalidDnsNameError, ServerName},
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use crate::{
    Line, Mail, SendError, Step, Why, deadline::Deadline, opening::ask_for_encryption, wire::Wire,
};

/// How long one mail may take, from the first packet to the server's last word.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// How long the server is given to take leave of, once it has the mail.
const LEAVE_WITHIN: Duration = Duration::from_secs(2);

/// How the connection to the mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// It begins in clear and is encrypted before anything is said of a mail; a server that does
    /// not offer that gets none.
    StartTls,
    /// It is encrypted from the start.
    Tls,
    /// It stays in clear.
    None,
}

/// Who this server is to the mail server.
#[derive(Clone)]
pub struct Credentials {
    /// The user.
    pub user: String,
    /// Their password.
    pub password: Zeroizing<String>,
}

/// From whom mail comes.
#[derive(Clone, Debug)]
pub struct Sender {
    /// The address.
    pub address: MailAddress,
    /// The name before it.
    pub name: Line,
    /// Where answers go, if not to the address.
    pub reply_to: Option<MailAddress>,
}

/// Where the mail server is, and what it is told.
pub struct Options {
    /// Its name or address; its certificate has to be for that.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub encryption: Encryption,
    /// Who this server is there, if it has to say.
    pub credentials: Option<Credentials>,
    /// From whom mail comes.
    pub sender: Sender,
    /// What this server calls itself: the host of its name.
    pub hello: String,
    /// The authorities that may vouch for the mail server.
    pub roots: RootCertStore,
}

/// The host of the mail server cannot be one.
#[derive(Debug, thiserror::Error)]
#[error("{host:?} is neither the name nor the address of a mail server")]
pub struct BadHost {
    host: String,
    #[source]
    error: InvalidDnsNameError,
}

/// Hands over one mail after the other, each on a connection of its own. Cheap to clone.
#[derive(Clone)]
pub struct Mailer(Arc<Inner>);

struct Inner {
    host: String,
    port: u16,
    name: ServerName<'static>,
    encryption: Encryption,
    credentials: Option<authentication::Credentials>,
    sender: Sender,
    hello: ClientId,
    tls: TlsConnector,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Mailer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { host, port, .. } = &*self.0;
        write!(formatter, "Mailer({host}:{port})")
    }
}

impl Mailer {
    /// Makes a mailer; nothing is connected to yet.
    pub fn new(options: Options, clock: Arc<dyn Clock>) -> Result<Self, BadHost> {
        let Options {
            host,
            port,
            encryption,
            credentials,
            sender,
            hello,
            roots,
        } = options;
        let name = match ServerName::try_from(host.clone()) {
            Ok(name) => name,
            Err(error) => return Err(BadHost { host, error }),
        };
        let credentials = credentials.map(|credentials| {
            let Credentials { user, password } = credentials;
            authentication::Credentials::new(user, String::clone(&password))
        });
        Ok(Self(Arc::new(Inner {
            host,
            port,
            name,
            encryption,
            credentials,
            sender,
            hello: client_id(&hello),
            tls: TlsConnector::from(Arc::new(trust::client(roots))),
            clock,
        })))
    }

    /// Greets the mail server, protects the connection, signs in and takes leave: everything that
    /// comes before a mail, and no mail.
    pub async fn examine(&self, within: Duration) -> Result<(), SendError> {
        let inner = &*self.0;
        let mut deadline = Deadline::new(inner.clock.sleep(within));
        let connecting = deadline.race(Step::Connecting, inner.connect());
        let mut connection = connecting.await?;
        let signing_in = inner.sign_in(&mut connection);
        let signed_in = deadline.race(Step::SigningIn, signing_in).await;
        if signed_in.is_ok() {
            inner.leave(connection).await;
        }
        signed_in
    }

    /// Sends one mail. When this succeeds, the mail server has taken charge of it.
    ///
    /// When the connection breaks after the whole mail was written, the mail server may have it
    /// although this says that it is to be sent again: it is the same mail then, with the same id.
    pub async fn send(&self, mail: &Mail) -> Result<(), SendError> {
        let inner = &*self.0;
        let (envelope, bytes) = mail.message(&inner.sender)?;
        let mut deadline = Deadline::new(inner.clock.sleep(DEADLINE));
        let connecting = deadline.race(Step::Connecting, inner.connect());
        let mut connection = connecting.await?;
        let handing = inner.hand_over(&mut connection, &envelope, &bytes);
        let handed = deadline.race(Step::Content, handing).await;
        if handed.is_ok() {
            inner.leave(connection).await;
        }
        handed
    }
}

impl Inner {
    /// Connects, and protects the connection as it is to be, before anything is said of a mail.
    async fn connect(&self) -> Result<AsyncSmtpConnection, SendError> {
        let broken = |error: std::io::Error| SendError::broken(Step::Connecting, &error);
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await;
        let mut stream = stream.map_err(broken)?;
        let peer = stream.peer_addr().map_err(broken)?;
        let wire = match self.encryption {
            Encryption::None => Wire::clear(stream, peer),
            Encryption::Tls => Wire::encrypted(self.encrypt(stream).await?, peer, false),
            Encryption::StartTls => {
                ask_for_encryption(&mut stream, &self.hello).await?;
                Wire::encrypted(self.encrypt(stream).await?, peer, true)
            }
        };
        let greeting = AsyncSmtpConnection::connect_with_transport(Box::new(wire), &self.hello);
        let greeted = greeting.await;
        greeted.map_err(|error| SendError::met(Step::Greeting, &error))
    }

    async fn encrypt(
        &self,
        stream: TcpStream,
    ) -> Result<tokio_rustls::client::TlsStream<TcpStream>, SendError> {
        let encrypted = self.tls.connect(self.name.clone(), stream).await;
        encrypted.map_err(|error| SendError::broken(Step::Encrypting, &error))
    }

    /// What is left is good manners.
    async fn leave(&self, mut connection: AsyncSmtpConnection) {
        let mut leaving = Deadline::new(self.clock.sleep(LEAVE_WITHIN));
        let quit = async {
            drop(connection.quit().await);
            Ok(())
        };
        drop(leaving.race(Step::Content, quit).await);
    }

    /// Says who sends, where the server is to be told.
    async fn sign_in(&self, connection: &mut AsyncSmtpConnection) -> Result<(), SendError> {
        if let Some(credentials) = &self.credentials {
            let offered = connection.server_info();
            if offered.get_auth_mechanism(DEFAULT_MECHANISMS).is_none() {
                let why = Why::NotOffered("a way to sign in with a password (PLAIN or LOGIN)");
                return Err(SendError::later(Step::SigningIn, why));
            }
            let signed_in = connection.auth(DEFAULT_MECHANISMS, credentials).await;
            signed_in.map_err(|error| SendError::met(Step::SigningIn, &error))?;
        }
        Ok(())
    }

    async fn hand_over(
        &self,
        connection: &mut AsyncSmtpConnection,
        envelope: &Envelope,
        bytes: &[u8],
    ) -> Result<(), SendError> {
        self.sign_in(connection).await?;
        let sender = commands::Mail::new(envelope.from().cloned(), Vec::new());
        let taken = connection.command(sender).await;
        taken.map_err(|error| SendError::met(Step::Sender, &error))?;
        for recipient in envelope.to() {
            let recipient = commands::Rcpt::new(recipient.clone(), Vec::new());
            let taken = connection.command(recipient).await;
            taken.map_err(|error| SendError::met(Step::Recipient, &error))?;
        }
        let ready = connection.command(commands::Data).await;
        ready.map_err(|error| SendError::met(Step::Content, &error))?;
        let taken = connection.message(bytes).await;
        taken.map_err(|error| SendError::met(Step::Content, &error))?;
        Ok(())
    }
}

/// Mail servers want to be greeted with a name, or an address in brackets.
fn client_id(hello: &str) -> ClientId {
    let bare = hello.trim_start_matches('[').trim_end_matches(']');
    match bare.parse() {
        Ok(std::net::IpAddr::V4(address)) => ClientId::Ipv4(address),
        Ok(std::net::IpAddr::V6(address)) => ClientId::Ipv6(address),
        Err(_) => ClientId::Domain(hello.to_owned()),
    }
}
