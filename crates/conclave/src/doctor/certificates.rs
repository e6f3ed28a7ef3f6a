//! Certificates: until when they are good, for which names, and who vouches for them.

use std::{path::Path, time::Duration};

use config::Tls;
use model::time::Timestamp;
use rustls::{
    CertificateError, Error, RootCertStore,
    client::{verify_server_cert_signed_by_trust_anchor, verify_server_name},
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};

use super::{Findings, Scene};
use crate::serving;

const CHECK: &str = "certificate";

/// Renewing fails on a weekend, and somebody has to notice and mend it.
const SOON: Duration = Duration::from_secs(21 * 86_400);

/// Later than any certificate.
const NEVER: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(1 << 40));

/// A certificate and those that lead to who vouches for it.
pub(super) struct Chain<'a> {
    /// What it is called in a sentence.
    pub(super) called: String,
    /// The server's own first.
    pub(super) certificates: &'a [CertificateDer<'a>],
    /// The name under which people reach the server.
    pub(super) name: &'a str,
}

/// Reads the files of `server.tls`, and judges what is in them.
pub(super) fn files(files: &Tls, scene: &Scene<'_>, roots: &RootCertStore, name: &str) -> Findings {
    let mut findings = Findings::default();
    let path = files.cert_file.display();
    match serving::read_certificate(files) {
        Ok(read) => {
            let chain = Chain {
                called: format!("server.tls.cert_file {path}"),
                certificates: &read.cert,
                name,
            };
            chain.judge(roots, scene.surroundings.clock.now(), &mut findings);
        }
        Err(error) => findings.wrong(CHECK, format_args!("{error:#}")),
    }
    private(&files.key_file, &mut findings);
    findings
}

/// A group may read a key, as Debian has it; everybody may not.
fn private(key: &Path, findings: &mut Findings) {
    use std::os::unix::fs::PermissionsExt;

    let Ok(metadata) = std::fs::metadata(key) else {
        return;
    };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o007 != 0 {
        let says = format_args!(
            "everybody on this machine may read server.tls.key_file {} (mode {mode:o}): run chmod \
             600 on it",
            key.display()
        );
        findings.warning(CHECK, says);
    }
}

impl Chain<'_> {
    /// Says what is wrong with it at a moment, or until when it is good.
    pub(super) fn judge(&self, roots: &RootCertStore, now: Timestamp, findings: &mut Findings) {
        let called = &self.called;
        let Some((own, above)) = self.certificates.split_first() else {
            return findings.wrong(CHECK, format_args!("{called} holds none"));
        };
        let leaf = match ParsedCertificate::try_from(own) {
            Ok(leaf) => leaf,
            Err(error) => {
                let says = format_args!("{called} cannot be read ({error}): renew it");
                return findings.wrong(CHECK, says);
            }
        };
        self.judge_name(&leaf, findings);
        if !self.judge_time(now, findings) {
            return;
        }
        let at = UnixTime::since_unix_epoch(since_epoch(now));
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
        let vouched =
            verify_server_cert_signed_by_trust_anchor(&leaf, roots, above, at, algorithms.all);
        if let Err(error) = vouched {
            let says = format_args!(
                "nobody whom this machine trusts vouches for {called} ({}): put the certificates \
                 of its issuer behind it, or see that every client trusts that issuer",
                said(&error)
            );
            findings.warning(CHECK, says);
        }
    }

    fn judge_name(&self, leaf: &ParsedCertificate<'_>, findings: &mut Findings) {
        let Self { called, name, .. } = self;
        let Ok(wanted) = ServerName::try_from(*name) else {
            return;
        };
        if let Err(error) = verify_server_name(leaf, &wanted) {
            let says = format_args!(
                "{called} is not for {name}, the host of server.public_url ({}): clients refuse \
                 it; get one for that name",
                said(&error)
            );
            findings.wrong(CHECK, says);
        }
    }

    /// Whether all of it is good now.
    fn judge_time(&self, now: Timestamp, findings: &mut Findings) -> bool {
        let called = &self.called;
        let mut ends: Option<UnixTime> = None;
        for certificate in self.certificates {
            let Some((begins, until)) = validity(certificate) else {
                continue;
            };
            if begins.as_secs() > since_epoch(now).as_secs() {
                let says = format_args!(
                    "{called} is not good before {}: check this machine\u{2019}s clock, or take \
                     the one before until then",
                    date(begins)
                );
                findings.wrong(CHECK, says);
                return false;
            }
            ends = Some(ends.map_or(until, |ends| ends.min(until)));
        }
        let Some(ends) = ends else {
            let says = format_args!("until when {called} is good cannot be told");
            findings.warning(CHECK, says);
            return true;
        };
        let (until, left) = (date(ends), Duration::from_secs(ends.as_secs()));
        match left.checked_sub(since_epoch(now)) {
            None => {
                let says = format_args!(
                    "{called} has expired on {until}: renew it, and send the server SIGHUP, or \
                     wait five seconds"
                );
                findings.wrong(CHECK, says);
                false
            }
            Some(left) => {
                let days = left.as_secs() / 86_400;
                if left < SOON {
                    let says = format_args!(
                        "{called} expires in {days} days, on {until}: see why it is not renewed"
                    );
                    findings.warning(CHECK, says);
                } else {
                    let says = format_args!("{called} is good until {until}, for {days} days");
                    findings.ok(CHECK, says);
                }
                true
            }
        }
    }
}

