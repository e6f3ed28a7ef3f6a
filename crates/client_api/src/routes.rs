//! The list of endpoints, in the specification's order.

use axum::{Router, middleware};

use crate::{
    ClientApi,
    cors::allow_any_origin,
    discovery::{capabilities::capabilities, versions::versions, well_known::well_known},
    endpoint::{Endpoint, Route, by_anyone, by_caller},
    error::ApiError,
    limits::Class,
    media::{
        download_file::{download_file, download_file_as},
        get_media_config::{get_media_config, get_media_config_v3},
        upload_file::upload_file,
    },
    request::observe,
    sync::sync,
};

fn endpoints() -> Vec<Endpoint> {
    vec![
        // Server discovery
        by_anyone(well_known),
        by_anyone(versions),
        // Capabilities negotiation
        by_caller(capabilities),
        // Syncing
        by_caller(sync),
        // Content repository
        by_caller(get_media_config),
        by_caller(download_file),
        by_caller(download_file_as),
        by_caller(get_media_config_v3),
        by_caller(upload_file).class(Class::Upload),
    ]
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

/// Puts endpoints behind the layers that every request passes.
pub(crate) fn assemble(endpoints: Vec<Endpoint>, api: ClientApi) -> Router {
    endpoints
        .into_iter()
        .fold(Router::new(), |router, endpoint| {
            endpoint.register(router, &api)
        })
        .fallback(async || ApiError::unrecognized_path())
        .method_not_allowed_fallback(async || ApiError::unrecognized_method())
        // The last layer is the outermost one.
        .layer(middleware::from_fn_with_state(api.clone(), observe))
        .layer(middleware::from_fn(allow_any_origin))
        .with_state(api)
}
