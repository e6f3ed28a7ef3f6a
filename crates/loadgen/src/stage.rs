//! People and rooms that stand before a measurement begins.

use anyhow::Result;
use url::Url;

use crate::{
    crowd::{HANDS, share_out},
    matrix::{Client, Person},
    nodes::Nodes,
};

/// One server with people and rooms.
pub(crate) struct Stage {
    pub(crate) nodes: Nodes,
    pub(crate) rooms: Vec<Room>,
}

pub(crate) struct Room {
    pub(crate) room_id: String,
    pub(crate) members: Vec<Person>,
}

/// Makes people; `run` keeps the names of different runs apart.
pub(crate) async fn people(url: &Url, run: &str, count: usize) -> Result<Vec<Person>> {
    share_out(url, HANDS, count, async |connection, index| {
        Person::register(connection, &format!("load-{run}-{index}")).await
    })
    .await
}

/// Lets people into a room, in any order.
pub(crate) async fn join(url: &Url, people: &[Person], room: &str) -> Result<()> {
    let joined = share_out(url, HANDS, people.len(), async |connection, index| {
        people[index].join(connection, room).await
    });
    joined.await.map(drop)
}

impl Stage {
    /// Makes rooms of so many members each, out of twice as many people.
    pub(crate) async fn build(
        nodes: &Nodes,
        run: &str,
        rooms: usize,
        members: usize,
    ) -> Result<Self> {
        let url = nodes.first();
        let people = people(url, run, members * 2).await?;
        let mut built = Vec::with_capacity(rooms);
        for index in 0..rooms {
            let first = index % people.len();
            let members: Vec<Person> = people
                .iter()
                .cycle()
                .skip(first)
                .take(members)
                .cloned()
                .collect();
            let mut owner = Client::new(url, &members[0]).await?;
            let room_id = owner.create_room(&format!("Room {index} of {run}")).await?;
            for member in &members[1..] {
                Client::new(url, member).await?.join(&room_id).await?;
            }
            built.push(Room { room_id, members });
        }
        Ok(Self {
            nodes: nodes.clone(),
            rooms: built,
        })
    }
}
