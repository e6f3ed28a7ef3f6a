//! Interned names: stable, and never known before they stand.

use crate::support::{Db, cells::Act, several};

fn intern(user: &str) -> Act {
    Act::Intern(user.to_owned())
}

conformance! {
    async fn a_name_keeps_its_integer(db: Db) {
        let node = db.node().await;
        let alice = node.act(1, intern("@alice:example.org")).await.unwrap();
        let bob = node.act(1, intern("@bob:example.org")).await.unwrap();
        assert_ne!(alice, bob);
        assert_eq!(node.act(1, intern("@alice:example.org")).await.unwrap(), alice);
        node.log.stop().await;

        let later = db.node().await;
        assert_eq!(later.act(1, intern("@bob:example.org")).await.unwrap(), bob);
        let snapshot = later.database().snapshot().await.unwrap();
        let names = later.database().names();
        assert_eq!(names.user(&snapshot, "@alice:example.org").await.unwrap(), Some(alice));
        assert_eq!(&*names.user_name(&snapshot, alice).await.unwrap(), "@alice:example.org");
        assert_eq!(names.user(&snapshot, "@carol:example.org").await.unwrap(), None);
        assert_eq!(names.room(&snapshot, "@alice:example.org").await.unwrap(), None);
    }

    async fn many_new_names_in_one_batch_differ(db: Db) {
        let node = db.node().await;
        let changes = (0..60).map(|index| (1, intern(&format!("@u{}:example.org", index % 30))));
        node.log.commit(several(changes)).await.unwrap();
        let rows = node
            .database()
            .query("SELECT COUNT(*), COUNT(DISTINCT id), MAX(id) FROM user_names", &[])
            .await
            .unwrap();
        let counts = [0, 1, 2].map(|index| rows[0].int(index).unwrap());
        assert_eq!(counts, [30, 30, 30]);
    }

    /// Its integer is given to another name: whoever remembered it would mix two people up.
    async fn a_name_that_was_rolled_back_is_not_remembered(db: Db) {
        let node = db.node().await;
        let lost = "@lost:example.org";
        for refused in [
            intern(lost),
            Act::InternAndFind(lost.to_owned(), Box::new(node.database().clone())),
        ] {
            let answer = node.log.commit(several([(1, refused), (1, Act::Refuse)])).await;
            assert!(answer.is_err());
            assert_eq!(node.database().names().cached_user(lost), None);
        }
        let found = node.act(1, intern("@found:example.org")).await.unwrap();
        let snapshot = node.database().snapshot().await.unwrap();
        let names = node.database().names();
        assert_eq!(&*names.user_name(&snapshot, found).await.unwrap(), "@found:example.org");
        assert_eq!(names.user(&snapshot, lost).await.unwrap(), None);
    }
}
