//! Accounts over their public API, with a real log, on both engines.

#[cfg(test)]
mod deployment;
#[cfg(test)]
mod kept;
#[cfg(test)]
mod registration;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod standing;
#[cfg(test)]
mod uia;
