//! stub
/// stub
pub struct HardState;
