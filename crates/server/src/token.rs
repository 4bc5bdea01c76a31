//! Tokens: secrets that name who may do what. The log and the database hold
//! only their BLAKE3 hashes; comparing is a lookup by hash, so its time tells
//! nothing about the secret.

use base::{Random, hex};
use state::TokenHash;

/// What a token is for; its prefix, so that a person can tell and a scanner for
/// leaked secrets can find it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The node's own administrator.
    Admin,
    /// A registered device.
    Device,
    /// Registers devices until it expires.
    Join,
    /// Opens the web page once.
    Link,
    /// A browser's session cookie.
    Session,
}

impl Kind {
    /// How its tokens begin.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Admin => "adm_",
            Self::Device => "dev_",
            Self::Join => "join_",
            Self::Link => "link_",
            Self::Session => "ses_",
        }
    }
}

/// Longest token text that is looked at: far beyond ours, short enough that
/// hashing a wrong one costs nothing.
const TOKEN_BYTES: usize = 256;

/// Random bytes of a secret.
const SECRET_BYTES: usize = 32;

/// A new secret of 256 random bits.
pub fn draw(kind: Kind, random: &dyn Random) -> String {
    let mut secret = [0; SECRET_BYTES];
    random.fill(&mut secret);
    format!("{}{}", kind.prefix(), hex(&secret))
}

/// Whether `text` has the form of what [`draw`] gives.
pub fn is_well_formed(kind: Kind, text: &str) -> bool {
    text.strip_prefix(kind.prefix()).is_some_and(|secret| {
        secret.len() == 2 * SECRET_BYTES && secret.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// The hash by which a token is known; `None` for a text that is none of ours.
pub fn hash(text: &str) -> Option<TokenHash> {
    (text.len() <= TOKEN_BYTES).then(|| TokenHash::of(text))
}
