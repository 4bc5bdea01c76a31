//! One hash for a whole tree, cheap to keep while the tree changes.
//!
//! A **node hash** is BLAKE3 over an item's name and state, without any id, so
//! a client computes it from its own files:
//!
//! ```text
//! name length (u16 LE) · name · kind (u8) · mode (u16 LE) · seconds (i64 LE) · nanoseconds (u32 LE) · rest
//!   kind 1, file:      rest = content hash (32 bytes)
//!   kind 2, directory: rest = directory sum (32 bytes, little-endian)
//!   kind 3, link:      rest = target length (u32 LE) · target
//! ```
//!
//! A **directory sum** is the sum of its children's node hashes, each read as
//! a little-endian number, modulo 2^256. The order of children does not matter,
//! so one change subtracts the old hash and adds the new: O(depth) for a change,
//! whatever the size of its directories. The **root hash** is the root's node
//! hash under an empty name.
//!
//! A sum of hashes finds every accident, but is not collision-resistant
//! against someone who may choose a directory's contents (Wagner's generalised
//! birthday attack). That is enough here: who may write a space can change it
//! openly, and contents themselves are named by plain BLAKE3.

use base::Hash;
use meta::{Kind, Metadata};

/// A directory sum: a number modulo 2^256. An empty directory's is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Sum([u64; 4]);

impl Sum {
    /// The sum of no children.
    pub const EMPTY: Self = Self([0; 4]);

    /// From its 32 bytes, least significant first.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        let mut limbs = [0; 4];
        for (limb, chunk) in limbs.iter_mut().zip(bytes.chunks_exact(8)) {
            *limb = u64::from_le_bytes(chunk.try_into().expect("chunks_exact gives 8 bytes"));
        }
        Self(limbs)
    }

    /// Its 32 bytes, least significant first.
    pub fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (chunk, limb) in bytes.chunks_exact_mut(8).zip(self.0) {
            chunk.copy_from_slice(&limb.to_le_bytes());
        }
        bytes
    }

    /// Adds a child's node hash.
    pub fn add(&mut self, node: &Hash) {
        let mut carry = false;
        for (limb, addend) in self.0.iter_mut().zip(Self::from_bytes(node.as_bytes()).0) {
            let (partial, first) = limb.overflowing_add(addend);
            let (total, second) = partial.overflowing_add(u64::from(carry));
            *limb = total;
            carry = first | second;
        }
    }

    /// Takes away the node hash of a child that was added before.
    pub fn subtract(&mut self, node: &Hash) {
        let mut borrow = false;
        for (limb, subtrahend) in self.0.iter_mut().zip(Self::from_bytes(node.as_bytes()).0) {
            let (partial, first) = limb.overflowing_sub(subtrahend);
            let (total, second) = partial.overflowing_sub(u64::from(borrow));
            *limb = total;
            borrow = first | second;
        }
    }
}

/// The node hash of an item. `sum` counts for directories only; the root of a
/// space has the empty name.
pub fn node_hash(name: &str, state: &Metadata, sum: Sum) -> Hash {
    // Name, fixed fields and a hash: links alone grow past this.
    let mut bytes = Vec::with_capacity(name.len() + 64);
    bytes.extend_from_slice(&(name.len() as u16).to_le_bytes());
    bytes.extend_from_slice(name.as_bytes());
    bytes.push(match state.kind {
        Kind::File { .. } => 1,
        Kind::Directory => 2,
        Kind::Symlink(_) => 3,
    });
    bytes.extend_from_slice(&(state.mode.bits() as u16).to_le_bytes());
    bytes.extend_from_slice(&state.modified.seconds().to_le_bytes());
    bytes.extend_from_slice(&state.modified.nanoseconds().to_le_bytes());
    match &state.kind {
        Kind::File { hash, .. } => bytes.extend_from_slice(hash.as_bytes()),
        Kind::Directory => bytes.extend_from_slice(&sum.to_bytes()),
        Kind::Symlink(target) => {
            bytes.extend_from_slice(&(target.as_str().len() as u32).to_le_bytes());
            bytes.extend_from_slice(target.as_str().as_bytes());
        }
    }
    Hash::of(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::{Mode, Target, Timestamp};
    use proptest::prelude::{any, prop_assert_eq, proptest};

    proptest! {
        #[test]
        fn sums_forget_order_and_what_was_taken_away(nodes in proptest::collection::vec(any::<[u8; 32]>(), 0..8)) {
            let nodes: Vec<Hash> = nodes.into_iter().map(Hash::from_bytes).collect();
            let (mut forwards, mut backwards) = (Sum::EMPTY, Sum::EMPTY);
            nodes.iter().for_each(|node| forwards.add(node));
            nodes.iter().rev().for_each(|node| backwards.add(node));
            prop_assert_eq!(forwards, backwards);
            prop_assert_eq!(Sum::from_bytes(&forwards.to_bytes()), forwards);
            nodes.iter().for_each(|node| forwards.subtract(node));
            prop_assert_eq!(forwards, Sum::EMPTY);
        }
    }

    #[test]
    fn carries_cross_limbs() {
        let mut sum = Sum::EMPTY;
        sum.add(&Hash::from_bytes([0xff; 32]));
        let mut one = [0; 32];
        one[0] = 1;
        sum.add(&Hash::from_bytes(one));
        assert_eq!(sum, Sum::EMPTY);
        sum.subtract(&Hash::from_bytes(one));
        assert_eq!(sum.to_bytes(), [0xff; 32]);
    }

    #[test]
    fn every_field_counts() {
        let modified = Timestamp::new(1, 2).unwrap();
        let file = |hash: &[u8], mode| {
            Metadata::file(Hash::of(hash), 1, Mode::new(mode).unwrap(), modified).unwrap()
        };
        let directory = Metadata::directory(Mode::DIRECTORY, modified);
        let link = Metadata::symlink(Target::new("x").unwrap(), modified);
        let mut full = Sum::EMPTY;
        full.add(&Hash::of(b"child"));
        let nodes = [
            node_hash("a", &file(b"x", 0o644), Sum::EMPTY),
            node_hash("b", &file(b"x", 0o644), Sum::EMPTY),
            node_hash("a", &file(b"y", 0o644), Sum::EMPTY),
            node_hash("a", &file(b"x", 0o600), Sum::EMPTY),
            node_hash("a", &directory, Sum::EMPTY),
            node_hash("a", &directory, full),
            node_hash("a", &link, Sum::EMPTY),
            node_hash("", &directory, full),
        ];
        for (position, node) in nodes.iter().enumerate() {
            assert!(!nodes[..position].contains(node), "{position}");
        }
    }
}
