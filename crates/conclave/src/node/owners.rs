//! The owners of data over one log, wired in their order.

use std::{sync::Arc, time::Duration};

use accounts::{AccountChanges, Accounts, RegistrationMode, emails::EmailChanges};
use anyhow::Context;
use appservices::Appservices;
use audit::AuditTrail;
use blobs::Blobs;
use config::Config;
use keys::Keys;
use lifecycle::Lifecycle;
use media::Media;
use notices::{Notices, NoticesOptions};
use outbox::Outbox;
use pushers::{PusherChanges, Pushers};
use reports::{ReportChanges, Reports};
use rooms::{EncryptionPolicy, Rooms, RoomsOptions};
use search::Search;
use store::{Log, LogBuilder};
use zeroize::Zeroizing;

use crate::{Surroundings, files, storage::Storage};

/// How long an access token is good where the client can refresh it.
const ACCESS_TOKEN_LIFETIME: Duration = Duration::from_secs(60 * 60);

/// The owners of data, and the log in which all of them commit. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Owners {
    pub(crate) log: Log,
    pub(crate) accounts: Accounts,
    pub(crate) rooms: Rooms,
    pub(crate) keys: Keys,
    pub(crate) media: Media,
    pub(crate) blobs: Blobs,
    pub(crate) reports: Reports,
    pub(crate) pushers: Pushers,
    pub(crate) outbox: Outbox,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) search: Search,
    pub(crate) notices: Notices,
}

impl Owners {
    /// Starts the log with the owners' appliers, in the order in which they run inside a batch.
    pub(crate) async fn start(
        config: &Config,
        appservices: Appservices,
        storage: &Storage,
        surroundings: &Surroundings,
    ) -> anyhow::Result<Self> {
        let (database, keyring) = (&storage.database, &storage.keyring);
        let Surroundings { clock, entropy } = surroundings;
        let changes = AccountChanges::new(keyring.clone());
        let rooms = Rooms::new(
            rooms_options(config),
            database.clone(),
            keyring.clone(),
            Arc::clone(clock),
            Arc::clone(entropy),
        );
        let emails = EmailChanges::new(keyring.clone(), Arc::clone(clock));
        let builder = LogBuilder::new(database.clone(), Arc::clone(clock));
        let builder = builder.register(Arc::clone(&changes)).register(emails);
        let builder = rooms.register(builder);
        let builder = Media::register(Keys::register(builder, keyring), keyring);
        let builder = builder.register(Arc::new(ReportChanges::new(keyring.clone())));
        let builder = builder.register(Arc::new(PusherChanges::new(keyring.clone())));
        // The record of an act comes after the act.
        let trail = AuditTrail::new(keyring.clone(), Arc::clone(entropy));
        let log = builder.register(Arc::new(trail)).start().await;
        let log = log.context("the log could not be started")?;
        let accounts = Accounts::new(
            log.clone(),
            changes,
            keyring.clone(),
            Arc::clone(entropy),
            account_settings(config, appservices),
        );
        let keys = Keys::new(log.clone(), keyring.clone(), Arc::clone(entropy));
        let blobs = files::open(config, surroundings).await?;
        let media = Media::new(
            log.clone(),
            keyring.clone(),
            blobs.clone(),
            Arc::clone(entropy),
            media::Limits {
                max_size_bytes: config.files.max_size.as_u64(),
                max_per_user_bytes: config.files.max_per_user.as_u64(),
            },
        );
        let reports = Reports::new(log.clone(), keyring.clone());
        let pushers = Pushers::new(log.clone(), keyring.clone());
        let outbox = Outbox::new(log.clone(), Arc::clone(entropy));
        let lifecycle = Lifecycle::new(
            log.clone(),
            accounts.clone(),
            keys.clone(),
            rooms.clone(),
            pushers.clone(),
        );
        let search = Search::new(
            log.clone(),
            keyring.clone(),
            accounts.clone(),
            rooms.clone(),
        );
        let notices = Notices::new(
            log.clone(),
            accounts.clone(),
            rooms.clone(),
            notices_options(config),
        );
        Ok(Self {
            log,
            accounts,
            rooms,
            keys,
            media,
            blobs,
            reports,
            pushers,
            outbox,
            lifecycle,
            search,
            notices,
        })
    }
}

fn account_settings(config: &Config, appservices: Appservices) -> accounts::Settings {
    let registration = &config.registration;
    let secret = registration.shared_secret.as_ref();
    accounts::Settings {
        server_name: config.server.name.clone(),
        registration: match registration.mode {
            config::RegistrationMode::Closed => RegistrationMode::Closed,
            config::RegistrationMode::Token => RegistrationMode::Token,
            config::RegistrationMode::Open => RegistrationMode::Open,
        },
        shared_secret: secret.map(|secret| Zeroizing::new(secret.expose().to_owned())),
        access_token_lifetime: ACCESS_TOKEN_LIFETIME,
        limit_guesses: config.rate_limits.enabled,
        mail: config.mail.host.is_some(),
        reserved_name: config.notices.localpart.as_str().to_owned(),
        policies: registration.terms.iter().map(policy).collect(),
        guests: registration.guests,
        on_guest: rooms::note_guest,
        appservices,
    }
}

fn notices_options(config: &Config) -> NoticesOptions {
    NoticesOptions {
        localpart: config.notices.localpart.as_str().to_owned(),
        display_name: config.notices.display_name.as_str().to_owned(),
    }
}

fn policy(policy: &config::Policy) -> accounts::Policy {
    let texts = policy.languages.iter().map(|(language, text)| {
        let (name, url) = (text.name.clone(), text.url.as_str().to_owned());
        (language.clone(), accounts::PolicyText { name, url })
    });
    accounts::Policy {
        id: policy.id.clone(),
        version: policy.version.clone(),
        texts: texts.collect(),
    }
}

fn rooms_options(config: &Config) -> RoomsOptions {
    RoomsOptions {
        server_name: config.server.name.clone(),
        default_version: config.rooms.default_version.clone(),
        encryption: match config.encryption.rooms {
            config::EncryptionPolicy::Off => EncryptionPolicy::Off,
            config::EncryptionPolicy::Private => EncryptionPolicy::Private,
            config::EncryptionPolicy::Required => EncryptionPolicy::Required,
        },
        on_invite: accounts::demand_invitable,
        on_delayed: accounts::demand_standing,
    }
}
