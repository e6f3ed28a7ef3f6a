//! Each error has the status, errcode and fields that the specification gives it.

use std::time::Duration;

use axum::response::IntoResponse;
use http_body_util::BodyExt;
use ruma::{
    RoomVersionId,
    api::client::uiaa::{AuthFlow, AuthType, UiaaInfo},
};
use serde_json::{Value, json};

use crate::error::ApiError;

async fn answer(error: ApiError) -> (u16, http::HeaderMap, Value) {
    let response = error.into_response();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let body = serde_json::from_slice(&bytes).unwrap();
    (parts.status.as_u16(), parts.headers, body)
}

#[tokio::test]
async fn each_constructor_gives_its_status_and_errcode() {
    let cases = [
        (ApiError::forbidden("x"), 403, "M_FORBIDDEN"),
        (ApiError::not_found("x"), 404, "M_NOT_FOUND"),
        (ApiError::unknown_token(false), 401, "M_UNKNOWN_TOKEN"),
        (ApiError::missing_token(), 401, "M_MISSING_TOKEN"),
        (ApiError::bad_json("x"), 400, "M_BAD_JSON"),
        (ApiError::not_json("x"), 400, "M_NOT_JSON"),
        (ApiError::invalid_param("x"), 400, "M_INVALID_PARAM"),
        (ApiError::missing_param("x"), 400, "M_MISSING_PARAM"),
        (ApiError::too_large("x"), 413, "M_TOO_LARGE"),
        (ApiError::user_in_use("x"), 400, "M_USER_IN_USE"),
        (ApiError::invalid_username("x"), 400, "M_INVALID_USERNAME"),
        (ApiError::weak_password("x"), 400, "M_WEAK_PASSWORD"),
        (ApiError::exclusive("x"), 400, "M_EXCLUSIVE"),
        (ApiError::room_in_use("x"), 400, "M_ROOM_IN_USE"),
        (ApiError::bad_state("x"), 400, "M_BAD_STATE"),
        (
            ApiError::invalid_room_state("x"),
            400,
            "M_INVALID_ROOM_STATE",
        ),
        (
            ApiError::unsupported_room_version("x"),
            400,
            "M_UNSUPPORTED_ROOM_VERSION",
        ),
        (ApiError::user_deactivated(), 403, "M_USER_DEACTIVATED"),
        (ApiError::user_locked(), 401, "M_USER_LOCKED"),
        (ApiError::unrecognized_path(), 404, "M_UNRECOGNIZED"),
        (ApiError::unrecognized_method(), 405, "M_UNRECOGNIZED"),
    ];
    for (error, status, errcode) in cases {
        let (answered, _, body) = answer(error).await;
        assert_eq!((answered, &body["errcode"]), (status, &json!(errcode)));
        assert!(!body["error"].as_str().unwrap().is_empty(), "{errcode}");
    }
}

#[tokio::test]
async fn errors_carry_the_fields_that_clients_act_on() {
    let (_, _, body) = answer(ApiError::unknown_token(true)).await;
    assert_eq!(body["soft_logout"], true);

    let (status, _, body) = answer(ApiError::wrong_room_keys_version("7".to_owned())).await;
    assert_eq!(
        (status, &body["errcode"]),
        (403, &json!("M_WRONG_ROOM_KEYS_VERSION"))
    );
    assert_eq!(body["current_version"], "7");

    let error = ApiError::incompatible_room_version(RoomVersionId::V6);
    let (status, _, body) = answer(error).await;
    assert_eq!(
        (status, &body["errcode"]),
        (400, &json!("M_INCOMPATIBLE_ROOM_VERSION"))
    );
    assert_eq!(body["room_version"], "6");

    let info = UiaaInfo::new(vec![AuthFlow::new(vec![AuthType::Dummy])]);
    let (status, _, body) = answer(ApiError::uiaa(info)).await;
    assert_eq!(status, 401);
    assert_eq!(body["flows"][0]["stages"][0], "m.login.dummy");
}

#[tokio::test]
async fn a_client_that_waits_as_told_never_comes_too_early() {
    for (wait_ms, seconds) in [(1, "1"), (1000, "1"), (1001, "2")] {
        let error = ApiError::limit_exceeded(Duration::from_millis(wait_ms));
        let (status, headers, body) = answer(error).await;
        assert_eq!(
            (status, &body["errcode"]),
            (429, &json!("M_LIMIT_EXCEEDED"))
        );
        assert_eq!(body["retry_after_ms"], wait_ms);
        assert_eq!(headers["retry-after"], seconds);
    }
}

#[tokio::test]
async fn a_sentence_that_quotes_a_megabyte_is_shortened() {
    let (_, _, body) = answer(ApiError::bad_json("é".repeat(1_000_000))).await;
    assert_eq!(body["error"].as_str().unwrap().chars().count(), 401);
}
