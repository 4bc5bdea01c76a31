//! The models by their names, as flags and files say them. What a server is told about
//! one beside its name is that server's business.

use serde::Deserialize;

/// The models, as people name them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelName {
    /// [`super::sequential`]: one connection after another.
    Sequential,
    /// [`super::threads`]: a thread for each of a few connections.
    Threads,
    /// [`super::events`]: loops with any number of connections.
    #[default]
    Events,
    /// [`super::processes`]: the same, each in a process.
    Processes,
}

impl ModelName {
    /// All of them, with their names.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("sequential", Self::Sequential),
        ("threads", Self::Threads),
        ("events", Self::Events),
        ("processes", Self::Processes),
    ];
}
