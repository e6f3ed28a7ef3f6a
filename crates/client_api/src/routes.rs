//! The list of endpoints, in the specification's order.

use axum::{Router, middleware};

use crate::{
    ClientApi,
    account::{
        change_password::change_password,
        check_registration_token_validity::check_registration_token_validity,
        deactivate::deactivate, get_username_availability::get_username_availability,
        register::register, whoami::whoami,
    },
    account_data::{
        get_global_account_data::get_global_account_data,
        get_room_account_data::get_room_account_data,
        set_global_account_data::set_global_account_data,
        set_room_account_data::set_room_account_data,
    },
    administration::{
        get_user_info::get_user_info,
        lock_user::{is_user_locked, lock_user},
        suspend_user::{is_user_suspended, suspend_user},
    },
    aliases::{
        delete_alias::delete_alias, get_alias::get_alias, room_aliases::room_aliases,
        set_alias::set_alias,
    },
    appservice::{request_ping::request_ping, set_network_visibility::set_network_visibility},
    backup::{
        create_version::create_version, delete_keys::delete_keys,
        delete_room_keys::delete_room_keys, delete_session_key::delete_session_key,
        delete_version::delete_version, get_current_version::get_current_version,
        get_keys::get_keys, get_room_keys::get_room_keys, get_session_key::get_session_key,
        get_version::get_version, put_keys::put_keys, put_room_keys::put_room_keys,
        put_session_key::put_session_key, update_version::update_version,
    },
    caller::Standing::{Good, Locked, Suspended},
    calls::{get_rtc_transports::get_rtc_transports, get_turn_server::get_turn_server},
    dehydrated_device::{
        delete_dehydrated_device::delete_dehydrated_device,
        get_dehydrated_device::get_dehydrated_device,
        get_events::get_events as get_dehydrated_events,
        put_dehydrated_device::put_dehydrated_device,
    },
    delayed_events::{
        get_delayed_event::get_delayed_event,
        get_delayed_events::get_delayed_events,
        send_delayed_event::send_delayed_event,
        update_delayed_event::{update_delayed_event, update_delayed_event_by_body},
    },
    device::{
        delete_device::delete_device, delete_devices::delete_devices, get_device::get_device,
        get_devices::get_devices, update_device::update_device,
    },
    directory::{
        get_public_rooms::get_public_rooms, get_public_rooms_filtered::get_public_rooms_filtered,
        get_visibility::get_visibility, set_visibility::set_visibility,
    },
    discovery::{
        capabilities::capabilities, policy_server::policy_server, support::support,
        versions::versions, well_known::well_known,
    },
    endpoint::{Endpoint, Route, by_anyone, by_caller, by_caller_if_any},
    error::ApiError,
    filter::{create_filter::create_filter, get_filter::get_filter},
    identity::get_key_validity::get_key_validity,
    keys::{
        claim_keys::claim_keys, get_key_changes::get_key_changes, query_keys::query_keys,
        upload_keys::upload_keys, upload_signatures::upload_signatures,
        upload_signing_keys::upload_signing_keys,
    },
    limits::Class,
    media::{
        create_address::create_address,
        download_file::{download_file, download_file_as},
        download_file_openly::{download_file_openly, download_file_openly_as},
        get_media_config::{get_media_config, get_media_config_v3},
        get_media_preview::{get_media_preview, get_media_preview_v3},
        get_thumbnail::{get_thumbnail, get_thumbnail_openly},
        upload_file::{upload_file, upload_file_to},
    },
    membership::{
        ban_user::ban_user,
        forget_room::forget_room,
        get_members::get_members,
        get_mutual_rooms::{get_mutual_rooms, get_mutual_rooms_unstable},
        invite_user::invite_user,
        join_room::{join_room, join_room_by_id},
        joined_members::joined_members,
        kick_user::kick_user,
        knock_room::knock_room,
        leave_room::leave_room,
        unban_user::unban_user,
    },
    messages::{
        get_context::get_context, get_event::get_event,
        get_event_by_timestamp::get_event_by_timestamp, get_messages::get_messages,
        redact_event::redact_event, send_event::send_event,
    },
    notifications::get_notifications,
    openid::{get_userinfo::get_userinfo, request_token::request_token},
    peeking::{
        get_events::get_events, get_initial_state::get_initial_state, get_one_event::get_one_event,
        get_room_now::get_room_now,
    },
    presence::{get_presence::get_presence, set_presence::set_presence},
    profile::{
        delete_profile_field::delete_profile_field, get_profile::get_profile,
        get_profile_field::get_profile_field, set_profile_field::set_profile_field,
    },
    push_rule::{
        delete_pushrule::delete_pushrule, get_pushrule::get_pushrule,
        get_pushrule_actions::get_pushrule_actions, get_pushrule_enabled::get_pushrule_enabled,
        get_pushrules_all::get_pushrules_all,
        get_pushrules_global_scope::get_pushrules_global_scope, set_pushrule::set_pushrule,
        set_pushrule_actions::set_pushrule_actions, set_pushrule_enabled::set_pushrule_enabled,
    },
    pusher::{get_pushers::get_pushers, set_pusher::set_pusher},
    receipts::{send_receipt::send_receipt, set_read_markers::set_read_markers},
    relations::{
        get_relating_events::get_relating_events,
        get_relating_events_with_rel_type::get_relating_events_with_rel_type,
        get_relating_events_with_rel_type_and_event_type::get_relating_events_with_rel_type_and_event_type,
        get_threads::get_threads,
    },
    reporting::{report_event::report_event, report_room::report_room, report_user::report_user},
    request::observe,
    room_state::{get_state::get_state, get_state_event::get_state_event, set_state::set_state},
    rooms::{
        create_room::create_room, get_hierarchy::get_hierarchy, get_summary::get_summary,
        joined_rooms::joined_rooms, upgrade_room::upgrade_room,
    },
    search::search_events::search_events,
    session::{
        get_login_token::get_login_token, get_login_types::get_login_types, login::login,
        logout::logout, logout_all::logout_all, refresh_token::refresh_token,
    },
    sliding_sync::sliding_sync,
    synapse_admin,
    sync::sync,
    tag::{create_tag::create_tag, delete_tag::delete_tag, get_tags::get_tags},
    third_party::{
        get_location_for_protocol::get_location_for_protocol,
        get_location_for_room_alias::get_location_for_room_alias, get_protocol::get_protocol,
        get_protocols::get_protocols, get_user_for_protocol::get_user_for_protocol,
        get_user_for_user_id::get_user_for_user_id,
    },
    third_party_id::{
        add_3pid::add_3pid,
        add_3pid_by_credentials::add_3pid_by_credentials,
        bind_3pid::bind_3pid,
        delete_3pid::delete_3pid,
        get_3pids::get_3pids,
        request_email_token::{
            request_email_token, request_email_token_for_password,
            request_email_token_for_registration,
        },
        request_phone_token::{
            request_phone_token, request_phone_token_for_password,
            request_phone_token_for_registration,
        },
        unbind_3pid::unbind_3pid,
    },
    threads::{
        get_thread_subscription::get_thread_subscription,
        get_thread_subscriptions_changes::get_thread_subscriptions_changes,
        subscribe_thread::subscribe_thread, unsubscribe_thread::unsubscribe_thread,
    },
    to_device::send_to_device::send_to_device,
    typing::set_typing,
    user_directory::search_users::search_users,
};

