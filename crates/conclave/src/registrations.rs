//! The application services that the configuration registers.

use anyhow::bail;
use appservices::Appservices;
use config::Config;

/// Reads the registration files.
///
/// # Errors
///
/// All that is wrong with them, one problem a line, each with its file and line.
pub(crate) fn read(config: &Config) -> anyhow::Result<Appservices> {
    let server_name = &config.server.name;
    let appservices = Appservices::read(&config.appservices.registrations, server_name)?;
    let notices = format!("@{}:{server_name}", config.notices.localpart.as_str());
    for appservice in appservices.iter() {
        if appservice.sender() == notices.as_str() {
            bail!(
                "appservices.registrations: {} has the name of notices.localpart as its \
                 sender_localpart",
                appservice.id()
            );
        }
    }
    Ok(appservices)
}
