//! What sensitive requests must prove.

use std::time::Duration;

use accounts::By;
use accounts::{
    Answer, Challenge, Grant, Operation, ProofRefusal, ProveError, Proved, RegistrationMode,
    Session, Stage, StageProof, TokenTerms,
};
use audit::{Act, Origin};

use crate::deployment::{Deployment, Node, PASSWORD, on_both_engines, on_two_nodes};

on_both_engines! {
    the_owner_proves_the_password_and_nothing_else_will_do,
    a_session_is_for_one_operation_of_one_session_and_for_a_while,
    registration_offers_what_its_mode_allows,
}

on_two_nodes! {
    any_node_takes_the_answer_to_a_challenge,
}

async fn prove(
    node: &Node,
    operation: Operation,
    session: &Session,
    answer: Option<(Option<&str>, StageProof<'_>)>,
) -> Result<(), Challenge> {
    let answer = answer.map(|(session, proof)| Answer { session, proof });
    let by = By::session(session, Origin::default());
    let proved = node.accounts.prove_owner(operation, session, answer, &by);
    match proved.await {
        Ok(()) => Ok(()),
        Err(ProveError::Challenge(challenge)) => Err(challenge),
        Err(error) => panic!("{error}"),
    }
}

fn right() -> StageProof<'static> {
    StageProof::Password {
        name: Some("alice"),
        password: PASSWORD,
    }
}

async fn the_owner_proves_the_password_and_nothing_else_will_do(deployment: Deployment) {
    let node = deployment.node().await;
    let (alice, _) = node.join("alice").await;
    node.join("bob").await;
    let ask = |answer| prove(&node, Operation::Deactivate, &alice, answer);
    let challenge = ask(None).await.unwrap_err();
    assert_eq!(challenge.flows, [[Stage::Password]]);
    assert_eq!(challenge.refusal, None);
    let slip = challenge.session.as_str();
    let password = |name, password| StageProof::Password { name, password };
    for (proof, refusal) in [
        (StageProof::None, None),
        (StageProof::Dummy, None),
        (
            password(Some("alice"), "wrong horse"),
            Some(ProofRefusal::Password),
        ),
        (
            password(Some("bob"), PASSWORD),
            Some(ProofRefusal::Password),
        ),
        (
            password(Some("@alice:else"), PASSWORD),
            Some(ProofRefusal::Password),
        ),
    ] {
        let refused = ask(Some((Some(slip), proof))).await.unwrap_err();
        assert_eq!(refused.refusal, refusal);
    }
    ask(Some((Some(slip), right()))).await.unwrap();
    ask(Some((None, password(None, PASSWORD)))).await.unwrap();
    assert_eq!(node.acts().await[0], Act::ConfirmationFailed);
}

async fn a_session_is_for_one_operation_of_one_session_and_for_a_while(deployment: Deployment) {
    let node = deployment.node().await;
    let (alice, _) = node.join("alice").await;
    let (other, _) = node.join("bob").await;
    let challenge = prove(&node, Operation::RemoveDevices, &alice, None).await;
    let slip = challenge.unwrap_err().session;
    let answer = || Some((Some(slip.as_str()), right()));
    let refused = prove(&node, Operation::Deactivate, &alice, answer()).await;
    assert_eq!(refused.unwrap_err().refusal, None);
    assert!(
        prove(&node, Operation::RemoveDevices, &other, answer())
            .await
            .is_err()
    );
    prove(&node, Operation::RemoveDevices, &alice, answer())
        .await
        .unwrap();
    deployment.clock.advance(Duration::from_secs(15 * 60));
    assert!(
        prove(&node, Operation::RemoveDevices, &alice, answer())
            .await
            .is_err()
    );
    let invented = Some((Some("invented"), right()));
    assert!(
        prove(&node, Operation::RemoveDevices, &alice, invented)
            .await
            .is_err()
    );
}

async fn registration_offers_what_its_mode_allows(mut deployment: Deployment) {
    for (mode, flows) in [
        (
            RegistrationMode::Open,
            vec![
                vec![Stage::Dummy],
                vec![Stage::RegistrationToken],
                vec![Stage::Email],
            ],
        ),
        (
            RegistrationMode::Token,
            vec![vec![Stage::RegistrationToken]],
        ),
        (
            RegistrationMode::Closed,
            vec![vec![Stage::RegistrationToken]],
        ),
    ] {
        deployment.registration = mode;
        let node = deployment.node().await;
        let ask = |proof| {
            let session = None;
            node.accounts
                .prove_registration(Some(Answer { session, proof }))
        };
        let challenge = match ask(StageProof::None).await {
            Err(ProveError::Challenge(challenge)) => challenge,
            _ => panic!("nothing was proved"),
        };
        assert_eq!(challenge.flows, flows);
        let dummy = ask(StageProof::Dummy).await;
        assert_eq!(
            matches!(
                dummy,
                Ok(Proved {
                    grant: Grant::Open,
                    agreement: None
                })
            ),
            mode == RegistrationMode::Open
        );
        let terms = TokenTerms {
            invitation: true,
            ..Default::default()
        };
        let made = node
            .accounts
            .make_registration_token(terms, By::command_line());
        let made = made.await.unwrap().token;
        let proved = ask(StageProof::RegistrationToken(&made)).await;
        assert!(matches!(
            proved,
            Ok(Proved {
                grant: Grant::Token(_),
                agreement: None
            })
        ));
        let refused = match ask(StageProof::RegistrationToken("wrong")).await {
            Err(ProveError::Challenge(challenge)) => challenge.refusal,
            _ => panic!("a wrong token was taken"),
        };
        assert_eq!(refused, Some(ProofRefusal::RegistrationToken));
        node.log.stop().await;
    }
}

async fn any_node_takes_the_answer_to_a_challenge(deployment: Deployment) {
    let (one, other) = (deployment.node().await, deployment.node().await);
    let (alice, _) = one.join("alice").await;
    let challenge = prove(&one, Operation::ChangePassword, &alice, None).await;
    let slip = challenge.unwrap_err().session;
    let answer = Some((Some(slip.as_str()), right()));
    prove(&other, Operation::ChangePassword, &alice, answer)
        .await
        .unwrap();
}
