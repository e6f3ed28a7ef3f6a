//! Other networks, as services tell of them, and their rooms in the directory.

use serde_json::{Value, json};

use super::{AS_TOKEN, acting, bot, registered, service::Service};
use crate::{
    server::{Node, Server, on_both_engines},
    stage::{count, encoded},
};

on_both_engines! {
    what_services_know_of_a_protocol_is_told_together,
    people_and_places_of_other_networks_are_found,
    a_service_that_talks_nonsense_tells_nothing,
    a_service_shows_rooms_as_those_of_its_networks,
}

async fn bridged(server: &mut Server) -> (Service, Node) {
    let service = Service::open().await;
    let more = "protocols: [irc, xmpp]";
    server.deployment.appservices = registered(&[&service.registration(more)]);
    let node = server.node().await;
    (service, node)
}

fn protocol(network: &str) -> Value {
    json!({
        "user_fields": ["network", "nickname"],
        "location_fields": ["network", "channel"],
        "icon": "mxc://localhost/icon",
        "field_types": { "channel": { "regexp": "#.*", "placeholder": "#cats" } },
        "instances": [{ "desc": network, "network_id": network, "fields": { "network": network } }],
    })
}

async fn what_services_know_of_a_protocol_is_told_together(mut server: Server) {
    let (one, other) = (Service::open().await, Service::open().await);
    let second = other
        .registration("protocols: [irc]")
        .replace("id: irc", "id: second")
        .replace("of-the-bridge", "of-another")
        .replace("irc_", "second_")
        .replace("ircbot", "secondbot")
        .replace("shared_", "both_");
    server.deployment.appservices =
        registered(&[&one.registration("protocols: [irc, xmpp]"), &second]);
    let node = server.node().await;
    let ben = node.someone("ben").await;
    one.answers("thirdparty/protocol/irc", 200, protocol("libera"));
    other.answers("thirdparty/protocol/irc", 200, protocol("oftc"));
    one.answers("thirdparty/protocol/xmpp", 200, protocol("jabber"));
    let told = node.get(&ben, "thirdparty/protocols").await;
    let names: Vec<&String> = told.as_object().unwrap().keys().collect();
    assert_eq!(names, ["irc", "xmpp"]);
    let instances = told["irc"]["instances"].as_array().unwrap().iter();
    let ids: Vec<&Value> = instances.map(|instance| &instance["instance_id"]).collect();
    assert_eq!(ids, ["irc|libera", "second|oftc"]);
    let told = node.get(&ben, "thirdparty/protocol/irc").await;
    assert_eq!(told["instances"][0]["desc"], "libera");
    let path = "/_matrix/client/v3/thirdparty/protocol/sms";
    let refused = node.refused(&ben.token, "GET", path, "").await;
    assert_eq!(refused, (404, "M_NOT_FOUND".to_owned()));
}

async fn people_and_places_of_other_networks_are_found(mut server: Server) {
    let (service, node) = bridged(&mut server).await;
    let ben = node.someone("ben").await;
    let place = json!([{
        "alias": "#irc_cats:localhost", "protocol": "irc", "fields": { "channel": "#cats" },
    }]);
    let person = json!([{
        "userid": "@irc_ada:localhost", "protocol": "irc", "fields": { "nickname": "ada" },
    }]);
    service.answers(
        "thirdparty/location/irc?channel=%23cats",
        200,
        place.clone(),
    );
    service.answers(
        "thirdparty/location?alias=%23irc_cats%3Alocalhost",
        200,
        place.clone(),
    );
    service.answers("thirdparty/user/irc?nickname=ada", 200, person.clone());
    service.answers(
        "thirdparty/user?userid=%40irc_ada%3Alocalhost",
        200,
        person.clone(),
    );
    let cats = encoded("#irc_cats:localhost");
    let ada = encoded("@irc_ada:localhost");
    for (path, expected) in [
        ("location/irc?channel=%23cats".to_owned(), &place),
        (format!("location?alias={cats}"), &place),
        ("user/irc?nickname=ada".to_owned(), &person),
        (format!("user?userid={ada}"), &person),
    ] {
        let told = node.get(&ben, &format!("thirdparty/{path}")).await;
        assert_eq!(told, *expected, "{path}");
    }
    // Of what no service claims, none is asked.
    let asked = service.asked().len();
    let other = encoded("#dogs:localhost");
    let told = node
        .get(&ben, &format!("thirdparty/location?alias={other}"))
        .await;
    assert_eq!(told, json!([]));
    assert_eq!(service.asked().len(), asked);
}

async fn a_service_that_talks_nonsense_tells_nothing(mut server: Server) {
    let (service, node) = bridged(&mut server).await;
    let ben = node.someone("ben").await;
    for nonsense in [
        json!(null),
        json!([]),
        json!({}),
        json!({ "instances": [7, {}] }),
        json!("x"),
    ] {
        service.answers("thirdparty/protocol/irc", 200, nonsense);
        assert_eq!(node.get(&ben, "thirdparty/protocols").await, json!({}));
    }
    for nonsense in [json!(null), json!({}), json!([7, {}, { "alias": "cats" }])] {
        service.answers("thirdparty/location/irc", 200, nonsense);
        assert_eq!(node.get(&ben, "thirdparty/location/irc").await, json!([]));
    }
}

async fn a_service_shows_rooms_as_those_of_its_networks(mut server: Server) {
    let (_service, node) = bridged(&mut server).await;
    let ben = node.someone("ben").await;
    let published = json!({ "preset": "public_chat", "visibility": "public", "name": "own" });
    let own = node.create(&ben, published).await;
    let named = json!({ "preset": "public_chat", "name": format!("cats{}", count()) });
    let bridged = node.create(&bot(), named).await;
    let list = |room: &str| format!("directory/list/appservice/libera/{}", encoded(room));
    let public = json!({ "visibility": "public" });
    node.call(&bot(), "PUT", &list(&bridged), public.clone())
        .await;
    let directory = async |body: Value| -> Vec<String> {
        let told = node.call(&ben, "POST", "publicRooms", body).await;
        let rooms = told["chunk"].as_array().unwrap().iter();
        rooms
            .map(|room| room["room_id"].as_str().unwrap().to_owned())
            .collect()
    };
    let of_network = json!({ "third_party_instance_id": "irc|libera" });
    assert_eq!(directory(of_network.clone()).await, [bridged.as_str()]);
    assert_eq!(
        directory(json!({ "third_party_instance_id": "irc|other" })).await,
        [""; 0]
    );
    let here = directory(json!({})).await;
    assert!(here.contains(&own) && !here.contains(&bridged));
    let all = directory(json!({ "include_all_networks": true })).await;
    assert!(all.contains(&own) && all.contains(&bridged));
    // Rooms of others are not its to show, nor is this for others.
    let path = format!("/_matrix/client/v3/{}", list(&own));
    let refused = node
        .refused(AS_TOKEN, "PUT", &path, &public.to_string())
        .await;
    assert_eq!(refused, (403, "M_FORBIDDEN".to_owned()));
    let refused = node
        .refused(&ben.token, "PUT", &path, &public.to_string())
        .await;
    assert_eq!(refused, (403, "M_FORBIDDEN".to_owned()));
    let path = acting(&list("!nowhere:localhost"), "@ircbot:localhost");
    let refused = node
        .refused(AS_TOKEN, "PUT", &path, &public.to_string())
        .await;
    assert_eq!(refused, (403, "M_FORBIDDEN".to_owned()));
    let private = json!({ "visibility": "private" });
    node.call(&bot(), "PUT", &list(&bridged), private).await;
    assert_eq!(directory(of_network).await, [""; 0]);
}
