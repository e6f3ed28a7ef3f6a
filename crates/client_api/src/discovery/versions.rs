//! `GET /_matrix/client/versions` ([spec])
//!
//! [spec]: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientversions

use ruma::api::client::discovery::get_supported_versions;
use tracing::instrument;

use crate::matrix::Matrix;

/// The versions of the specification that this server implements.
///
/// Clients choose their paths and features by this list, so a version is added with the last of
/// its required endpoints, and not before.
pub const VERSIONS: &[&str] = &[
    "r0.6.1", "v1.1", "v1.2", "v1.3", "v1.4", "v1.5", "v1.6", "v1.7", "v1.8", "v1.9", "v1.10",
    "v1.11",
];

/// The features beyond those versions that clients may use, by their unstable names.
pub const UNSTABLE_FEATURES: &[&str] = &[
    "org.matrix.msc3814",
    "org.matrix.msc3814.v1",
    "org.matrix.msc4140",
    "org.matrix.msc4143",
    "org.matrix.msc4151",
    "org.matrix.msc4222",
    "org.matrix.msc4260",
    "org.matrix.msc4306",
    "org.matrix.msc4308",
    "org.matrix.simplified_msc3575",
    "uk.half-shot.msc2666.query_mutual_rooms",
    "uk.half-shot.msc2666.query_mutual_rooms.stable",
    "uk.timedout.msc4323",
];

/// Tells which versions and features this server has; the same for everybody.
#[instrument(name = "client.versions", skip_all)]
pub(crate) async fn versions(
    Matrix(_): Matrix<get_supported_versions::Request>,
) -> Matrix<get_supported_versions::Response> {
    let versions = VERSIONS.iter().map(ToString::to_string).collect();
    let mut response = get_supported_versions::Response::new(versions);
    response.unstable_features = UNSTABLE_FEATURES
        .iter()
        .map(|feature| (feature.to_string(), true))
        .collect();
    Matrix(response)
}
