//! `[server]`

use super::Server;
use super::quantity::{KIB, MIB, MINUTE, SECOND};
use super::table::Table;
use std::net::SocketAddr;

pub(super) fn read(table: &Table<'_>) -> Server {
    let usual = Server::default();
    Server {
        listen: listen(table).unwrap_or(usual.listen),
        // Less than 8 KiB is no room for the head that the HTTP library reads into.
        head_size_bytes_max: table.size("head_size_max", usual.head_size_bytes_max, 8 * KIB..=MIB),
        // Stripe says no bound; an event that is refused for its size is refused at each retry.
        body_size_bytes_max: table.size(
            "body_size_max",
            usual.body_size_bytes_max,
            64 * KIB..=64 * MIB,
        ),
        head_timeout: table.time("head_timeout", usual.head_timeout, SECOND..=MINUTE),
        body_timeout: table.time("body_timeout", usual.body_timeout, SECOND..=5 * MINUTE),
        keep_alive: table.time("keep_alive", usual.keep_alive, SECOND..=10 * MINUTE),
        connections_max: table.count("connections_max", usual.connections_max, 1..=100_000),
        drain_timeout: table.time("drain_timeout", usual.drain_timeout, SECOND..=10 * MINUTE),
    }
}

fn listen(table: &Table<'_>) -> Option<SocketAddr> {
    let it = table.text("listen", "\"127.0.0.1:4242\"")?;
    match it.value.parse() {
        Ok(address) => Some(address),
        Err(_) => {
            it.error(
                format!(
                    "`listen` must be an IP address and a port, this is `{}`",
                    it.shown()
                ),
                listen_help(&it.value),
            );
            None
        }
    }
}

fn listen_help(written: &str) -> String {
    let port = written
        .rsplit(':')
        .next()
        .and_then(|it| it.parse::<u16>().ok())
        .unwrap_or(4242);
    format!(
        "write \"127.0.0.1:{port}\" for this machine alone, or \"0.0.0.0:{port}\" for every network that it is in"
    )
}
