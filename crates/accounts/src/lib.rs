//! People, devices, sessions, factors and roles.
