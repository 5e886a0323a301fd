//! All windows, by key.

use super::Window;
use crate::sample::WindowKey;

/// Windows by key, spread over the map's shards by the key, which is a keyed hash already.
pub type Windows = dashmap::DashMap<WindowKey, Window, KeyIsHash>;

/// Takes the low half of a [`WindowKey`] for its hash.
#[derive(Debug, Clone, Copy, Default)]
pub struct KeyIsHash;

impl std::hash::BuildHasher for KeyIsHash {
    type Hasher = LowHalf;
    fn build_hasher(&self) -> LowHalf {
        LowHalf(0)
    }
}

/// See [`KeyIsHash`].
#[derive(Debug, Clone, Copy)]
pub struct LowHalf(u64);

impl std::hash::Hasher for LowHalf {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
    #[allow(clippy::cast_possible_truncation, reason = "half of the key is enough of a hash")]
    fn write_u128(&mut self, key: u128) {
        self.0 = key as u64;
    }
}
