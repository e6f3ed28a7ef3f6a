//! Where people reach the server: its certificates, and what it answers there.

mod shown;

use outbound::{Get, Outbound, Policy, Redirects};
use rustls::RootCertStore;
use serde_json::Value;
use url::Url;

use super::{ANSWER_WITHIN, Findings, Scene, certificates, limited};
use crate::storage::chain;

const CHECK: &str = "public address";
const CERTIFICATE: &str = "certificate";

/// An answer of this kind has some hundred bytes.
const LARGEST_ANSWER: usize = 64 * 1024;

/// Looks at the certificates, and asks what a client asks first.
pub(super) async fn examine(scene: &Scene<'_>) -> Findings {
    let mut findings = Findings::default();
    let server = &scene.loaded.config.server;
    let url = &server.public_url;
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_matches(['[', ']']);
    let roots = match url.scheme() == "https" || server.tls.is_some() {
        true => trust::system_roots(),
        false => RootCertStore::empty(),
    };
    if let Some(files) = &server.tls {
        findings.append(certificates::files(files, scene, &roots, host));
    }
    limited(CHECK, &mut findings, async |findings: &mut Findings| {
        if url.scheme() == "https" {
            presented(url, host, scene, &roots, findings).await;
        }
        answers(scene, findings).await;
    })
    .await;
    findings
}

/// What whoever connects is shown: perhaps by a proxy, with a certificate of its own.
async fn presented(
    url: &Url,
    host: &str,
    scene: &Scene<'_>,
    roots: &RootCertStore,
    findings: &mut Findings,
) {
    let port = url.port_or_known_default().unwrap_or(443);
    match shown::certificates(host, port, ANSWER_WITHIN).await {
        Ok(certificates) => {
            let chain = certificates::Chain {
                called: format!("the certificate that {host}:{port} shows"),
                certificates: &certificates,
                name: host,
            };
            chain.judge(roots, scene.surroundings.clock.now(), findings);
        }
        // That nobody answers is told once, below.
        Err(shown::NotShown::Unreachable) => {}
        Err(shown::NotShown::NoTls(error)) => {
            let says = format_args!(
                "{host}:{port} does not speak TLS ({error}), which server.public_url promises"
            );
            findings.warning(CERTIFICATE, says);
        }
    }
}

/// A client asks first for these two.
async fn answers(scene: &Scene<'_>, findings: &mut Findings) {
    let policy = Policy {
        allow_private_addresses: true,
        allow_any_port: true,
    };
    let clock = scene.surroundings.clock.clone();
    let outbound = Outbound::new(
        policy,
        clock,
        concat!("Conclave/", env!("CARGO_PKG_VERSION")),
    );
    let url = &scene.loaded.config.server.public_url;
    let shown = url.as_str().trim_end_matches('/');
    let versions = ask(&outbound, url, "/_matrix/client/versions").await;
    let versions = match versions {
        Ok(versions) => versions,
        Err(why) => {
            match scene.is_running {
                true => findings.warning(
                    CHECK,
                    format_args!(
                        "{shown} does not answer this machine ({why}): if it answers others, this \
                         network leads nobody to its own public addresses, and all is well; \
                         otherwise look at the proxy, the firewall and server.public_url"
                    ),
                ),
                false => findings.ok(
                    CHECK,
                    format_args!("{shown} does not answer, as no server runs here ({why})"),
                ),
            }
            return;
        }
    };
    if !versions["versions"].is_array() {
        let says = format_args!(
            "{shown} answers, and not as a Matrix server does: look at the proxy, and at \
             server.public_url"
        );
        return findings.warning(CHECK, says);
    }
    match ask(&outbound, url, "/.well-known/matrix/client").await {
        Ok(known) => match known["m.homeserver"]["base_url"].as_str() {
            Some(base) if base.trim_end_matches('/') == shown => findings.ok(
                CHECK,
                format_args!("{shown} answers as a Matrix server, and names itself"),
            ),
            base => {
                let base = base.unwrap_or("no address at all");
                let says = format_args!(
                    "{shown}/.well-known/matrix/client sends clients to {base}: let the proxy \
                     pass that path on to the nodes, and server.public_url be the same on all"
                );
                findings.warning(CHECK, says);
            }
        },
        Err(why) => {
            let says = format_args!(
                "{shown}/.well-known/matrix/client does not answer ({why}): let the proxy pass \
                 that path on to the nodes"
            );
            findings.warning(CHECK, says);
        }
    }
}

/// Asks for a path, for JSON.
async fn ask(outbound: &Outbound, url: &Url, path: &str) -> Result<Value, String> {
    let url = url.join(path).map_err(|error| error.to_string())?;
    let get = Get {
        url: &url,
        accept: "application/json",
        deadline: ANSWER_WITHIN,
        redirects: Redirects::Protected,
    };
    let answer = outbound.get(get).await.map_err(|error| chain(&error))?;
    let status = answer.status;
    if !status.is_success() {
        return Err(format!("it answers {}", status.as_u16()));
    }
    let body = answer.read(LARGEST_ANSWER).await;
    let body = body.map_err(|error| chain(&error))?;
    serde_json::from_slice(&body.bytes).map_err(|_| "its answer is no JSON".to_owned())
}
