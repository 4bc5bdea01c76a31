//! Static files: from a request and a held directory to the plan of an answer.
//!
//! The pure part decides without I/O: `path` reads the target, `negotiate`
//! chooses a coding, `conditions` and `range` what is sent of it, and
//! [`plan`] makes the [`Answer`]. The shell is [`Root`], which resolves names
//! beneath a held handle, and [`Site`], which keeps what it opened for a bounded
//! time. Nobody here writes to a socket; start reading at [`Site::answer`].

mod answer;
mod cache;
mod compress;
mod conditions;
mod etag;
mod facts;
mod listing;
mod load;
mod mime;
mod negotiate;
mod options;
mod path;
mod plan;
mod range;
mod representation;
mod request;
mod root;
mod site;

pub(crate) use answer::push_field;
pub use answer::{Answer, Body, Fields, FileError, FileRange, Part, Tally};
pub use conditions::{Validators, Verdict, evaluate};
pub use etag::entity_tag;
pub use facts::{Facts, Time};
pub use listing::{Entry, Listing};
pub use mime::Types;
pub use negotiate::{Coding, choose_coding, prefers_json};
pub use options::{CacheRule, Keep, Options, OptionsError};
pub use path::{Refusal, Target, parse as parse_target};
pub use plan::plan;
pub use range::{MAX_RANGES, Selection, Span, select};
pub use representation::{Content, Description, Representation, Variants};
pub use request::{Method, Moment, Request, Wanted};
pub use root::{Links, Miss, Opened, Root, RootError};
pub use site::{Site, SiteStats};
