//! Large files, up and down.

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::Method;

use super::{Server, run_name};
use crate::{
    arguments::Files,
    matrix::{Client, text},
    moment,
    report::{count, mib},
};

pub(super) async fn run(servers: &mut [Server], load: &Files, rounds: u32) -> Result<()> {
    let run = run_name()?;
    let content = content(load.size_mib);
    let mut clients = Vec::new();
    for server in &*servers {
        clients.push(Client::register(server.nodes.first(), &format!("load-{run}")).await?);
    }
    for _ in 0..rounds {
        for (server, client) in servers.iter_mut().zip(&mut clients) {
            turn(server, client, load, &content).await?;
        }
    }
    Ok(())
}

/// Bytes that repeat at no power of two.
fn content(size_mib: usize) -> Bytes {
    (0..=250_u8)
        .cycle()
        .take(size_mib * 1_048_576)
        .collect::<Vec<u8>>()
        .into()
}

async fn turn(
    server: &mut Server,
    client: &mut Client,
    load: &Files,
    content: &Bytes,
) -> Result<()> {
    let gib = count(load.size_mib * load.count) / 1024.0;
    let (began, before) = (moment::now(), server.cpu_time()?);
    let mut files = Vec::new();
    for _ in 0..load.count {
        files.push(upload(client, content.clone()).await?);
    }
    let (half, between) = (moment::now(), server.cpu_time()?);
    for file in &files {
        if !download_equals(client, file, content).await? {
            server.faults.altered += 1;
        }
    }
    let after = server.cpu_time()?;
    let figures = &mut server.figures;
    figures.add(
        "upload, MiB per second",
        gib * 1024.0 / (half - began).as_secs_f64(),
    );
    figures.add(
        "download, MiB per second",
        gib * 1024.0 / half.elapsed().as_secs_f64(),
    );
    if let (Some(before), Some(between), Some(after)) = (before, between, after) {
        let up = between.saturating_sub(before).as_secs_f64();
        let down = after.saturating_sub(between).as_secs_f64();
        figures.add("upload, server CPU per GiB, s", up / gib);
        figures.add("download, server CPU per GiB, s", down / gib);
    }
    if let Some(processes) = &server.processes {
        figures.add(
            "resident after the files, MiB",
            mib(processes.resident_bytes()?),
        );
    }
    Ok(())
}

async fn upload(client: &mut Client, content: Bytes) -> Result<String> {
    let token = Some(client.person.token.as_str());
    let path = "/_matrix/media/v3/upload";
    let (status, answer) = client
        .connection
        .exchange(
            Method::POST,
            path,
            token,
            "application/octet-stream",
            content,
        )
        .await?;
    if !status.is_success() {
        bail!("{path}: {status}: {}", String::from_utf8_lossy(&answer));
    }
    let uri = text(&serde_json::from_slice(&answer)?, "content_uri")?;
    let file = uri.strip_prefix("mxc://").context("an odd content URI")?;
    Ok(file.to_owned())
}

/// Compares while it reads: a large file is held once.
async fn download_equals(client: &mut Client, file: &str, content: &Bytes) -> Result<bool> {
    let token = Some(client.person.token.as_str());
    let path = format!("/_matrix/client/v1/media/download/{file}");
    let answer = client
        .connection
        .begin(Method::GET, &path, token, "application/json", Bytes::new())
        .await?;
    if !answer.status().is_success() {
        bail!("{path}: {}", answer.status());
    }
    let mut body = answer.into_body();
    let (mut place, mut same) = (0, true);
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            let end = place + data.len();
            same &= content.get(place..end).is_some_and(|part| part == data);
            place = end;
        }
    }
    Ok(same && place == content.len())
}