/// The largest send to devices: a room key for each of hundreds of devices.
const TO_DEVICE_BODY_LIMIT: usize = 4 * 1024 * 1024;

/// The largest upload of room keys: clients put thousands of them at once.
const BACKUP_BODY_LIMIT: usize = 16 * 1024 * 1024;

/// Behind each handler that needs a caller stands the last standing for which it answers.
fn endpoints() -> Vec<Endpoint> {
    vec![
        // Server discovery
        by_anyone(well_known),
        by_anyone(support),
        by_anyone(policy_server),
        by_anyone(versions),
        // Client authentication: legacy API
        by_anyone(get_login_types).class(Class::Login),
        by_anyone(login).class(Class::Login),
        by_caller(get_login_token, Suspended).class(Class::Login),
        by_anyone(refresh_token),
        by_caller(logout, Locked),
        by_caller(logout_all, Locked),
        // Account registration and management
        by_anyone(register).class(Class::Register),
        by_anyone(get_username_availability).class(Class::Register),
        by_anyone(check_registration_token_validity).class(Class::Register),
        by_caller_if_any(change_password, Suspended).class(Class::Login),
        by_caller(deactivate, Suspended).class(Class::Login),
        by_anyone(request_email_token_for_registration).class(Class::Register),
        by_anyone(request_email_token_for_password).class(Class::Login),
        by_caller(whoami, Suspended).open_to_guests(),
        by_anyone(request_phone_token_for_registration).class(Class::Register),
        by_anyone(request_phone_token_for_password).class(Class::Login),
        // Third-party identifiers
        by_caller(get_3pids, Suspended),
        by_caller(add_3pid_by_credentials, Good).class(Class::Login),
        by_caller(add_3pid, Good).class(Class::Login),
        by_caller(bind_3pid, Suspended),
        by_caller(delete_3pid, Suspended),
        by_caller(unbind_3pid, Suspended),
        by_anyone(request_email_token).class(Class::Login),
        by_anyone(request_phone_token).class(Class::Login),
        // Capabilities negotiation
        by_caller(capabilities, Suspended),
        // Syncing
        by_caller(sync, Suspended).open_to_guests(),
        by_caller(sliding_sync, Suspended),
        // Syncing as it was before
        by_caller(get_events, Suspended).open_to_guests(),
        by_caller(get_initial_state, Suspended),
        by_caller(get_one_event, Suspended),
        // Content repository
        by_caller(get_media_config, Suspended),
        by_caller(download_file, Suspended).open_to_guests(),
        by_caller(download_file_as, Suspended).open_to_guests(),
        // It makes the server act on others, at an address that the caller chooses.
        by_caller(get_media_preview, Good).class(Class::Preview),
        by_caller(get_thumbnail, Suspended).open_to_guests(),
        by_caller(create_address, Good).class(Class::Upload),
        by_caller(get_media_config_v3, Suspended),
        by_anyone(download_file_openly),
        by_anyone(download_file_openly_as),
        by_caller(get_media_preview_v3, Good).class(Class::Preview),
        by_anyone(get_thumbnail_openly),
        by_caller(upload_file, Good).class(Class::Upload),
        by_caller(upload_file_to, Good).class(Class::Upload),
        // Getting events for a room
        by_caller(get_event, Suspended).open_to_guests(),
        by_caller(joined_members, Suspended),
        by_caller(get_members, Suspended).open_to_guests(),
        by_caller(get_state, Suspended).open_to_guests(),
        with_empty_state_key(by_caller(get_state_event, Suspended)).open_to_guests(),
        by_caller(get_messages, Suspended).open_to_guests(),
        by_caller(get_event_by_timestamp, Suspended),
        by_caller(get_room_now, Suspended).open_to_guests(),
        // Sending events to a room
        with_empty_state_key(by_caller(set_state, Good))
            .class(Class::Send)
            .open_to_guests(),
        by_caller(send_event, Good)
            .class(Class::Send)
            .open_to_guests(),
        // Sending events later (MSC4140)
        by_caller(send_delayed_event, Good).class(Class::Send),
        by_caller(get_delayed_events, Suspended),
        by_caller(get_delayed_event, Suspended),
        // Of an address, behind which may be many calls; how much can be sent is bounded by what
        // may wait.
        by_anyone(update_delayed_event),
        by_caller(update_delayed_event_by_body, Suspended).class(Class::Send),
        // Redactions
        by_caller(redact_event, Suspended).class(Class::Send),
        // Relationships API
        by_caller(get_relating_events, Suspended),
        by_caller(get_relating_events_with_rel_type, Suspended),
        by_caller(get_relating_events_with_rel_type_and_event_type, Suspended),
        // Creation
        by_caller(create_room, Good).class(Class::Invite),
        // Room aliases
        by_anyone(get_alias),
        by_caller(set_alias, Good),
        by_caller(delete_alias, Good),
        by_caller(room_aliases, Suspended),
        // Room membership
        by_caller(joined_rooms, Suspended),
        by_caller(invite_user, Good).class(Class::Invite),
        by_caller(join_room, Good),
        by_caller(join_room_by_id, Good).open_to_guests(),
        by_caller(knock_room, Good),
        by_caller(forget_room, Suspended),
        by_caller(leave_room, Suspended).open_to_guests(),
        by_caller(kick_user, Good),
        by_caller(ban_user, Good),
        by_caller(unban_user, Good),
        // Listing rooms
        by_anyone(get_visibility),
        by_caller(set_visibility, Good),
        by_anyone(get_public_rooms),
        by_caller(get_public_rooms_filtered, Suspended),
        by_caller_if_any(get_summary, Suspended)
            .with_unstable_paths()
            .also_at("/_matrix/client/unstable/im.nheko.summary/summary/{room_id_or_alias}"),
        by_caller(get_mutual_rooms, Suspended),
        by_caller(get_mutual_rooms_unstable, Suspended),
        // User directory
        by_caller(search_users, Suspended),
        // Identity service API: keys of invitations by address
        by_anyone(get_key_validity),
        // Typing notifications
        by_caller(set_typing, Good),
        // Receipts
        by_caller(send_receipt, Suspended),
        by_caller(set_read_markers, Suspended),
        // Presence
        by_caller(get_presence, Suspended),
        by_caller(set_presence, Good),
        // Event context
        by_caller(get_context, Suspended).open_to_guests(),
        // Threading
        by_caller(get_threads, Suspended),
        by_caller(get_thread_subscription, Suspended),
        by_caller(subscribe_thread, Suspended),
        by_caller(unsubscribe_thread, Suspended),
        by_caller(get_thread_subscriptions_changes, Suspended),
        // Send-to-device messaging
        by_caller(send_to_device, Suspended)
            .body_limit(TO_DEVICE_BODY_LIMIT)
            .open_to_guests(),
        // End-to-end encryption: key backups
        by_caller(get_keys, Suspended),
        by_caller(put_keys, Suspended).body_limit(BACKUP_BODY_LIMIT),
        by_caller(delete_keys, Suspended),
        by_caller(get_room_keys, Suspended),
        by_caller(put_room_keys, Suspended).body_limit(BACKUP_BODY_LIMIT),
        by_caller(delete_room_keys, Suspended),
        by_caller(get_session_key, Suspended),
        by_caller(put_session_key, Suspended),
        by_caller(delete_session_key, Suspended),
        by_caller(get_current_version, Suspended),
        by_caller(create_version, Suspended),
        by_caller(get_version, Suspended),
        by_caller(update_version, Suspended),
        by_caller(delete_version, Suspended),
        // End-to-end encryption: keys
        by_caller(get_key_changes, Suspended),
        by_caller(claim_keys, Suspended)
            .class(Class::KeyClaim)
            .open_to_guests(),
        by_caller(upload_signing_keys, Suspended),
        by_caller(query_keys, Suspended).open_to_guests(),
        by_caller(upload_signatures, Suspended),
        by_caller(upload_keys, Suspended).open_to_guests(),
        // End-to-end encryption: dehydrated devices (MSC3814)
        by_caller(put_dehydrated_device, Suspended),
        by_caller(get_dehydrated_device, Suspended),
        by_caller(delete_dehydrated_device, Suspended),
        by_caller(get_dehydrated_events, Suspended),
        // Filtering
        by_caller(create_filter, Suspended),
        by_caller(get_filter, Suspended),
        // Profiles
        by_anyone(get_profile),
        by_anyone(get_profile_field),
        // Their name, and no other field.
        by_caller(set_profile_field, Good).open_to_guests(),
        by_caller(delete_profile_field, Good),
        // Device management
        by_caller(get_devices, Suspended).open_to_guests(),
        by_caller(get_device, Suspended).open_to_guests(),
        by_caller(update_device, Suspended).open_to_guests(),
        by_caller(delete_device, Suspended).class(Class::Login),
        by_caller(delete_devices, Suspended).class(Class::Login),
        // Push notifications
        by_caller(get_pushers, Suspended),
        by_caller(set_pusher, Suspended),
        by_caller(get_notifications, Suspended),
        // Push notifications: push rules
        by_caller(get_pushrules_all, Suspended),
        by_caller(get_pushrules_global_scope, Suspended),
        by_caller(get_pushrule, Suspended),
        by_caller(set_pushrule, Suspended),
        by_caller(delete_pushrule, Suspended),
        by_caller(get_pushrule_enabled, Suspended),
        by_caller(set_pushrule_enabled, Suspended),
        by_caller(get_pushrule_actions, Suspended),
        by_caller(set_pushrule_actions, Suspended),
        // Server side search
        by_caller(search_events, Suspended).class(Class::Search),
        // Room upgrades
        by_caller(upgrade_room, Good).class(Class::Invite),
        // Spaces
        by_caller(get_hierarchy, Suspended),
        // Client config
        by_caller(get_global_account_data, Suspended),
        by_caller(set_global_account_data, Suspended),
        by_caller(get_room_account_data, Suspended),
        by_caller(set_room_account_data, Suspended),
        // Room tagging
        by_caller(get_tags, Suspended),
        by_caller(create_tag, Suspended),
        by_caller(delete_tag, Suspended),
        // Voice over IP
        by_caller(get_turn_server, Good),
        // Where calls are carried (MSC4143)
        by_caller(get_rtc_transports, Good),
        // Reporting content
        by_caller(report_room, Suspended)
            .class(Class::Report)
            .with_unstable_paths(),
        by_caller(report_event, Suspended).class(Class::Report),
        by_caller(report_user, Suspended)
            .class(Class::Report)
            .with_unstable_paths(),
        // Third-party networks: they make the server ask others.
        by_caller(get_protocols, Good),
        by_caller(get_protocol, Good),
        by_caller(get_location_for_protocol, Good),
        by_caller(get_user_for_protocol, Good),
        by_caller(get_location_for_room_alias, Good),
        by_caller(get_user_for_user_id, Good),
        // OpenID
        by_caller(request_token, Good),
        by_anyone(get_userinfo),
        // Application services
        by_caller(request_ping, Suspended),
        by_caller(set_network_visibility, Good),
        // Server administration
        by_caller(get_user_info, Suspended),
        by_caller(is_user_suspended, Good).with_unstable_paths(),
        by_caller(suspend_user, Good).with_unstable_paths(),
        by_caller(is_user_locked, Good).with_unstable_paths(),
        by_caller(lock_user, Good).with_unstable_paths(),
        // Synapse's admin API
        by_anyone(synapse_admin::register_nonce::register_nonce).class(Class::Register),
        by_anyone(synapse_admin::register::register).class(Class::Register),
    ]
}

