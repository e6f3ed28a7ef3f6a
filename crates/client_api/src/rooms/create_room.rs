//! `POST /_matrix/client/v3/createRoom` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3createroom

use std::collections::BTreeSet;

use accounts::{
    Accounts,
    emails::{InviteWords, MOST_EMAIL_INVITES},
};
use axum::extract::State;
use bridging::Bridging;
use lifecycle::{InviteEmailError, invitation};
use model::{ids::new_room_alias, json::complaint, mail_address::MailAddress};
use rooms::{
    CreateRoom, InitialState, MemberProfile, Preset, Rooms, RoomsError, RoomsRefusal,
    ThirdPartyInvite,
};
use ruma::{
    OwnedRoomId, OwnedUserId,
    api::client::{
        membership::Invite3pid,
        room::{
            Visibility,
            create_room::v3::{Request, Response, RoomPreset},
        },
    },
    events::AnyInitialStateEvent,
    serde::Raw,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use store::{Intent, Log};
use tracing::instrument;

use crate::{
    aliases::check_claims,
    caller::Caller,
    email_invites::EmailInvites,
    error::ApiError,
    matrix::Matrix,
    people,
    refusals::{content_in, content_of},
};

/// Makes a room: its state, its alias and the invitations to it stand together, or not at all.
#[instrument(name = "client.create_room", skip_all, fields(user.id = %caller.user_id))]
pub(crate) async fn create_room(
    State(rooms): State<Rooms>,
    State(accounts): State<Accounts>,
    State(log): State<Log>,
    State(bridging): State<Bridging>,
    State(by_email): State<EmailInvites>,
    caller: Caller,
    Matrix(mut req): Matrix<Request>,
) -> Result<Matrix<Response>, ApiError> {
    let invites = std::mem::take(&mut req.invite_3pid);
    let invites = addressed(&by_email, &invites).await?;
    req.invite.extend(invites.users);
    let mut room = wanted(&rooms, (&accounts, &bridging), &caller, req).await?;
    let words = InviteWords {
        inviter: room.profile.displayname.clone(),
        room: room.name.clone(),
    };
    let invites = invites.readers.iter().map(|address| {
        let words = words.clone();
        accounts.new_email_invite(caller.user, address, words)
    });
    let invites: Vec<_> = invites.collect();
    let url = by_email.key_validity_url();
    let unknown = invites.iter().map(|invite| invitation(invite, &url));
    let unknown = unknown.map(ThirdPartyInvite::into_initial_state);
    room.initial_state.extend(unknown);
    let with_mails = |room_id: &OwnedRoomId| {
        let mut intent = Intent::new();
        for invite in &invites {
            invite.add_to(&mut intent, room_id, None);
        }
        intent
    };
    let made = rooms.create(&log, &room, with_mails).await;
    Ok(Matrix(Response::new(made.map_err(refusal)?)))
}

fn refusal(error: RoomsError) -> ApiError {
    match error {
        // The rules of rooms refuse the maker's own state: it is no valid room.
        RoomsError::Refused(RoomsRefusal::Forbidden(sentence)) => {
            ApiError::invalid_room_state(sentence)
        }
        other => InviteEmailError::from(other).into(),
    }
}

/// Whom addresses of mail invite.
#[derive(Default)]
struct Addressed {
    /// Those whose addresses they are.
    users: Vec<OwnedUserId>,
    /// Those who are known by an address alone.
    readers: BTreeSet<MailAddress>,
}

async fn addressed(by_email: &EmailInvites, invites: &[Invite3pid]) -> Result<Addressed, ApiError> {
    if invites.len() > MOST_EMAIL_INVITES {
        return Err(ApiError::invalid_param(format_args!(
            "invite_3pid: at most {MOST_EMAIL_INVITES} people are invited by email"
        )));
    }
    let mut addressed = Addressed::default();
    for invite in invites {
        let address = by_email.address_of(invite)?;
        let owner = by_email.accounts.email_owner(&address).await;
        match owner.map_err(ApiError::internal)? {
            Some(user_id) => addressed.users.push(user_id),
            None => drop(addressed.readers.insert(address)),
        }
    }
    Ok(addressed)
}

async fn wanted(
    rooms: &Rooms,
    (accounts, bridging): (&Accounts, &Bridging),
    caller: &Caller,
    req: Request,
) -> Result<CreateRoom, ApiError> {
    let published = match req.visibility {
        Visibility::Public => true,
        Visibility::Private => false,
        other => {
            return Err(ApiError::bad_json(format_args!(
                "visibility: {other} is unknown"
            )));
        }
    };
    let alias = req
        .room_alias_name
        .map(|name| new_room_alias(&name, rooms.server_name()))
        .transpose()?;
    if let Some(alias) = &alias {
        check_claims(accounts.appservices(), caller, alias)?;
    }
    let creation_content = req.creation_content.as_ref();
    let power_levels = req.power_level_content_override.as_ref();
    Ok(CreateRoom {
        creator: caller.user_id.clone(),
        profile: people::own(accounts, &caller.user_id).await?,
        version: req.room_version,
        preset: preset(req.preset, published)?,
        published,
        name: req.name.filter(|name| !name.is_empty()),
        topic: req.topic.filter(|topic| !topic.is_empty()),
        alias,
        invite: invited((accounts, bridging), caller, req.invite).await?,
        initial_state: initial_state(&req.initial_state)?,
        creation_content: creation_content
            .map(|content| content_of("creation_content", content))
            .transpose()?
            .unwrap_or_default(),
        power_levels: power_levels
            .map(|content| content_of("power_level_content_override", content))
            .transpose()?,
        is_direct: req.is_direct,
        notices_for: None,
        by_appservice: caller.appservice.is_some(),
    })
}

fn preset(preset: Option<RoomPreset>, published: bool) -> Result<Preset, ApiError> {
    match preset {
        Some(RoomPreset::PrivateChat) => Ok(Preset::PrivateChat),
        Some(RoomPreset::TrustedPrivateChat) => Ok(Preset::TrustedPrivateChat),
        Some(RoomPreset::PublicChat) => Ok(Preset::PublicChat),
        None if published => Ok(Preset::PublicChat),
        None => Ok(Preset::PrivateChat),
        Some(other) => Err(ApiError::bad_json(format_args!(
            "preset: {other} is unknown"
        ))),
    }
}

async fn invited(
    asked: (&Accounts, &Bridging),
    caller: &Caller,
    invite: Vec<OwnedUserId>,
) -> Result<Vec<(OwnedUserId, MemberProfile)>, ApiError> {
    let mut invited: Vec<(OwnedUserId, MemberProfile)> = Vec::new();
    for user_id in invite {
        if invited.iter().all(|(known, _)| *known != user_id) {
            let profile = people::invitable(asked, caller, &user_id).await?;
            invited.push((user_id, profile));
        }
    }
    Ok(invited)
}

fn initial_state(events: &[Raw<AnyInitialStateEvent>]) -> Result<Vec<InitialState>, ApiError> {
    #[derive(Deserialize)]
    struct Event<'a> {
        #[serde(rename = "type")]
        kind: String,
        #[serde(default)]
        state_key: String,
        #[serde(borrow)]
        content: &'a RawValue,
    }
    let read = |(index, event): (usize, &Raw<AnyInitialStateEvent>)| {
        let event: Event<'_> = serde_json::from_str(event.json().get()).map_err(|error| {
            let told = complaint(&error);
            ApiError::bad_json(format_args!("initial_state[{index}]: {told}"))
        })?;
        let name = format_args!("initial_state[{index}].content").to_string();
        Ok(InitialState {
            kind: event.kind.into(),
            state_key: event.state_key,
            content: content_in(name, event.content.get())?,
        })
    };
    events.iter().enumerate().map(read).collect()
}
