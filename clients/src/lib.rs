//! What the stories of real clients are told with: a started server, people with devices, and a
//! search for what must not be found.
//!
//! The clients are matrix-sdk's, in `js` matrix-js-sdk's, and in `python` matrix-nio's and a bridge
//! that is made of mautrix. Nothing here shares code with the server: it is started as a program, and
//! spoken to as anybody would. `cargo xtask test --clients` builds it and runs the stories; by hand,
//! `CONCLAVE_TEST_SERVER` names the program, `CONCLAVE_TEST_PYTHON` a Python with the packages, and
//! `CONCLAVE_TEST_POSTGRES_URL` a PostgreSQL server on which databases may be made.

pub mod device;
pub mod marker;
pub mod plain;
pub mod postgres;
pub mod python;
pub mod scene;
pub mod seen;
pub mod server;
pub mod verification;
pub mod waiting;
