//! Arguments in percent encoding, `mup2 --encoded WORD…`: words without spaces, quotes or
//! backslashes, which xargs, GNU parallel, make and every shell pass on as they are.

use mup2_scaling::error::Error;
use std::ffi::OsString;

/// The first argument, where all others are encoded.
pub const ENCODED: &str = "--encoded";

/// `word` with `%XX` for every byte that some tool may take for more than itself.
pub fn encoded(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./=:,+@".contains(&byte);
    let mut text = String::new();
    for byte in word.bytes() {
        match is_plain(byte) {
            true => text.push(char::from(byte)),
            false => text += &format!("%{byte:02X}"),
        }
    }
    text
}

/// # Errors
/// When `word` is not what [`encoded`] makes.
fn decoded(word: &str) -> Result<String, Error> {
    let mut bytes = Vec::new();
    let mut rest = word.bytes();
    while let Some(byte) = rest.next() {
        let digit = |digit: Option<u8>| char::from(digit?).to_digit(16);
        match byte {
            b'%' => match (digit(rest.next()), digit(rest.next())) {
                (Some(high), Some(low)) => bytes.push((high * 16 + low) as u8),
                _ => return Err(wrong(word)),
            },
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).map_err(|_| wrong(word))
}

fn wrong(word: &str) -> Error {
    Error::invalid(
        format!("{ENCODED} {word}"),
        "is not percent-encoded UTF-8",
        "lines of `mup2 sweep commands`, as they are",
    )
}

/// The program's arguments, decoded where the first one says so.
///
/// # Errors
/// When an argument is not encoded as it should be.
pub fn arguments() -> Result<Vec<OsString>, Error> {
    let given: Vec<OsString> = std::env::args_os().collect();
    match &given[..] {
        [program, first, words @ ..] if first == ENCODED => {
            let decode = |word: &OsString| match word.to_str() {
                Some(word) => decoded(word).map(OsString::from),
                None => Err(wrong(&word.to_string_lossy())),
            };
            let words = words.iter().map(decode).collect::<Result<Vec<_>, _>>()?;
            Ok([vec![program.clone()], words].concat())
        }
        _ => Ok(given),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back_whatever_they_hold() {
        for word in [
            "plain-word_1.toml",
            "it's \"one\"",
            "a\\b\nc",
            "é %41 {} $x",
            "",
            "x=[1, 2]",
        ] {
            let text = encoded(word);
            assert_eq!(decoded(&text).unwrap(), word);
            assert!(
                !text.contains([' ', '\'', '"', '\\', '{', '$', '\n']),
                "{text}"
            );
        }
        for wrong in ["%", "%4", "%zz", "%ff"] {
            assert!(decoded(wrong).is_err(), "{wrong}");
        }
    }
}
