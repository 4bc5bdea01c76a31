//! How often a client may ask: sliding windows and token buckets.
