//! `conclave audit verify`: reads the record and changes nothing.

use config::Loaded;

use crate::{
    Surroundings,
    control::{Administrator, Answer, Order},
    output, storage,
};

/// Prints how far the record stands as it was written, or names the first that does not.
pub(super) async fn verify_audit(
    loaded: &Loaded,
    checkpoint: Option<String>,
) -> anyhow::Result<()> {
    storage::check_readable(loaded).await?;
    let surroundings = Surroundings::of_this_machine();
    let mut administrator = Administrator::reach(loaded, false, &surroundings).await?;
    let verified = administrator.order(Order::VerifyAudit { checkpoint }).await;
    administrator.finish().await;
    if let Answer::AuditVerified {
        records,
        erased,
        checkpoint,
    } = verified?
    {
        output::say(format_args!(
            "{records} audit records stand as they were written ({erased} of them erased); \
             checkpoint:\n{checkpoint}"
        ));
    }
    Ok(())
}