/// From when until when a certificate is good.
///
/// The library that judges certificates tells these moments when it finds one wanting: so it is
/// asked about a time before, and about one after.
fn validity(certificate: &CertificateDer<'_>) -> Option<(UnixTime, UnixTime)> {
    let parsed = ParsedCertificate::try_from(certificate).ok()?;
    let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
    let nobody = RootCertStore::empty();
    let judged =
        |at| verify_server_cert_signed_by_trust_anchor(&parsed, &nobody, &[], at, algorithms.all);
    let long_ago = UnixTime::since_unix_epoch(Duration::ZERO);
    let begins = match judged(long_ago) {
        Err(Error::InvalidCertificate(CertificateError::NotValidYetContext {
            not_before, ..
        })) => not_before,
        _ => long_ago,
    };
    match judged(NEVER) {
        Err(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => {
            Some((begins, not_after))
        }
        _ => None,
    }
}

/// What is wrong, in few words.
fn said(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(CertificateError::NotValidForNameContext {
            presented, ..
        }) if presented.is_empty() => "it is for no name".to_owned(),
        Error::InvalidCertificate(CertificateError::NotValidForNameContext {
            presented, ..
        }) => {
            let names = presented.iter().map(|name| bare(name));
            format!("it is for {}", names.collect::<Vec<_>>().join(", "))
        }
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "its issuer is not known".to_owned()
        }
        other => other.to_string(),
    }
}

/// The library tells names with their kind: `DnsName("example.org")`.
fn bare(name: &str) -> &str {
    let (_, name) = name.split_once('(').unwrap_or(("", name));
    name.trim_end_matches(')').trim_matches('"')
}

fn since_epoch(moment: Timestamp) -> Duration {
    moment.since(Timestamp::default())
}

fn date(moment: UnixTime) -> String {
    // The last moment that is written with a year of four digits.
    const LAST: u64 = 253_402_300_799;
    let since = Duration::from_secs(moment.as_secs().min(LAST));
    let moment = std::time::UNIX_EPOCH.checked_add(since);
    moment.map_or_else(String::new, |moment| {
        humantime::format_rfc3339_seconds(moment).to_string()
    })
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::pem::PemObject;

    use super::*;
    use crate::doctor::Verdict;

    /// For `localhost`, vouched for by nobody but itself.
    const OWN: &str = include_str!("../../tests/api/tls/first.cert.pem");

    fn own() -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(OWN.as_bytes()).unwrap()
    }

    /// So long before the certificate ends, under a name, with itself as an authority or not.
    fn judged(before_end: i64, name: &str, is_trusted: bool) -> Vec<(Verdict, String)> {
        let certificates = [own()];
        let mut roots = RootCertStore::empty();
        if is_trusted {
            roots.add(own()).unwrap();
        }
        let (_, ends) = validity(&certificates[0]).unwrap();
        let seconds = i64::try_from(ends.as_secs()).unwrap() - before_end;
        let chain = Chain {
            called: "it".to_owned(),
            certificates: &certificates,
            name,
        };
        let mut findings = Findings::default();
        chain.judge(
            &roots,
            Timestamp::from_millis(seconds * 1_000),
            &mut findings,
        );
        let findings = findings.iter();
        let findings = findings.map(|finding| (finding.verdict, finding.says.clone()));
        findings.collect()
    }

    const DAY: i64 = 86_400;

    #[test]
    fn the_end_of_a_certificate_is_told_in_time() {
        for (before_end, verdict, part) in [
            (30 * DAY, Verdict::Ok, "for 30 days"),
            (21 * DAY, Verdict::Ok, "for 21 days"),
            (21 * DAY - 1, Verdict::Warning, "expires in 20 days"),
            (1, Verdict::Warning, "expires in 0 days"),
            (-1, Verdict::Wrong, "has expired on "),
        ] {
            let found = judged(before_end, "localhost", true);
            assert_eq!(found.len(), 1, "{found:?}");
            assert_eq!(found[0].0, verdict, "{found:?}");
            assert!(found[0].1.contains(part), "{found:?}");
        }
    }

    #[test]
    fn one_that_is_not_good_yet_is_wrong() {
        let (begins, ends) = validity(&own()).unwrap();
        let before_end = i64::try_from(ends.as_secs() - begins.as_secs()).unwrap() + 1;
        let found = judged(before_end, "localhost", true);
        assert_eq!(found[0].0, Verdict::Wrong, "{found:?}");
        assert!(found[0].1.contains("is not good before"), "{found:?}");
    }

    #[test]
    fn another_name_is_told_with_those_that_it_is_for() {
        let found = judged(30 * DAY, "chat.example.org", true);
        assert_eq!(found[0].0, Verdict::Wrong, "{found:?}");
        let part =
            "is not for chat.example.org, the host of server.public_url (it is for localhost";
        assert!(found[0].1.contains(part), "{found:?}");
    }

    #[test]
    fn an_issuer_whom_nobody_knows_is_a_warning() {
        let found = judged(30 * DAY, "localhost", false);
        let last = found.last().unwrap();
        assert_eq!(last.0, Verdict::Warning, "{found:?}");
        assert!(
            last.1.contains("nobody whom this machine trusts"),
            "{found:?}"
        );
    }
}
