//! The address at which events arrive.

use crate::reload::{self, Location};
use crate::services::Services;
use anyhow::{Context, anyhow, bail};
use std::net::{SocketAddr, TcpListener};

/// Connections that may wait to be accepted; the system may allow fewer.
const CONNECTIONS_WAITING_MAX: i32 = 4096;

/// What a first start can fail on without a data folder, so that it leaves none behind: mistakes in handlers.toml, and
/// an address that is taken.
pub(super) fn before_there_is_a_folder(
    location: &Location,
) -> anyhow::Result<(SocketAddr, TcpListener)> {
    let files = reload::Files::read_in_time(location).map_err(|it| anyhow!(it))?;
    let checked = reload::check(&files);
    let Some(config) = checked.config else {
        let problems: Vec<String> = checked.problems.iter().map(ToString::to_string).collect();
        bail!(problems.join("\n\n"));
    };
    Services::new(&config.services)?;
    let address = config.server.listen;
    Ok((address, on(address)?))
}

pub(super) fn on(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).with_context(|| {
        format!(
            "cannot listen on {address}: is another program listening there? See [server] listen"
        )
    })?;
    // The library asks for a queue of 128, which a burst of new connections overflows.
    rustix::net::listen(&listener, CONNECTIONS_WAITING_MAX)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
