//! A rehearsal: handlers.toml as it is, with everything replaced that reaches outside or has to be set up first.

use crate::config::{Config, Secret};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// How long the stand-in takes at most to answer, in any configuration: it is on this machine.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// What stands in for the world.
#[derive(Debug)]
pub struct Rehearsal {
    signing_secret: Secret,
    /// Plays all services.
    stand_in: SocketAddr,
    /// Variables that were not set.
    made_up: Mutex<BTreeSet<String>>,
    listen: OnceLock<Listen>,
}

/// Where the files say to listen, and where we do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Listen {
    wanted: SocketAddr,
    chosen: SocketAddr,
}

impl Rehearsal {
    pub fn new(signing_secret: Secret, stand_in: SocketAddr) -> Self {
        Self {
            signing_secret,
            stand_in,
            made_up: Mutex::default(),
            listen: OnceLock::new(),
        }
    }

    /// Variables that are not set, and that a made-up value stands in for.
    pub fn made_up(&self) -> Vec<String> {
        let made_up = self.made_up.lock().unwrap_or_else(PoisonError::into_inner);
        made_up.iter().cloned().collect()
    }

    /// The address of the files, when another program listens there and we listen elsewhere.
    pub fn taken(&self) -> Option<SocketAddr> {
        let it = self.listen.get()?;
        (it.wanted != it.chosen).then_some(it.wanted)
    }

    /// A value for a variable that is not set. It cannot be guessed: it may be a signing secret.
    pub(super) fn stand_in_for(&self, name: &str) -> String {
        let mut made_up = self.made_up.lock().unwrap_or_else(PoisonError::into_inner);
        made_up.insert(name.to_owned());
        if name.to_ascii_uppercase().contains("URL") {
            return "https://stand-in.invalid".into();
        }
        let mut hash = Sha256::new();
        hash.update(self.signing_secret.reveal());
        hash.update(name);
        let upper = name.to_ascii_uppercase();
        let is_to_sign = ["SECRET", "WEBHOOK", "SIGN"]
            .iter()
            .any(|it| upper.contains(it));
        // What signs looks like what Stripe gives.
        let start = if is_to_sign { "whsec_" } else { "" };
        format!("{start}stand-in-{}", hex::encode(&hash.finalize()[..12]))
    }

    /// Puts the stand-in in the place of every service, and our signing secret before those of the files.
    pub(super) fn adapt(&self, config: &mut Config) {
        config.server.listen = self.listen(config.server.listen);
        for it in &mut config.endpoints {
            it.signing_secrets.insert(0, self.signing_secret.clone());
        }
        for it in &mut config.services {
            if let Ok(url) = format!("http://{}/{}", self.stand_in, it.name).parse() {
                it.url = url;
            }
            it.private_network = true;
            // What is meant for the real one goes to nobody else.
            it.headers.clear();
            it.timeout = it.timeout.max(ANSWER_WITHIN);
        }
    }

    /// The address of the files, or a free port when another program has it. Chosen once: a change needs a restart.
    fn listen(&self, wanted: SocketAddr) -> SocketAddr {
        let it = self.listen.get_or_init(|| {
            let is_free = TcpListener::bind(wanted).is_ok();
            let elsewhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            Listen {
                wanted,
                chosen: if is_free { wanted } else { elsewhere },
            }
        });
        if it.wanted == wanted {
            it.chosen
        } else {
            wanted
        }
    }
}

/// A signing secret that nobody knows, in the shape of Stripe's.
pub fn new_signing_secret() -> String {
    let half = || uuid::Uuid::new_v4().simple().to_string();
    format!("whsec_{}{}", half(), half())
}
