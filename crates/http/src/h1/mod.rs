//! HTTP/1.1 as a state machine: bytes in, events out; no sockets, no clock.
