//! Slips: short-lived text that this deployment signed, so that nothing has to be kept for it.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use model::time::Timestamp;
use subtle::ConstantTimeEq;

use crate::Accounts;

const RANDOM_BYTES: usize = 16;
const EXPIRY_BYTES: usize = 8;
const MAC_BYTES: usize = 16;
const SIGNED_BYTES: usize = RANDOM_BYTES + EXPIRY_BYTES;

impl Accounts {
    /// Makes a slip that is good for one purpose and what it is bound to.
    pub(crate) fn issue_slip(
        &self,
        purpose: &'static str,
        binding: &str,
        lifetime: Duration,
    ) -> String {
        let mut bytes = [0u8; SIGNED_BYTES + MAC_BYTES];
        self.inner.entropy.fill(&mut bytes[..RANDOM_BYTES]);
        let expires_at = self.now().plus(lifetime).as_millis();
        bytes[RANDOM_BYTES..SIGNED_BYTES].copy_from_slice(&expires_at.to_be_bytes());
        let mac = self.mac(purpose, binding, &bytes[..SIGNED_BYTES]);
        bytes[SIGNED_BYTES..].copy_from_slice(&mac);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Until when a slip is good; `None` when it is not good now.
    pub(crate) fn check_slip(
        &self,
        purpose: &'static str,
        binding: &str,
        slip: &str,
    ) -> Option<Timestamp> {
        let mut bytes = [0u8; SIGNED_BYTES + MAC_BYTES];
        let length = URL_SAFE_NO_PAD.decode_slice(slip, &mut bytes).ok()?;
        let (signed, mac) = bytes.split_at(SIGNED_BYTES);
        let expected = self.mac(purpose, binding, signed);
        if length != bytes.len() || !bool::from(expected.as_slice().ct_eq(mac)) {
            return None;
        }
        let expires_at = <[u8; EXPIRY_BYTES]>::try_from(&signed[RANDOM_BYTES..]).ok()?;
        let expires_at = Timestamp::from_millis(i64::from_be_bytes(expires_at));
        (self.now() < expires_at).then_some(expires_at)
    }

    fn mac(&self, purpose: &'static str, binding: &str, signed: &[u8]) -> [u8; MAC_BYTES] {
        let mut data = signed.to_vec();
        data.extend_from_slice(binding.as_bytes());
        let mac = self.inner.keyring.blind(purpose, &data);
        let mut cut = [0; MAC_BYTES];
        cut.copy_from_slice(&mac[..MAC_BYTES]);
        cut
    }
}
