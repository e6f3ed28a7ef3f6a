//! Agreeing to terms while registering: the stage, what is told of it, and what is kept.

use std::{collections::BTreeMap, time::Duration};

use accounts::{By, Policy, PolicyText, RegistrationMode, TokenTerms};
use audit::{Act, Record, Target};
use serde_json::{Value, json};

use crate::{
    server::{Node, PASSWORD, Server, User, on_both_engines},
    stage::count,
};

on_both_engines! {
    postgres;
    without_terms_nothing_is_asked_of_who_registers,
    who_registers_agrees_in_a_stage_of_every_flow,
    the_stages_are_completed_in_any_order_and_at_any_node,
    a_registration_token_and_the_terms_go_together,
    what_was_agreed_to_is_kept_and_on_record,
    nobody_agrees_to_what_they_were_not_told,
    guests_agree_when_they_become_people,
    who_is_registered_by_others_agrees_to_nothing,
}

const REGISTER: &str = "/_matrix/client/v3/register";

fn policy(id: &str, version: &str, languages: &[&str]) -> Policy {
    let texts = languages.iter().map(|language| {
        let text = PolicyText {
            name: format!("{id} ({language})"),
            url: format!("https://example.org/{id}/{version}/{language}"),
        };
        ((*language).to_owned(), text)
    });
    Policy {
        id: id.to_owned(),
        version: version.to_owned(),
        texts: texts.collect::<BTreeMap<_, _>>(),
    }
}

fn policies() -> Vec<Policy> {
    vec![
        policy("privacy", "1.2", &["en", "fr"]),
        policy("tos", "3", &["en"]),
    ]
}

/// What somebody sends who registers.
fn body(name: &str, auth: Value) -> String {
    json!({ "username": name, "password": PASSWORD, "auth": auth }).to_string()
}

fn stage(kind: &str, session: &Value) -> Value {
    json!({ "type": kind, "session": session })
}

fn new_name() -> String {
    format!("reader-{}", count())
}

impl Node {
    /// Asks to register, which takes more.
    async fn challenged(&self, body: String) -> Value {
        let (status, answer) = self.ask("", "POST", REGISTER, body).await;
        assert_eq!(status, 401, "{answer}");
        answer
    }

    async fn registered(&self, body: String) -> User {
        let (status, answer) = self.ask("", "POST", REGISTER, body).await;
        assert_eq!(status, 200, "{answer}");
        User {
            user_id: answer["user_id"].as_str().unwrap().to_owned(),
            token: answer["access_token"].as_str().unwrap().to_owned(),
        }
    }

    /// What is kept for somebody of what they agreed to.
    async fn accepted(&self, user: &User) -> Option<Value> {
        let path = format!(
            "/_matrix/client/v3/user/{}/account_data/m.accepted_terms",
            user.user_id
        );
        let (status, answer) = self.ask(&user.token, "GET", &path, "").await;
        (status == 200).then_some(answer)
    }
}

async fn without_terms_nothing_is_asked_of_who_registers(server: Server) {
    let node = server.node().await;
    let challenge = node.challenged("{}".to_owned()).await;
    assert!(!challenge["flows"].to_string().contains("m.login.terms"));
    assert_eq!(challenge["params"], json!({}));
    let name = new_name();
    let refused = node.challenged(body(&name, stage("m.login.terms", &challenge["session"])));
    assert!(refused.await.get("completed").is_none());
    let user = node
        .registered(body(&name, json!({ "type": "m.login.dummy" })))
        .await;
    assert_eq!(node.accepted(&user).await, None);
}

async fn who_registers_agrees_in_a_stage_of_every_flow(mut server: Server) {
    server.deployment.policies = policies();
    let node = server.node().await;
    let name = new_name();
    let challenge = node
        .challenged(json!({ "username": name }).to_string())
        .await;
    let flows = json!([
        { "stages": ["m.login.dummy", "m.login.terms"] },
        { "stages": ["m.login.registration_token", "m.login.terms"] },
    ]);
    assert_eq!(challenge["flows"], flows);
    assert!(challenge.get("errcode").is_none() && challenge.get("completed").is_none());
    let params = json!({ "m.login.terms": { "policies": {
        "privacy": {
            "version": "1.2",
            "en": { "name": "privacy (en)", "url": "https://example.org/privacy/1.2/en" },
            "fr": { "name": "privacy (fr)", "url": "https://example.org/privacy/1.2/fr" },
        },
        "tos": {
            "version": "3",
            "en": { "name": "tos (en)", "url": "https://example.org/tos/3/en" },
        },
    } } });
    assert_eq!(challenge["params"], params);
    let dummy = stage("m.login.dummy", &challenge["session"]);
    let next = node.challenged(body(&name, dummy)).await;
    assert_eq!(next["completed"], json!(["m.login.dummy"]));
    assert_eq!((&next["flows"], &next["params"]), (&flows, &params));
    let available = format!("{REGISTER}/available?username={name}");
    node.ok("", "GET", &available, Value::Null).await;
    let terms = stage("m.login.terms", &next["session"]);
    let user = node.registered(body(&name, terms)).await;
    assert_eq!(user.user_id, format!("@{name}:localhost"));
}

