//! A network of its own for one node, with a link to each server and one to its clients.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    io::Write as _,
    net::{IpAddr, Ipv4Addr},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::cluster::program;

/// What a link leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    Database,
    Bus,
    Clients,
}

/// Takes the namespace away when its input ends, and that is when this process does, whatever
/// ends it. Links go with the namespace.
const KEEPER: &str = "trap '' PIPE HUP INT TERM; cat >/dev/null; ip netns del \"$0\"; \
     for link in 0 1 2; do ip link del \"$0-$link\" 2>/dev/null; done";

/// Gone when this is dropped. Nodes inside have to be gone before.
pub(crate) struct Namespace {
    name: String,
    /// The third byte of its addresses; the first two are set aside for tests of networks.
    number: u8,
    folder: TempDir,
    keeper: Option<Child>,
}

impl Namespace {
    /// Makes a namespace and its links, or says why that cannot be done here.
    pub(crate) fn make() -> Result<Self, String> {
        let random = RandomState::new().build_hasher().finish();
        let [number, ..] = random.to_le_bytes();
        let name = format!("cv{:08x}", random >> 32);
        ip(&format!("netns add {name}"))?;
        let keeper = Command::new("/bin/sh")
            .args(["-c", KEEPER, &name])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        let namespace = Self {
            name,
            number,
            folder: tempfile::tempdir().unwrap(),
            keeper: Some(keeper.unwrap()),
        };
        for link in [Link::Database, Link::Bus, Link::Clients] {
            namespace.connect(link)?;
        }
        namespace.run("link set lo up")?;
        Ok(namespace)
    }

    fn connect(&self, link: Link) -> Result<(), String> {
        let (device, peer, name) = (self.device(link), self.peer(link), &self.name);
        ip(&format!(
            "link add {device} type veth peer name {peer} netns {name}"
        ))?;
        ip(&format!(
            "addr add {}/30 dev {device}",
            self.address(link, 1)
        ))?;
        ip(&format!("link set {device} up"))?;
        self.run(&format!("addr add {}/30 dev {peer}", self.address(link, 2)))?;
        self.run(&format!("link set {peer} up"))
    }

    /// Runs `ip` inside.
    fn run(&self, arguments: &str) -> Result<(), String> {
        ip(&format!("-n {} {arguments}", self.name))
    }

    fn device(&self, link: Link) -> String {
        format!("{}-{}", self.name, link as u8)
    }

    fn peer(&self, link: Link) -> String {
        format!("inside-{}", link as u8)
    }

    fn address(&self, link: Link, end: u8) -> Ipv4Addr {
        Ipv4Addr::new(198, 18, self.number, link as u8 * 4 + end)
    }

    /// Where what is outside can listen for the node.
    pub(crate) fn outside(&self, link: Link) -> String {
        format!("{}:0", self.address(link, 1))
    }

    pub(crate) fn inside(&self, link: Link) -> IpAddr {
        self.address(link, 2).into()
    }

    /// The server's program, started inside.
    pub(crate) fn program(&self) -> PathBuf {
        let path = self.folder.path().join("conclave");
        let program = PathBuf::from(program());
        let text = format!(
            "#!/bin/sh\nexec ip netns exec {} '{}' \"$@\"\n",
            self.name,
            program.display()
        );
        let mut file = std::fs::File::create(&path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let executable = std::fs::Permissions::from_mode(0o755);
        file.set_permissions(executable).unwrap();
        path
    }

    /// Packets of a link are lost from now on, both ways: each end sends them to a machine that
    /// is not there.
    pub(crate) fn cut(&self, link: Link) {
        let (one, other) = (self.address(link, 1), self.address(link, 2));
        let nobody = "lladdr 02:00:00:00:00:fe nud permanent";
        let (device, peer) = (self.device(link), self.peer(link));
        ip(&format!("neigh replace {other} {nobody} dev {device}")).unwrap();
        self.run(&format!("neigh replace {one} {nobody} dev {peer}"))
            .unwrap();
    }

    pub(crate) fn mend(&self, link: Link) {
        let (one, other) = (self.address(link, 1), self.address(link, 2));
        let (device, peer) = (self.device(link), self.peer(link));
        ip(&format!("neigh del {other} dev {device}")).unwrap();
        self.run(&format!("neigh del {one} dev {peer}")).unwrap();
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            drop(keeper.stdin.take());
            drop(keeper.wait());
        }
    }
}

fn ip(arguments: &str) -> Result<(), String> {
    let paths = "/usr/sbin:/sbin:/usr/bin:/bin";
    let ran = Command::new("ip")
        .env("PATH", paths)
        .args(arguments.split(' '))
        .output();
    match ran {
        Err(error) => Err(format!("iproute2 is missing ({error})")),
        Ok(ran) if ran.status.success() => Ok(()),
        Ok(ran) => {
            let said = String::from_utf8_lossy(&ran.stderr);
            Err(format!("ip {arguments}: {}", said.trim_end()))
        }
    }
}
