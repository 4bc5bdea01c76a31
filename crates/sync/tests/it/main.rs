//! Integration tests of the client's pure parts; what needs a node and a folder
//! is tested end to end, on the real binary.

mod convergence;