async fn the_stages_are_completed_in_any_order_and_at_any_node(mut server: Server) {
    server.deployment.policies = policies();
    let node = server.node().await;
    let second = match server.deployment.is_embedded() {
        true => None,
        false => Some(server.node().await),
    };
    let other = second.as_ref().unwrap_or(&node);
    let name = new_name();
    let first = node.challenged("{}".to_owned()).await;
    let next = other
        .challenged(body(&name, stage("m.login.terms", &first["session"])))
        .await;
    assert_eq!(next["completed"], json!(["m.login.terms"]));
    // Asking without an answer tells what is left.
    let asked = node
        .challenged(body(&name, json!({ "session": next["session"] })))
        .await;
    assert_eq!(asked["completed"], json!(["m.login.terms"]));
    // What is written behind a session cannot be written by others.
    let forged = format!("{}.d~a", first["session"].as_str().unwrap());
    let refused = node
        .challenged(body(&name, stage("m.login.terms", &json!(forged))))
        .await;
    assert!(refused.get("completed").is_none());
    let none = node
        .challenged(body(&name, stage("m.login.dummy", &first["session"])))
        .await;
    assert_eq!(none["completed"], json!(["m.login.dummy"]));
    server
        .deployment
        .clock
        .advance(Duration::from_secs(14 * 60));
    let dummy = stage("m.login.dummy", &asked["session"]);
    node.registered(body(&name, dummy)).await;
    server
        .deployment
        .clock
        .advance(Duration::from_secs(60 * 60));
    let late = node
        .challenged(body(&new_name(), stage("m.login.dummy", &asked["session"])))
        .await;
    assert!(late.get("completed").is_none());
}

async fn a_registration_token_and_the_terms_go_together(mut server: Server) {
    server.deployment.policies = policies();
    server.deployment.registration = RegistrationMode::Closed;
    let node = server.node().await;
    let flows = json!([{ "stages": ["m.login.registration_token", "m.login.terms"] }]);
    let challenge = node.challenged("{}".to_owned()).await;
    assert_eq!(challenge["flows"], flows);
    let terms = TokenTerms {
        invitation: true,
        uses_allowed: Some(1),
        ..TokenTerms::default()
    };
    let made = node
        .parts
        .accounts
        .make_registration_token(terms, By::command_line());
    let token = made.await.unwrap().token;
    let present = |token: &str, session: &Value| json!({ "type": "m.login.registration_token", "token": token, "session": session });
    let name = new_name();
    let agreed = node
        .challenged(body(&name, stage("m.login.terms", &challenge["session"])))
        .await;
    let wrong = node
        .challenged(body(&name, present("wrong", &agreed["session"])))
        .await;
    assert_eq!(wrong["errcode"], "M_UNAUTHORIZED");
    assert_eq!(wrong["completed"], json!(["m.login.terms"]));
    let presented = node
        .challenged(body(&name, present(&token, &challenge["session"])))
        .await;
    assert_eq!(
        presented["completed"],
        json!(["m.login.registration_token"])
    );
    assert!(!presented["session"].as_str().unwrap().contains(&token));
    node.registered(body(&name, stage("m.login.terms", &presented["session"])))
        .await;
    // It is used up, by whatever session it was presented in before.
    let again = body(&new_name(), stage("m.login.terms", &presented["session"]));
    let refused = node.refused("", "POST", REGISTER, &again);
    assert_eq!(refused.await, (403, "M_FORBIDDEN".to_owned()));
    let spent = node
        .challenged(body(&new_name(), present(&token, &wrong["session"])))
        .await;
    assert_eq!(spent["errcode"], "M_UNAUTHORIZED");
}

fn detail<'a>(record: &'a Record, name: &str) -> &'a str {
    let mut details = record.details();
    details.find(|detail| detail.0 == name).unwrap().1
}

