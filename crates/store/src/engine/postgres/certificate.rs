//! The one thing that is read of a certificate here: with which hash it was signed.

use aws_lc_rs::digest::{Algorithm, SHA256, SHA384, SHA512};

/// The tags of DER.
const SEQUENCE: u8 = 0x30;
const OBJECT_ID: u8 = 0x06;

/// Ways to sign a certificate, and the hash that binds a connection to it: the one with which it
/// was signed, and SHA-256 in place of weaker ones.
const SIGNATURES: [(&[u8], &Algorithm); 9] = [
    // 1.2.840.113549.1.1: RSA with MD5, SHA-1, SHA-256, SHA-384, SHA-512.
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04", &SHA256),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05", &SHA256),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b", &SHA256),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c", &SHA384),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d", &SHA512),
    // 1.2.840.10045.4: ECDSA with SHA-1, SHA-256, SHA-384, SHA-512.
    (b"\x2a\x86\x48\xce\x3d\x04\x01", &SHA256),
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x02", &SHA256),
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x03", &SHA384),
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x04", &SHA512),
];

/// The hash of a certificate to which a connection is bound. Signatures that say nothing of a hash
/// (Ed25519), or say it elsewhere (RSA-PSS), have none: such a connection is not bound, and is not
/// made where it has to be.
pub(super) fn binding_hash(certificate: &[u8]) -> Option<&'static Algorithm> {
    let signature = signature_of(certificate)?;
    let known = SIGNATURES.iter().find(|(id, _)| *id == signature);
    known.map(|(_, hash)| *hash)
}

/// `Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm SEQUENCE { algorithm, … }, … }`
fn signature_of(certificate: &[u8]) -> Option<&[u8]> {
    let (certificate, _) = element(SEQUENCE, certificate)?;
    let (_, behind) = element(SEQUENCE, certificate)?;
    let (algorithm, _) = element(SEQUENCE, behind)?;
    element(OBJECT_ID, algorithm).map(|(id, _)| id)
}

/// What is in the first element, which has this tag, and what stands behind it.
fn element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let ([found, length], rest) = der.split_first_chunk()?;
    if *found != tag {
        return None;
    }
    let (length, rest) = match *length {
        short @ 0..=0x7f => (usize::from(short), rest),
        // So many bytes of length: no certificate needs more than three.
        long @ 0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            let length = digits
                .iter()
                .fold(0, |length, digit| length << 8 | usize::from(*digit));
            (length, rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::{SHA256, SHA384, SHA512, binding_hash};

    /// A certificate of which only the signature is there.
    fn signed_with(id: &[u8]) -> Vec<u8> {
        let wrapped = |tag: u8, inside: &[u8]| {
            let length = u16::try_from(inside.len()).unwrap().to_be_bytes();
            [&[tag, 0x82], &length[..], inside].concat()
        };
        let algorithm = wrapped(0x30, &[&[0x06, id.len() as u8], id, &[0x05, 0x00]].concat());
        let body = wrapped(0x30, &[0; 700]);
        wrapped(0x30, &[body, algorithm, vec![0x03, 0x01, 0x00]].concat())
    }

    #[test]
    fn the_hash_is_that_of_the_signature_and_never_a_weak_one() {
        for (id, hash) in [
            (&b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05"[..], &SHA256),
            (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b", &SHA256),
            (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d", &SHA512),
            (b"\x2a\x86\x48\xce\x3d\x04\x03\x03", &SHA384),
        ] {
            assert_eq!(binding_hash(&signed_with(id)), Some(hash));
        }
        // Ed25519, and RSA-PSS.
        assert_eq!(binding_hash(&signed_with(b"\x2b\x65\x70")), None);
        assert_eq!(
            binding_hash(&signed_with(b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a")),
            None
        );
    }

    #[test]
    fn what_is_cut_or_lies_about_its_length_has_no_hash() {
        let whole = signed_with(b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b");
        for cut in 0..whole.len() - 5 {
            assert_eq!(binding_hash(&whole[..cut]), None, "{cut}");
        }
        for lie in [
            b"\x30\x84\xff\xff\xff\xff",
            b"\x30\x83\xff\xff\xff\x30",
            b"\x30\x80\x30\x80\0\0",
        ] {
            assert_eq!(binding_hash(lie), None);
        }
    }
}
