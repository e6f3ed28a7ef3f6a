//! The one error of this face: what a client is told when a request is refused or fails.

use std::{error::Error, fmt::Display, time::Duration};

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header::RETRY_AFTER};
use ruma::{
    RoomVersionId,
    api::{
        client::uiaa::UiaaInfo,
        error::{
            BadStatusErrorData, ErrorKind, IncompatibleRoomVersionErrorData,
            LimitExceededErrorData, RetryAfter, StandardErrorBody, UnknownTokenErrorData,
            WrongRoomKeysVersionErrorData,
        },
    },
};
use serde_json::json;

use crate::request::Failure;

/// The longest sentence a client is sent; parsers quote their input, which can be a megabyte.
const MAX_SENTENCE_CHARS: usize = 400;

/// A refusal or a failure, answered with the specification's status and errcode.
///
/// An operation's own error becomes one by an exhaustive `match` in `From`.
#[derive(Debug)]
pub struct ApiError(Box<Answer>);

#[derive(Debug)]
enum Answer {
    Refusal {
        status: StatusCode,
        kind: ErrorKind,
        sentence: String,
    },
    Uiaa(UiaaInfo),
    Locked,
    DelayTooLong {
        most: Duration,
        sentence: String,
    },
    Internal(Box<dyn Error + Send + Sync>),
}

impl ApiError {
    /// Makes a refusal from an errcode that has no constructor here.
    pub fn new(status: StatusCode, kind: ErrorKind, sentence: impl Display) -> Self {
        Self(Box::new(Answer::Refusal {
            status,
            kind,
            sentence: shortened(sentence.to_string()),
        }))
    }

