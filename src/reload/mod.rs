//! From files to what is in force: read whole, check whole, swap in one step. A bad save changes nothing.

mod align;
mod before;
mod canaries;
mod check;
mod choose;
mod differences;
mod files;
mod first;
mod forget;
mod keep;
mod last_good;
mod location;
mod look;
mod looker;
mod losses;
mod mistaken;
mod pins;
mod rehearsal;
mod reloader;
mod stamp;
mod stuck;
mod watch;

pub use crate::in_force::short;
pub use align::{align_first, align_late};
pub use before::refused;
pub use canaries::judge;
pub use check::{Checked, check};
pub use files::Files;
pub use first::{First, Settled, first};
pub use last_good::last_good_config;
pub use location::Location;
pub use rehearsal::{Rehearsal, new_signing_secret};
pub use reloader::Reloader;
pub use watch::watch;

/// What a reload did.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Report {
    /// Whether something new is in force.
    pub is_changed: bool,
    /// What changed, a line each.
    pub changes: Vec<String>,
    /// What stays as it was, and why: diagnostics, as a person reads them.
    pub problems: Vec<String>,
    /// What is decided against the files: pins, and versions that a canary rolled back.
    #[serde(default)]
    pub decided: Vec<String>,
    /// Runs that wait for a person because their handler is gone.
    #[serde(default)]
    pub held: Vec<String>,
    /// Changes since the start that need a restart to take effect.
    pub needs_restart: Vec<String>,
    /// What is odd, and in force all the same.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// Where the newest report is told.
pub type Reports = tokio::sync::watch::Sender<Report>;
