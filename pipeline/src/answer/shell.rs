//! Words of a command line that may hold anything an attacker chose.
//!
//! Two dangers, two answers. The shell: a word is written between single quotes unless all of it is
//! known to be harmless, so nothing in it is expanded. The command: an option is written
//! `--name=value` in one word, so a value that begins with a dash is no option, and a value that
//! the AWS CLI would read from elsewhere (`file://..`, `http://..`) is refused. Characters that
//! steer a terminal are refused too: a paste would carry them past any quotes.

/// Longest value of an option, bytes; ARNs end at 2,048.
const VALUE_BYTES_MAX: usize = 2_048;

/// `--name=value` as one word of a POSIX shell; none where the value is not to be typed anywhere.
pub(crate) fn option(name: &str, value: &str) -> Option<String> {
    let fit = !value.is_empty()
        && value.len() <= VALUE_BYTES_MAX
        && !value.contains("://")
        && crate::encode::redact::printable(value) == value;
    fit.then(|| format!("--{name}={}", quoted(value)))
}

fn quoted(value: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-+,.@:/".contains(&b);
    if value.bytes().all(plain) {
        value.to_owned()
    } else {
        format!("'{}'", value.replace('\'', r"'\''"))
    }
}
