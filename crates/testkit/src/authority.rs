//! A certificate authority that one test has, and what it issues.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};

/// Issues certificates, good and bad ones.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its private key, as PEM.
#[derive(Clone)]
pub struct Issued {
    /// The certificate.
    pub certificate: String,
    /// The key.
    pub key: String,
}

impl Authority {
    /// Makes an authority of this name.
    ///
    /// # Panics
    ///
    /// When no key can be made, which does not happen.
    pub fn new(name: &str) -> Self {
        let key = generate();
        let mut params = params(&[], name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key);
        Self {
            pem: certificate.expect("it signs itself").pem(),
            issuer: Issuer::new(params, key),
        }
    }

    /// Its own certificate, as PEM: who trusts it trusts what it issues.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Issues a certificate for a server that has these names and addresses.
    pub fn issue(&self, names: &[&str]) -> Issued {
        let mut params = params(names, "server");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(&params)
    }

    /// The same, of a time that is over.
    pub fn issue_expired(&self, names: &[&str]) -> Issued {
        let mut params = params(names, "server");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
        self.sign(&params)
    }

    /// Issues a certificate for a client of this name.
    pub fn issue_to(&self, user: &str) -> Issued {
        let mut params = params(&[], user);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(&params)
    }

    fn sign(&self, params: &CertificateParams) -> Issued {
        let key = generate();
        let certificate = params.signed_by(&key, &self.issuer);
        Issued {
            certificate: certificate
                .expect("the authority signs what it is given")
                .pem(),
            key: key.serialize_pem(),
        }
    }
}

fn generate() -> KeyPair {
    KeyPair::generate().expect("a key can be made")
}

fn params(names: &[&str], common_name: &str) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("the names are names");
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params
}
