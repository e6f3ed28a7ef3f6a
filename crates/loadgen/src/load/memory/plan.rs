//! Who is in which room.

/// Each room has the next so many people, in a circle, as groups of an organisation overlap.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    pub(super) people: usize,
    pub(super) rooms: usize,
    /// How many members a room has: no more than there are people.
    pub(super) members: usize,
}

impl Plan {
    /// Who has a place in a room; the first is its owner's.
    pub(super) fn member(&self, room: usize, place: usize) -> usize {
        (room + place) % self.people
    }

    pub(super) fn is_member(&self, room: usize, person: usize) -> bool {
        (person + self.people - room % self.people) % self.people < self.members
    }

    pub(super) fn rooms_of(&self, person: usize) -> impl Iterator<Item = usize> {
        (0..self.rooms).filter(move |room| self.is_member(*room, person))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_where_they_have_a_place() {
        for (people, rooms, members) in [(10, 10, 3), (7, 20, 7), (5, 3, 2), (1, 4, 1)] {
            let plan = Plan {
                people,
                rooms,
                members,
            };
            for room in 0..rooms {
                let has = |person| (0..members).any(|place| plan.member(room, place) == person);
                for person in 0..people {
                    assert_eq!(plan.is_member(room, person), has(person));
                }
            }
        }
    }

    #[test]
    fn rooms_are_shared_out_evenly() {
        let plan = Plan {
            people: 50,
            rooms: 100,
            members: 5,
        };
        for person in 0..plan.people {
            assert_eq!(plan.rooms_of(person).count(), 10);
        }
    }
}