    fn bad_request(kind: ErrorKind, sentence: impl Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, kind, sentence)
    }

    /// 403 `M_FORBIDDEN`: the caller may not do this.
    pub fn forbidden(sentence: impl Display) -> Self {
        Self::new(StatusCode::FORBIDDEN, ErrorKind::Forbidden, sentence)
    }

    /// 404 `M_NOT_FOUND`: the thing named does not exist, or not for this caller.
    pub fn not_found(sentence: impl Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, ErrorKind::NotFound, sentence)
    }

    /// 401 `M_UNKNOWN_TOKEN` for a refresh token.
    pub fn unknown_refresh_token(sentence: impl Display) -> Self {
        let kind = ErrorKind::UnknownToken(UnknownTokenErrorData::new());
        Self::new(StatusCode::UNAUTHORIZED, kind, sentence)
    }

    /// 401 `M_UNKNOWN_TOKEN` with `soft_logout`: the session is gone through no act of anybody, so
    /// the client signs in again as the same device and keeps its keys.
    pub fn lost_session(sentence: impl Display) -> Self {
        let mut data = UnknownTokenErrorData::new();
        data.soft_logout = true;
        let kind = ErrorKind::UnknownToken(data);
        Self::new(StatusCode::UNAUTHORIZED, kind, sentence)
    }

    /// 401 `M_UNKNOWN_TOKEN`; with `soft_logout` the client may sign in again as the same device.
    pub fn unknown_token(soft_logout: bool) -> Self {
        let mut data = UnknownTokenErrorData::new();
        data.soft_logout = soft_logout;
        Self::new(
            StatusCode::UNAUTHORIZED,
            ErrorKind::UnknownToken(data),
            if soft_logout {
                "the access token has expired"
            } else {
                "the access token is not known"
            },
        )
    }

    /// 401 `M_MISSING_TOKEN`: the request carries no access token and needs one.
    pub fn missing_token() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            ErrorKind::MissingToken,
            "this request needs an access token in the Authorization header",
        )
    }

    /// 401 `M_MISSING_TOKEN`, where a token stands in the query and nowhere else.
    pub fn missing_query_token() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            ErrorKind::MissingToken,
            "query parameter `access_token` is missing",
        )
    }

    /// 400 `M_BAD_JSON`: valid JSON of the wrong shape.
    pub fn bad_json(sentence: impl Display) -> Self {
        Self::bad_request(ErrorKind::BadJson, sentence)
    }

    /// 400 `M_NOT_JSON`: the body is not JSON.
    pub fn not_json(sentence: impl Display) -> Self {
        Self::bad_request(ErrorKind::NotJson, sentence)
    }

    /// 400 `M_INVALID_PARAM`: a path, query or body parameter has a value that cannot be.
    pub fn invalid_param(sentence: impl Display) -> Self {
        Self::bad_request(ErrorKind::InvalidParam, sentence)
    }

    /// 400 `M_MISSING_PARAM`: a required query parameter or header is absent.
    pub fn missing_param(sentence: impl Display) -> Self {
        Self::bad_request(ErrorKind::MissingParam, sentence)
    }

    /// 504 `M_NOT_YET_UPLOADED`: the content of an address that was given out has not come.
    pub fn not_yet_uploaded(sentence: impl Display) -> Self {
        let status = StatusCode::GATEWAY_TIMEOUT;
        Self::new(status, ErrorKind::NotYetUploaded, sentence)
    }

    /// 400 `M_SERVER_NOT_TRUSTED`: another server is named that this one does not trust.
    pub fn server_not_trusted(sentence: impl Display) -> Self {
        Self::bad_request(ErrorKind::ServerNotTrusted, sentence)
    }

    /// 400 `M_THREEPID_MEDIUM_NOT_SUPPORTED`: no such identifier can stand for an account here.
    pub fn medium_not_supported(sentence: impl Display) -> Self {
        Self::bad_request(ErrorKind::ThreepidMediumNotSupported, sentence)
    }

    /// 403 `M_THREEPID_DENIED`: nobody is reached by such an identifier here.
    pub fn threepid_denied(sentence: impl Display) -> Self {
        Self::new(StatusCode::FORBIDDEN, ErrorKind::ThreepidDenied, sentence)
    }

    /// 400 `M_THREEPID_AUTH_FAILED`: nobody has proved that the identifier is theirs.
    pub fn threepid_auth_failed(sentence: impl Display) -> Self {
        Self::bad_request(ErrorKind::ThreepidAuthFailed, sentence)
    }

    /// 400 `M_THREEPID_IN_USE`: the identifier stands for another account.
    pub fn threepid_in_use(sentence: impl Display) -> Self {
        Self::bad_request(ErrorKind::ThreepidInUse, sentence)
    }

    /// 413 `M_TOO_LARGE`: the request or what it would make is too big.
    pub fn too_large(sentence: impl Display) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorKind::TooLarge, sentence)
    }

    /// 429 `M_LIMIT_EXCEEDED`: the client may try again after `retry_after`.
    ///
    /// The body says so in milliseconds, the `Retry-After` header in whole seconds, rounded up.
    pub fn limit_exceeded(retry_after: Duration) -> Self {
        let mut data = LimitExceededErrorData::new();
        data.retry_after = Some(RetryAfter::Delay(retry_after));
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            ErrorKind::LimitExceeded(data),
            "too many requests; try again later",
        )
    }

    /// 429 `M_LIMIT_EXCEEDED`: the caller keeps as many of something as one may, and one of them
    /// ends after `retry_after`.
    pub fn too_many(retry_after: Duration, sentence: impl Display) -> Self {
        let mut data = LimitExceededErrorData::new();
        data.retry_after = Some(RetryAfter::Delay(retry_after));
        let kind = ErrorKind::LimitExceeded(data);
        Self::new(StatusCode::TOO_MANY_REQUESTS, kind, sentence)
    }

    /// 400 `M_UNKNOWN` with `org.matrix.msc4140.errcode`: an event may not be delayed for so long.
    pub fn delay_too_long(most: Duration, sentence: impl Display) -> Self {
        Self(Box::new(Answer::DelayTooLong {
            most,
            sentence: sentence.to_string(),
        }))
    }

    /// 409 `M_UNKNOWN`: something else was done before.
    pub fn conflict(sentence: impl Display) -> Self {
        Self::new(StatusCode::CONFLICT, ErrorKind::Unknown, sentence)
    }

    /// 400 `M_USER_IN_USE`: the user id is taken.
    pub fn user_in_use(sentence: impl Display) -> Self {
        Self::bad_request(ErrorKind::UserInUse, sentence)
    }

    /// 400 `M_INVALID_USERNAME`: the wanted user name cannot be one.
    pub fn invalid_username(sentence: impl Display) -> Self {
        Self::bad_request(ErrorKind::InvalidUsername, sentence)
    }

    /// 400 `M_WEAK_PASSWORD`: the password is too easy to guess.
    pub fn weak_password(sentence: impl Display) -> Self {
        Self::bad_request(ErrorKind::WeakPassword, sentence)
    }

    /// 400 `M_EXCLUSIVE`: the name belongs to an application service.
    pub fn exclusive(sentence: impl Display) -> Self {
        Self::bad_request(ErrorKind::Exclusive, sentence)
    }

    /// 400 `M_UNKNOWN_DEVICE`: the user has no such device.
    pub fn unknown_device(sentence: impl Display) -> Self {
        Self::bad_request(ErrorKind::UnknownDevice, sentence)
    }

    /// 400 `M_URL_NOT_SET`: the application service has no address.
    pub fn url_not_set(sentence: impl Display) -> Self {
        Self::bad_request(ErrorKind::UrlNotSet, sentence)
    }

    /// 502 `M_BAD_STATUS`: the application service answered, but not as it should.
    pub fn bad_status(status: u16, body: String, sentence: impl Display) -> Self {
        let mut data = BadStatusErrorData::new();
        data.status = StatusCode::from_u16(status).ok();
        data.body = Some(body);
        Self::new(
            StatusCode::BAD_GATEWAY,
            ErrorKind::BadStatus(data),
            sentence,
        )
    }

    /// 502 `M_CONNECTION_FAILED`: the application service cannot be reached.
    pub fn connection_failed(sentence: impl Display) -> Self {
        let kind = ErrorKind::ConnectionFailed;
        Self::new(StatusCode::BAD_GATEWAY, kind, sentence)
    }

    /// 504 `M_CONNECTION_TIMEOUT`: the application service did not answer in time.
    pub fn connection_timeout(sentence: impl Display) -> Self {
        let kind = ErrorKind::ConnectionTimeout;
        Self::new(StatusCode::GATEWAY_TIMEOUT, kind, sentence)
    }

    /// 400 `M_ROOM_IN_USE`: the wanted room alias is taken.
    pub fn room_in_use(sentence: impl Display) -> Self {
        Self::bad_request(ErrorKind::RoomInUse, sentence)
    }

    /// 400 `M_BAD_ALIAS`: an alias does not point at the room that names it.
    pub fn bad_alias(sentence: impl Display) -> Self {
        Self::bad_request(ErrorKind::BadAlias, sentence)
    }

    /// 400 `M_DUPLICATE_ANNOTATION`: the caller has said the same of the same event.
    pub fn duplicate_annotation(sentence: impl Display) -> Self {
        Self::bad_request(ErrorKind::DuplicateAnnotation, sentence)
    }

    /// 400 `IO.ELEMENT.MSC4306.M_NOT_IN_THREAD`: what a client follows a thread for is not in it.
    pub fn not_in_thread(sentence: impl Display) -> Self {
        Self::bad_request(ErrorKind::NotInThread, sentence)
    }

    /// 409 `IO.ELEMENT.MSC4306.M_CONFLICTING_UNSUBSCRIPTION`: the user has left since what a client
    /// would follow by itself.
    pub fn conflicting_unsubscription(sentence: impl Display) -> Self {
        let kind = ErrorKind::ConflictingUnsubscription;
        Self::new(StatusCode::CONFLICT, kind, sentence)
    }

    /// 400 `M_UNKNOWN`: refused for a reason that has no errcode of its own.
    pub fn unknown(sentence: impl Display) -> Self {
        Self::bad_request(ErrorKind::Unknown, sentence)
    }

    /// 400 `M_BAD_STATE`: the change does not fit the state it would be applied to.
    pub fn bad_state(sentence: impl Display) -> Self {
        Self::bad_request(ErrorKind::BadState, sentence)
    }

    /// 400 `M_INVALID_ROOM_STATE`: the initial state asked for is not a valid room.
    pub fn invalid_room_state(sentence: impl Display) -> Self {
        Self::bad_request(ErrorKind::InvalidRoomState, sentence)
    }

    /// 400 `M_UNSUPPORTED_ROOM_VERSION`: this server cannot make rooms of the wanted version.
    pub fn unsupported_room_version(sentence: impl Display) -> Self {
        Self::bad_request(ErrorKind::UnsupportedRoomVersion, sentence)
    }

    /// 400 `M_INCOMPATIBLE_ROOM_VERSION`: the room has a version that this server does not support.
    pub fn incompatible_room_version(room_version: RoomVersionId) -> Self {
        let sentence = format!("room version {room_version} is not supported");
        Self::bad_request(
            ErrorKind::IncompatibleRoomVersion(IncompatibleRoomVersionErrorData::new(room_version)),
            sentence,
        )
    }

    /// 403 `M_WRONG_ROOM_KEYS_VERSION`: another key backup is the current one.
    pub fn wrong_room_keys_version(current_version: String) -> Self {
        let sentence = format!("the current key backup is version {current_version}");
        Self::new(
            StatusCode::FORBIDDEN,
            ErrorKind::WrongRoomKeysVersion(WrongRoomKeysVersionErrorData::new(current_version)),
            sentence,
        )
    }

    /// 400 `M_INVALID_SIGNATURE`: a key is not signed by whom it should be.
    pub fn invalid_signature(sentence: impl Display) -> Self {
        // Ruma has no name for this errcode, so it is read like any that it does not know.
        let kind = serde_json::from_value(serde_json::json!({ "errcode": "M_INVALID_SIGNATURE" }));
        Self::bad_request(kind.expect("an errcode is all that a kind needs"), sentence)
    }

    /// 403 `M_USER_DEACTIVATED`: the account has been closed.
    pub fn user_deactivated() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            ErrorKind::UserDeactivated,
            "this account has been deactivated",
        )
    }

    /// 401 `M_USER_LOCKED` with `soft_logout`: the account is locked; its sessions live on.
    pub fn user_locked() -> Self {
        Self(Box::new(Answer::Locked))
    }

    /// 403 `M_USER_SUSPENDED`: this is not left to an account that is suspended.
    pub fn user_suspended() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            ErrorKind::UserSuspended,
            "this account is suspended: it may read, and little else",
        )
    }

    /// 403 `M_GUEST_ACCESS_FORBIDDEN`: guests may not do this, or there are none.
    pub fn guest_access_forbidden(sentence: impl Display) -> Self {
        let kind = ErrorKind::GuestAccessForbidden;
        Self::new(StatusCode::FORBIDDEN, kind, sentence)
    }

    /// 403 `M_CANNOT_LEAVE_SERVER_NOTICE_ROOM`: the server sends its notices there.
    pub fn cannot_leave_notices(sentence: impl Display) -> Self {
        let kind = ErrorKind::CannotLeaveServerNoticeRoom;
        Self::new(StatusCode::FORBIDDEN, kind, sentence)
    }

    /// 403 `M_INVITE_BLOCKED`: the invited person takes no invitations.
    pub fn invite_blocked(sentence: impl Display) -> Self {
        Self::new(StatusCode::FORBIDDEN, ErrorKind::InviteBlocked, sentence)
    }

    /// 404 `M_UNRECOGNIZED`: no endpoint has this path.
    pub fn unrecognized_path() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            ErrorKind::Unrecognized,
            "this server knows no such endpoint",
        )
    }

    /// 405 `M_UNRECOGNIZED`: the path exists, the method does not.
    pub fn unrecognized_method() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            ErrorKind::Unrecognized,
            "this endpoint does not answer that method",
        )
    }

    /// 401 with what is left of user-interactive authentication.
    pub fn uiaa(info: UiaaInfo) -> Self {
        Self(Box::new(Answer::Uiaa(info)))
    }

    /// Tells, beside what has to be proved, what for: where the specification has no
    /// user-interactive authentication, clients look for an errcode.
    #[must_use]
    pub fn with_reason(mut self, sentence: impl Display) -> Self {
        if let Answer::Uiaa(info) = &mut *self.0
            && info.auth_error.is_none()
        {
            let body = StandardErrorBody::new(ErrorKind::Forbidden, sentence.to_string());
            info.auth_error = Some(Box::new(body));
        }
        self
    }

    /// 500 `M_UNKNOWN`: the client learns the request id, the log the whole chain of sources.
    pub fn internal(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Box::new(Answer::Internal(error.into())))
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        match *self.0 {
            Answer::Refusal {
                status,
                kind,
                sentence,
            } => refusal(status, kind, sentence),
            // Ruma's kind has no place for the flag.
            Answer::Locked => {
                let body = json!({
                    "errcode": "M_USER_LOCKED",
                    "error": "this account is locked",
                    "soft_logout": true,
                });
                (StatusCode::UNAUTHORIZED, Json(body)).into_response()
            }
            // The proposal has no stable name yet, and this is what clients look for.
            Answer::DelayTooLong { most, sentence } => {
                let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
                let body = json!({
                    "errcode": "M_UNKNOWN",
                    "error": sentence,
                    "org.matrix.msc4140.errcode": "M_MAX_DELAY_EXCEEDED",
                    "org.matrix.msc4140.max_delay": most,
                });
                (StatusCode::BAD_REQUEST, Json(body)).into_response()
            }
            Answer::Uiaa(info) => (StatusCode::UNAUTHORIZED, Json(info)).into_response(),
            // The request layer logs it, once, and writes the body: it knows the request id.
            Answer::Internal(error) => Failure::from(error).into_response(),
        }
    }
}

fn refusal(status: StatusCode, kind: ErrorKind, sentence: String) -> Response {
    let retry_after = match &kind {
        ErrorKind::LimitExceeded(data) => data.retry_after,
        _ => None,
    };
    let mut response = (status, Json(StandardErrorBody::new(kind, sentence))).into_response();
    if let Some(RetryAfter::Delay(delay)) = retry_after {
        let seconds = delay.as_millis().div_ceil(1000);
        response.headers_mut().insert(
            RETRY_AFTER,
            HeaderValue::from(u64::try_from(seconds).unwrap_or(u64::MAX)),
        );
    }
    response
}

fn shortened(mut sentence: String) -> String {
    if let Some((end, _)) = sentence.char_indices().nth(MAX_SENTENCE_CHARS) {
        sentence.truncate(end);
        sentence.push('…');
    }
    sentence
}
