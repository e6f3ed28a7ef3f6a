//! Clients go on at the new place, and the old one lets nobody go on there.

use std::fs;

use testkit::{
    s3::S3Server,
    server::{Engine, TestServer},
};

use crate::{
    places::{key, printed, program, refusal, server, with_user},
    scene::Scene,
    target::{migrate, target, url, with_s3},
};

#[tokio::test(flavor = "multi_thread")]
async fn everybody_goes_on_where_they_were_in_postgres_and_s3() {
    let s3 = S3Server::start().await;
    let mut source = server(Engine::Sqlite).await;
    let scene = Scene::play(&mut source, 40).await;
    let database = source.data_dir().join("conclave.db");
    let before = fs::read(&database).unwrap();
    let mut target = target(&source).await;
    let place = with_s3(&mut source, &mut target, &s3);
    let said = printed(&migrate(&source, &url(&target), Some(&place)).await);
    for part in ["and 3 files of", "[database]", &place, "master.key"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(s3.objects().len(), 3);
    // The source is as it was.
    assert!(fs::read(&database).unwrap() == before);

    target.restart().await;
    scene.goes_on(&target).await;
    target.stop().await;

    // Files are at the new place alone from now on: the old folder is not asked.
    fs::remove_dir_all(source.data_dir().join("files")).unwrap();
    target.restart().await;
    let carol = with_user(&target, "carol").await;
    carol.upload(b"new").await.unwrap();
    target.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_stay_where_they_are_unless_they_are_to_move() {
    let mut source = server(Engine::Sqlite).await;
    let scene = Scene::play(&mut source, 5).await;
    let mut target = target(&source).await;
    // The URL comes from a file, as it does where others see what is typed.
    let file = source.data_dir().join("url");
    fs::write(&file, format!("{}\n", url(&target))).unwrap();
    let arguments = ["migrate", "--to-file", file.to_str().unwrap()];
    let said = printed(&source.command(&arguments, "").await);
    let files = source.data_dir().join("files");
    assert!(said.contains(files.to_str().unwrap()), "{said}");
    target.restart().await;
    scene.goes_on(&target).await;
    target.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_place_is_not_used_again_by_mistake() {
    let mut source = server(Engine::Sqlite).await;
    with_user(&source, "alice").await;
    source.stop().await;
    let target = target(&source).await;
    let first = printed(&migrate(&source, &url(&target), None).await);
    for command in [&["serve"][..], &["user", "list"], &["audit", "verify"]] {
        let sentence = refusal(&source.command(command, "").await);
        for part in ["was moved to postgres://", "conclave.db.moved"] {
            assert!(sentence.contains(part), "{command:?}: {sentence}");
        }
    }
    // Whoever did not see what was said is told again, and nothing else happens.
    let second = printed(&migrate(&source, &url(&target), None).await);
    let told = second.find("Set this in the configuration").unwrap();
    assert!(first.ends_with(&second[told..]), "{second}");
    // It goes nowhere else.
    let elsewhere = crate::target::target(&source).await;
    let sentence = refusal(&migrate(&source, &url(&elsewhere), None).await);
    assert!(sentence.contains("is another place"), "{sentence}");
    // Deliberately, it goes on; and then the new place is not what it was moved to.
    let note = source.data_dir().join("conclave.db.moved");
    fs::remove_file(note).unwrap();
    source.restart().await;
    with_user(&source, "bob").await;
    source.stop().await;
    let sentence = refusal(&migrate(&source, &url(&target), None).await);
    assert!(
        sentence.contains("holds a deployment already"),
        "{sentence}"
    );
    assert!(key(&source).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_in_s3_already_stay_there() {
    let s3 = S3Server::start().await;
    let mut source = TestServer::prepare_program(program(), Engine::Sqlite, &[]).await;
    let mut target = target(&source).await;
    let place = with_s3(&mut source, &mut target, &s3);
    source.set("files.url", &place);
    let scene = Scene::play(&mut source, 5).await;
    let said = printed(&migrate(&source, &url(&target), None).await);
    assert!(said.contains(&place), "{said}");
    assert_eq!(s3.objects().len(), 3);
    target.restart().await;
    scene.goes_on(&target).await;
    target.stop().await;
}
