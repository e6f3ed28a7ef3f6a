//! [`Appservices`]: all that are registered.

use std::{path::PathBuf, sync::Arc};

use ruma::{RoomAliasId, ServerName, UserId};

use crate::{
    Appservice, BadRegistrations,
    appservice::Hash,
    contradictions, file,
    files::{self, Found},
};

/// The application services of a deployment. Cheap to clone; by default there are none.
#[derive(Clone, Debug, Default)]
pub struct Appservices(Arc<[Appservice]>);

impl Appservices {
    /// Reads the registration files behind paths and globs, for a server of this name.
    ///
    /// # Errors
    ///
    /// All that is wrong with them.
    pub fn read(patterns: &[PathBuf], server: &ServerName) -> Result<Self, BadRegistrations> {
        Self::of(files::find(patterns), server)
    }

    /// Reads registration files that are at hand: the name and the text of each.
    ///
    /// # Errors
    ///
    /// All that is wrong with them.
    pub fn parse<'a>(
        files: impl IntoIterator<Item = (&'a str, &'a str)>,
        server: &ServerName,
    ) -> Result<Self, BadRegistrations> {
        let files = files.into_iter();
        let found = files.map(|(name, text)| Ok((name.to_owned(), text.to_owned().into())));
        Self::of(found.collect(), server)
    }

    fn of(found: Vec<Found>, server: &ServerName) -> Result<Self, BadRegistrations> {
        let (mut registered, mut refused) = (Vec::new(), Vec::new());
        for found in found {
            let read = found.map_err(|refusal| vec![refusal]);
            match read.and_then(|(name, text)| file::read(&name, &text, server)) {
                Ok(service) => registered.push(service),
                Err(refusals) => refused.extend(refusals),
            }
        }
        refused.extend(contradictions::between(&registered));
        if !refused.is_empty() {
            return Err(BadRegistrations(refused));
        }
        let services = registered.into_iter().map(|read| read.service);
        Ok(Self(services.collect()))
    }

    /// All of them, in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = &Appservice> {
        self.0.iter()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The one of this id.
    pub fn by_id(&self, id: &str) -> Option<&Appservice> {
        self.iter().find(|service| service.id() == id)
    }

    /// The one whose token this is. How long it takes tells nothing of the tokens.
    pub fn by_token(&self, token: &str) -> Option<&Appservice> {
        if self.is_empty() {
            return None;
        }
        let presented = Hash::of(token);
        let mut found = None;
        for service in self.iter() {
            if service.0.as_token.is(&presented) {
                found = Some(service);
            }
        }
        found
    }

    /// Whose a user is, if a service has claimed them for itself alone.
    pub fn owner_of(&self, user_id: &UserId) -> Option<&Appservice> {
        self.iter().find(|service| service.owns(user_id))
    }

    /// Whose an alias is, if a service has claimed it for itself alone.
    pub fn owner_of_alias(&self, alias: &RoomAliasId) -> Option<&Appservice> {
        self.iter().find(|service| service.owns_alias(alias))
    }
}