async fn what_was_agreed_to_is_kept_and_on_record(mut server: Server) {
    server.deployment.policies = policies();
    let node = server.node().await;
    let user = node.join_agreeing(&new_name(), json!({})).await;
    let accepted = json!({ "accepted": [
        "https://example.org/privacy/1.2/en",
        "https://example.org/privacy/1.2/fr",
        "https://example.org/tos/3/en",
    ] });
    assert_eq!(node.accepted(&user).await, Some(accepted.clone()));
    let synced = node
        .ok(&user.token, "GET", "/_matrix/client/v3/sync", Value::Null)
        .await;
    let told = synced["account_data"]["events"].as_array().unwrap().iter();
    let told: Vec<&Value> = told
        .filter(|event| event["type"] == "m.accepted_terms")
        .collect();
    assert_eq!(
        told,
        [&json!({ "type": "m.accepted_terms", "content": accepted })]
    );
    let target = Target::user(user.user_id.as_str());
    let records = server.deployment.records(&node, 20).await;
    let agreed = records
        .iter()
        .filter(|record| record.act() == Act::TermsAccepted);
    let agreed: Vec<_> = agreed
        .map(|record| {
            assert_eq!(record.target(), &target);
            (detail(record, "policy"), detail(record, "version"))
        })
        .collect();
    assert_eq!(agreed, [("tos", "3"), ("privacy", "1.2")]);
}

async fn nobody_agrees_to_what_they_were_not_told(mut server: Server) {
    server.deployment.policies = policies();
    let name = new_name();
    let (unasked, old) = {
        let node = server.node().await;
        let unasked = node
            .challenged(body(&name, json!({ "type": "m.login.terms" })))
            .await;
        let first = node.challenged("{}".to_owned()).await;
        let old = node
            .challenged(body(&name, stage("m.login.terms", &first["session"])))
            .await;
        node.parts.log.stop().await;
        (unasked, old)
    };
    assert!(unasked.get("completed").is_none());
    assert_eq!(old["completed"], json!(["m.login.terms"]));
    // There is another version meanwhile.
    server.deployment.policies[1].version = "4".to_owned();
    let node = server.node().await;
    let refused = node
        .challenged(body(&name, stage("m.login.dummy", &old["session"])))
        .await;
    assert!(refused.get("completed").is_none());
    assert_eq!(
        refused["params"]["m.login.terms"]["policies"]["tos"]["version"],
        "4"
    );
}

async fn guests_agree_when_they_become_people(mut server: Server) {
    server.deployment.policies = policies();
    server.deployment.guests = true;
    let node = server.node().await;
    let path = format!("{REGISTER}?kind=guest");
    let guest = node.registered_at(&path, json!({})).await;
    let name = guest.localpart().to_owned();
    let token = json!({ "guest_access_token": guest.token });
    let person = node.join_agreeing(&name, token).await;
    assert_eq!(person.user_id, guest.user_id);
    assert!(node.accepted(&person).await.is_some());
}

async fn who_is_registered_by_others_agrees_to_nothing(mut server: Server) {
    server.deployment.policies = policies();
    let node = server.node().await;
    let new = accounts::NewAccount {
        localpart: Some("carol".to_owned()),
        password: Some(PASSWORD.to_owned().into()),
        device: Some(accounts::NewDevice::default()),
        ..accounts::NewAccount::default()
    };
    let grant = accounts::Grant::Administrator;
    let made = node.parts.accounts.register(new, grant, By::command_line());
    let token = made.await.unwrap().signed_in.unwrap().access_token;
    let user_id = "@carol:localhost".to_owned();
    let carol = User { user_id, token };
    assert_eq!(node.accepted(&carol).await, None);
    let open = accounts::NewAccount {
        localpart: Some("dave".to_owned()),
        ..accounts::NewAccount::default()
    };
    let made = node
        .parts
        .accounts
        .register(open, accounts::Grant::Open, By::command_line());
    let refused = made.await.unwrap_err();
    assert!(
        matches!(refused, accounts::RegisterError::NotAgreed),
        "{refused}"
    );
}

impl Node {
    async fn registered_at(&self, path: &str, body: Value) -> User {
        let answer = self.ok("", "POST", path, body).await;
        User {
            user_id: answer["user_id"].as_str().unwrap().to_owned(),
            token: answer["access_token"].as_str().unwrap().to_owned(),
        }
    }

    /// Registers somebody who agrees to the terms, with `more` in the request.
    async fn join_agreeing(&self, name: &str, more: Value) -> User {
        let first = self.challenged("{}".to_owned()).await;
        let with = |auth: Value| {
            let mut body: Value = serde_json::from_str(&body(name, auth)).unwrap();
            body.as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            body.to_string()
        };
        let next = self
            .challenged(with(stage("m.login.terms", &first["session"])))
            .await;
        self.registered(with(stage("m.login.dummy", &next["session"])))
            .await
    }
}