/// An empty state key may be left out, with or without the slash before it.
fn with_empty_state_key(endpoint: Endpoint) -> Endpoint {
    endpoint
        .also_at("/_matrix/client/r0/rooms/{room_id}/state/{event_type}")
        .also_at("/_matrix/client/r0/rooms/{room_id}/state/{event_type}/")
        .also_at("/_matrix/client/v3/rooms/{room_id}/state/{event_type}")
        .also_at("/_matrix/client/v3/rooms/{room_id}/state/{event_type}/")
}

/// Every path that this face answers, sorted.
pub fn inventory() -> Vec<Route> {
    let mut routes: Vec<Route> = endpoints().iter().flat_map(Endpoint::inventory).collect();
    routes.sort();
    routes
}

/// The whole face as one router.
pub fn router(api: ClientApi) -> Router {
    assemble(endpoints(), api)
}

/// Puts endpoints behind the layer that every request passes.
pub(crate) fn assemble(endpoints: Vec<Endpoint>, api: ClientApi) -> Router {
    endpoints
        .into_iter()
        .fold(Router::new(), |router, endpoint| {
            endpoint.register(router, &api)
        })
        .fallback(async || ApiError::unrecognized_path())
        .method_not_allowed_fallback(async || ApiError::unrecognized_method())
        .layer(middleware::from_fn_with_state(api.clone(), observe))
        .with_state(api)
}
