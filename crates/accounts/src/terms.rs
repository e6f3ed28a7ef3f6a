//! Terms: the documents to which people agree who register for themselves.

use std::collections::BTreeMap;

use audit::{Act, AuditTrail, Target};
use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;
use store::Intent;

use crate::{Accounts, By, Grant, RegisterError};

/// The type of the account data that tells clients what was agreed to.
pub(crate) const ACCEPTED_TERMS: &str = "m.accepted_terms";

/// One document, in each of its languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What it is called among the policies.
    pub id: String,
    /// Which version it is.
    pub version: String,
    /// Its texts, by language.
    pub texts: BTreeMap<String, PolicyText>,
}

/// A policy in one language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyText {
    /// What it is called.
    pub name: String,
    /// Where it is read.
    pub url: String,
}

/// That somebody agreed to all policies there are; made where that is proved, and nowhere else.
#[derive(Clone, Copy, Debug)]
pub struct Agreement(pub(crate) ());

impl Accounts {
    /// The documents to which people agree who register for themselves.
    pub fn policies(&self) -> &[Policy] {
        &self.inner.settings.policies
    }

    /// Whether who registers by this grant has agreed to what they must; `true` if there is
    /// something.
    pub(crate) fn has_agreed(
        &self,
        grant: &Grant,
        agreement: Option<Agreement>,
    ) -> Result<bool, RegisterError> {
        let by_themselves = matches!(grant, Grant::Open | Grant::Token(_) | Grant::Email(_));
        match agreement {
            _ if !by_themselves || self.policies().is_empty() => Ok(false),
            Some(Agreement(())) => Ok(true),
            None => Err(RegisterError::NotAgreed),
        }
    }

    /// Adds to an intent, for the record, to which version of which policy somebody agreed.
    pub(crate) fn add_agreements(&self, intent: &mut Intent, target: &Target, by: &By) {
        for policy in self.policies() {
            let record = by
                .record(Act::TermsAccepted)
                .on(target.clone())
                .with("policy", policy.id.clone())
                .with("version", policy.version.clone());
            intent.add::<AuditTrail>(record);
        }
    }

    /// What clients read of the agreement: the addresses of all texts, each once.
    pub(crate) fn accepted_terms(&self) -> Vec<u8> {
        let texts = self
            .policies()
            .iter()
            .flat_map(|policy| policy.texts.values());
        let mut urls: Vec<&str> = Vec::new();
        for text in texts {
            if !urls.contains(&text.url.as_str()) {
                urls.push(&text.url);
            }
        }
        json!({ "accepted": urls }).to_string().into_bytes()
    }

    /// Tells the policies apart from those of another time: a session in which some were agreed
    /// to is not one for others.
    pub(crate) fn policies_digest(&self) -> String {
        let policies = self.policies().iter().map(|policy| {
            let texts = policy.texts.iter();
            let texts: Vec<_> = texts
                .map(|(language, text)| (language, &text.name, &text.url))
                .collect();
            (&policy.id, &policy.version, texts)
        });
        let written = json!(policies.collect::<Vec<_>>()).to_string();
        let digest = digest::digest(&digest::SHA256, written.as_bytes());
        URL_SAFE_NO_PAD.encode(&digest.as_ref()[..16])
    }
}
