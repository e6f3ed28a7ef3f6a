//! The rows of the identity tables, and the statements that read and write them.

use store::{ColumnType, Insert, Reader, StoreError, Value};

/// What a cross-signing key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Usage {
    Master,
    SelfSigning,
    UserSigning,
}

impl Usage {
    pub(crate) const ALL: [Self; 3] = [Self::Master, Self::SelfSigning, Self::UserSigning];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::SelfSigning => "self_signing",
            Self::UserSigning => "user_signing",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|usage| usage.as_str() == text)
    }
}

/// A device's keys as checks see them.
pub(crate) struct DeviceRow {
    pub(crate) digest: Vec<u8>,
    pub(crate) pos: i64,
    /// What is to be written; empty when the row was only read.
    pub(crate) json: String,
}

/// A cross-signing key as checks see it.
pub(crate) struct CrossRow {
    pub(crate) public_key: String,
    pub(crate) pos: i64,
    /// What is to be written; empty when the row was only read.
    pub(crate) json: String,
}

/// A user's keys as checks see them.
pub(crate) struct UserRows {
    pub(crate) devices: Vec<(String, DeviceRow)>,
    pub(crate) cross_signing: Vec<(Usage, CrossRow)>,
}

/// Reads what checks of a user's changes depend on.
pub(crate) async fn load_user(reader: &Reader, user: i64) -> Result<UserRows, StoreError> {
    const DEVICES: &str = "SELECT device_id, digest, pos FROM device_keys WHERE user_id = $1";
    const CROSS_SIGNING: &str =
        "SELECT usage, public_key, pos FROM cross_signing_keys WHERE user_id = $1";
    let params = [user.into()];
    let (devices, cross_signing) = futures_util::try_join!(
        reader.query(DEVICES, &params),
        reader.query(CROSS_SIGNING, &params)
    )?;
    let devices = devices.iter().map(|row| {
        let device = DeviceRow {
            digest: row.bytes(1)?.to_vec(),
            pos: row.int(2)?,
            json: String::new(),
        };
        Ok((row.text(0)?.to_owned(), device))
    });
    let cross_signing = cross_signing.iter().map(|row| {
        let key = CrossRow {
            public_key: row.text(1)?.to_owned(),
            pos: row.int(2)?,
            json: String::new(),
        };
        Ok((usage_of(row.text(0)?)?, key))
    });
    Ok(UserRows {
        devices: devices.collect::<Result<_, StoreError>>()?,
        cross_signing: cross_signing.collect::<Result<_, StoreError>>()?,
    })
}

pub(crate) fn usage_of(text: &str) -> Result<Usage, StoreError> {
    Usage::parse(text)
        .ok_or_else(|| StoreError::Damaged(format!("cross_signing_keys.usage is {text}")))
}

pub(crate) static PUT_DEVICES: Insert = Insert {
    table: "device_keys",
    columns: &[
        ("user_id", ColumnType::Int),
        ("device_id", ColumnType::Text),
        ("digest", ColumnType::Bytes),
        ("sealed", ColumnType::Bytes),
        ("pos", ColumnType::Int),
    ],
    on_conflict: "ON CONFLICT (user_id, device_id) DO UPDATE SET \
        digest = excluded.digest, sealed = excluded.sealed, pos = excluded.pos",
};

pub(crate) static PUT_CROSS_SIGNING: Insert = Insert {
    table: "cross_signing_keys",
    columns: &[
        ("user_id", ColumnType::Int),
        ("usage", ColumnType::Text),
        ("public_key", ColumnType::Text),
        ("sealed", ColumnType::Bytes),
        ("pos", ColumnType::Int),
    ],
    on_conflict: "ON CONFLICT (user_id, usage) DO UPDATE SET \
        public_key = excluded.public_key, sealed = excluded.sealed, pos = excluded.pos",
};

pub(crate) static PUT_SIGNATURES: Insert = Insert {
    table: "key_signatures",
    columns: &[
        ("target_user", ColumnType::Int),
        ("signer", ColumnType::Int),
        ("target_key", ColumnType::Text),
        ("signer_key", ColumnType::Text),
        ("sealed", ColumnType::Bytes),
        ("pos", ColumnType::Int),
    ],
    on_conflict: "ON CONFLICT (target_user, signer, target_key, signer_key) DO UPDATE SET \
        sealed = excluded.sealed, pos = excluded.pos",
};

pub(crate) static PUT_LIST_CHANGES: Insert = Insert {
    table: "device_list_changes",
    columns: &[
        ("pos", ColumnType::Int),
        ("user_id", ColumnType::Int),
        ("seen_by", ColumnType::Int),
    ],
    on_conflict: "",
};

pub(crate) const DROP_DEVICE: &str =
    "DELETE FROM device_keys WHERE user_id = $1 AND device_id = $2";
pub(crate) const DROP_CROSS_SIGNING: &str =
    "DELETE FROM cross_signing_keys WHERE user_id = $1 AND usage = $2";

/// Signatures that no longer mean anything.
pub(crate) enum DropSignatures {
    /// On a device, or on a master key.
    On { user: i64, key: String },
    /// Made with a key.
    With { user: i64, key: String },
    /// On and by a user.
    Of { user: i64 },
}

impl DropSignatures {
    /// Whether this drops a signature.
    pub(crate) fn covers(&self, (target_user, signer, target_key, key_id): &SignatureKey) -> bool {
        match self {
            Self::On { user, key } => target_user == user && target_key == key,
            Self::With { user, key } => signer == user && key_id == key,
            Self::Of { user } => target_user == user || signer == user,
        }
    }

    pub(crate) fn statement(&self) -> (&'static str, Vec<Value>) {
        match self {
            Self::On { user, key } => (
                "DELETE FROM key_signatures WHERE target_user = $1 AND target_key = $2",
                vec![(*user).into(), key.as_str().into()],
            ),
            Self::With { user, key } => (
                "DELETE FROM key_signatures WHERE signer = $1 AND signer_key = $2",
                vec![(*user).into(), key.as_str().into()],
            ),
            Self::Of { user } => (
                "DELETE FROM key_signatures WHERE target_user = $1 OR signer = $1",
                vec![(*user).into()],
            ),
        }
    }
}

/// A signature's place: target user, signer, target key, signing key.
pub(crate) type SignatureKey = (i64, i64, String, String);

/// Where a device's keys are sealed.
pub(crate) fn device_place(user: i64, device: &str) -> String {
    format!("{user}/{device}")
}

/// Where a cross-signing key is sealed.
pub(crate) fn cross_signing_place(user: i64, usage: Usage) -> String {
    format!("{user}/{}", usage.as_str())
}

/// Where a signature is sealed.
pub(crate) fn signature_place((target_user, signer, target_key, key_id): &SignatureKey) -> String {
    format!("{target_user}/{signer}/{target_key}/{key_id}")
}
