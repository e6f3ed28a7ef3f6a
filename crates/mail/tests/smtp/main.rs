//! Mail through a real mail server: encryption, signing in, and what becomes of a mail.

#[cfg(test)]
mod injection;
#[cfg(test)]
mod sending;
#[cfg(test)]
mod site;
