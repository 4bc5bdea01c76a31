//! The fingerprint of a certificate: what a person can compare, and a client pin.

use std::fmt;
use std::str::FromStr;

/// The SHA-256 of a certificate in DER form, written `sha256:` and 64 hexadecimal
/// digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

/// A text that is no fingerprint.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is no fingerprint: expected `sha256:` and 64 hexadecimal digits")]
pub struct FingerprintError(String);

const PREFIX: &str = "sha256:";

impl Fingerprint {
    /// Of the certificate whose DER form is `certificate`.
    pub fn of(certificate: &[u8]) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, certificate);
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest.as_ref());
        Self(bytes)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(PREFIX)?;
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// Other tools write it without the prefix, in capitals, or with colons between the
/// bytes: what they print can be pasted.
impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        let refused = || FingerprintError(text.to_owned());
        let is_prefixed = text
            .get(..PREFIX.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(PREFIX));
        let digits = if is_prefixed {
            &text[PREFIX.len()..]
        } else {
            text
        };
        let digits: Vec<u8> = digits.bytes().filter(|&byte| byte != b':').collect();
        if digits.len() != 64 || text.len() > PREFIX.len() + 64 + 31 {
            return Err(refused());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = str::from_utf8(pair).map_err(|_| refused())?;
            if !pair.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(refused());
            }
            *byte = u8::from_str_radix(pair, 16).map_err(|_| refused())?;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::Fingerprint;

    #[test]
    fn it_is_written_in_one_way_and_read_in_several() {
        // SHA-256 of the empty string (FIPS 180-4).
        let text = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let expected = Fingerprint::of(b"");
        assert_eq!(expected.to_string(), format!("sha256:{text}"));
        let pairs: Vec<&str> = (0..32).map(|at| &text[2 * at..2 * at + 2]).collect();
        for form in [
            expected.to_string(),
            text.to_owned(),
            text.to_uppercase(),
            format!("SHA256:{text}"),
            pairs.join(":"),
        ] {
            assert_eq!(form.parse(), Ok(expected), "{form}");
        }
        for wrong in ["", "sha256:", &text[1..], &format!("{text}0"), "sha1:00"] {
            assert!(wrong.parse::<Fingerprint>().is_err(), "{wrong}");
        }
        let signed = format!("+3{}", &text[2..]);
        assert!(signed.parse::<Fingerprint>().is_err());
    }
}
