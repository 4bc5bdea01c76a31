//! Who serves which connection: four concurrency models over any [`Protocol`].
//!
//! | model | a connection has | start reading at |
//! |---|---|---|
//! | sequential | the only thread, until it ends | [`sequential`] |
//! | threads | a thread of a fixed number | [`threads`] |
//! | events | a place in the loop of a core | [`events`] |
//! | processes | a place in the loop of a process | [`processes`] |
//!
//! What all of them share is small: how they listen ([`listeners`]), how the next
//! connection finds its worker ([`Strategy`]), how many there may be ([`Admission`]), and
//! how they end ([`Drain`]). What a service manager has to do with any of them is in
//! [`activation`]. How one connection is driven is the protocol's business,
//! [`crate::serve`] for instance.

pub mod activation;
mod admission;
mod balance;
mod deferred;
mod descriptors;
mod drain;
mod event_loop;
pub mod events;
mod inherit;
mod listen;
mod name;
mod one;
pub mod processes;
mod protocol;
mod queue;
mod refuse;
pub mod sequential;
mod tasks;
mod team;
pub mod threads;

pub use admission::{Admission, Bounds, Slots};
pub use balance::Strategy;
pub use deferred::accept_with_data;
pub use descriptors::{TooFewDescriptors, expect_descriptors, raise_descriptors};
pub use drain::Drain;
pub use inherit::listeners_for;
pub use listen::{datagram_sockets, listeners};
pub use name::ModelName;
pub use one::Patience;
pub use protocol::{Counts, FIGURES, Figures, Phase, Protocol};
pub use refuse::Refused;
