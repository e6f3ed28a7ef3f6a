//! Mails from the log to a real mail server, on both engines.

#[cfg(test)]
mod handing_on;
#[cfg(test)]
mod site;
