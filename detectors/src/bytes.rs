//! Records' bytes as they are saved: as such, not as the list of numbers that serde makes of a slice,
//! which takes several times as long to write. Both are read alike.

use std::sync::Arc;

use serde::{Serialize, Serializer};

pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

/// The same where there may be none.
pub(crate) fn serialize_option<S: Serializer>(
    bytes: &Option<Arc<[u8]>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    struct Bytes<'b>(&'b [u8]);

    impl Serialize for Bytes<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_bytes(self.0)
        }
    }

    bytes.as_deref().map(Bytes).serialize(serializer)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Both {
        #[serde(serialize_with = "crate::bytes::serialize")]
        one: Arc<[u8]>,
        #[serde(serialize_with = "crate::bytes::serialize_option")]
        other: Option<Arc<[u8]>>,
    }

    #[test]
    fn what_is_written_and_what_was_written_is_read() {
        for other in [None, Some(Arc::from([7_u8].as_slice()))] {
            let both = Both { one: Arc::from([1_u8, 200].as_slice()), other };
            // JSON has no bytes, so these are lists, as all were.
            let json = serde_json::to_string(&both).unwrap();
            assert_eq!(serde_json::from_str::<Both>(&json).unwrap(), both);
        }
    }
}
