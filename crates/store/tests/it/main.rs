//! Everything that `store` promises, tried from outside: one binary, a module
//! per part.

mod log_crash;
