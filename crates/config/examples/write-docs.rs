//! Writes `docs/conclave.sample.toml` and `docs/configuration.md` from the sections.

use std::{fs, io, path::Path};

fn main() -> io::Result<()> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    fs::create_dir_all(&docs)?;
    fs::write(docs.join("conclave.sample.toml"), config::sample())?;
    fs::write(docs.join("configuration.md"), config::reference())
}
