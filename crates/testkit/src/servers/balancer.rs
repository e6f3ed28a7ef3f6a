//! One load balancer in front of servers.

use std::{ffi::OsStr, net::SocketAddr};

use super::{ServerError, programs, supervisor::Supervisor};

const SCRIPT: &str = include_str!("balancer.sh");

/// What stands around a configuration of nginx, which is a part of one.
const NGINX: &str = include_str!("nginx.conf");

/// Which program it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BalancerKind {
    /// HAProxy.
    Haproxy,
    /// nginx.
    Nginx,
}

impl BalancerKind {
    const fn program(self) -> &'static str {
        match self {
            Self::Haproxy => "haproxy",
            Self::Nginx => "nginx",
        }
    }

    /// The Debian package that brings it, with little beside.
    const fn package(self) -> &'static str {
        match self {
            Self::Haproxy => "haproxy",
            Self::Nginx => "nginx-light",
        }
    }
}

/// A balancer that is gone when this is dropped or the process ends. All methods block.
#[derive(Debug)]
pub struct Balancer {
    // Held for its drop.
    _supervisor: Supervisor,
}

impl Balancer {
    /// Starts one with this configuration, and waits until it listens at this address.
    ///
    /// A configuration of nginx is what stands in `conf.d`: servers, and what is behind them.
    pub fn start(
        kind: BalancerKind,
        address: SocketAddr,
        configuration: &str,
    ) -> Result<Self, ServerError> {
        let mut supervisor = prepare(kind, address.port(), configuration)?;
        supervisor.order("start")?;
        Ok(Self {
            _supervisor: supervisor,
        })
    }

    /// Has the program say whether it takes a configuration, without serving anybody.
    pub fn check(kind: BalancerKind, configuration: &str) -> Result<(), ServerError> {
        prepare(kind, 0, configuration)?.order("check").map(drop)
    }
}

fn prepare(kind: BalancerKind, port: u16, configuration: &str) -> Result<Supervisor, ServerError> {
    let (program, package) = (kind.program(), kind.package());
    let found = programs::on_path(std::env::var_os("PATH").as_deref(), program);
    let path = found.ok_or(ServerError::Missing { program, package })?;
    let port = port.to_string();
    let arguments = [OsStr::new(program), path.as_os_str(), OsStr::new(&port)];
    let supervisor = Supervisor::spawn(program, SCRIPT, &arguments)?;
    supervisor.place("balancer.conf", configuration)?;
    if kind == BalancerKind::Nginx {
        let directory = supervisor.directory().display().to_string();
        supervisor.place("nginx.conf", &NGINX.replace("DIRECTORY", &directory))?;
    }
    Ok(supervisor)
}
