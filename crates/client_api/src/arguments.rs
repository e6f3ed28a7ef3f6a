//! What a handler's arguments say about how its endpoint authenticates, checked by the compiler.

use ruma::api::{
    IncomingRequest,
    auth_scheme::{
        AccessTokenOptional, AppserviceTokenOptional, AuthScheme, NoAccessToken, NoAuthentication,
    },
};

use crate::{
    caller::Caller,
    matrix::{Completed, Matrix, MatrixStream, MaybeBare},
};

/// The last argument of a handler: it tells which endpoint the handler answers.
pub trait RequestArgument {
    /// The request of that endpoint.
    type Request: IncomingRequest;
}

impl<T: IncomingRequest> RequestArgument for Matrix<T> {
    type Request = T;
}

impl<T: IncomingRequest> RequestArgument for MatrixStream<T> {
    type Request = T;
}

impl<T: IncomingRequest> RequestArgument for Completed<T> {
    type Request = T;
}

impl<T: IncomingRequest> RequestArgument for MaybeBare<T> {
    type Request = T;
}

/// Arguments that end in a request.
pub trait EndsInRequest {
    /// The request.
    type Request: IncomingRequest;
}

/// Arguments that end in `Caller, Matrix<_>`.
pub trait TakesCaller {
    /// The request.
    type Request: IncomingRequest;
}

/// Arguments that end in `Option<Caller>, Matrix<_>`.
pub trait TakesCallerIfAny {
    /// The request.
    type Request: IncomingRequest;
}

/// The schemes under which the specification lets a request come without a token.
pub trait OpenToAnyone: AuthScheme {}

impl OpenToAnyone for NoAuthentication {}
impl OpenToAnyone for NoAccessToken {}
impl OpenToAnyone for AccessTokenOptional {}
impl OpenToAnyone for AppserviceTokenOptional {}

/// Implements the three traits for one number of leading arguments; axum's tuples begin with a
/// marker `M`. No function can be generic over that number.
macro_rules! for_arguments {
    ($($argument:ident),*) => {
        impl<M, $($argument,)* R: RequestArgument> EndsInRequest for (M, $($argument,)* R) {
            type Request = R::Request;
        }
        impl<M, $($argument,)* R: RequestArgument> TakesCaller
            for (M, $($argument,)* Caller, R)
        {
            type Request = R::Request;
        }
        impl<M, $($argument,)* R: RequestArgument> TakesCallerIfAny
            for (M, $($argument,)* Option<Caller>, R)
        {
            type Request = R::Request;
        }
    };
}

for_arguments!();
for_arguments!(A);
for_arguments!(A, B);
for_arguments!(A, B, C);
for_arguments!(A, B, C, D);
for_arguments!(A, B, C, D, E);
for_arguments!(A, B, C, D, E, F);
