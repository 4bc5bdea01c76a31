//! Access and error logs: whole records through a bounded channel.
