//! The join token: one word that a person copies from the correlator's terminal to a sensor's.
//!
//! `bgs1.` and base64url of: SHA-256 of the authority, secret, addresses joined by commas, CRC-32 of all that. The checksum is
//! there so that a paste that lost its end is told apart from a token that is spent.

use std::{fmt, str::FromStr};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

const PREFIX: &str = "bgs1.";
const DIGEST: usize = 32;
const CHECKSUM: usize = 4;
const ADDRESSES_MAX: usize = 16;
const TEXT_MAX: usize = 4_096;

/// What a sensor needs to enrol: where, with whom, and the right to.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken {
    /// `host:port` of the enrolment listener, best first.
    pub addresses: Vec<String>,
    /// SHA-256 of the authority's certificate (DER).
    pub authority_sha256: [u8; DIGEST],
    /// Spent by the first enrolment.
    pub secret: [u8; DIGEST],
}

/// Shows no secret.
impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinToken").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

/// The token as one word.
impl fmt::Display for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&self.authority_sha256);
        bytes.extend_from_slice(&self.secret);
        bytes.extend_from_slice(self.addresses.join(",").as_bytes());
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
        write!(f, "{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }
}

/// Why a word is not a join token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseTokenError {
    /// It starts otherwise.
    #[error("a join token starts with {PREFIX:?}")]
    Prefix,
    /// Part of it is missing or changed.
    #[error("the join token is damaged (part of it was not copied?)")]
    Damaged,
    /// It is whole and says nothing we understand.
    #[error("the join token names no address we understand")]
    Addresses,
}

impl FromStr for JoinToken {
    type Err = ParseTokenError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let body = text.strip_prefix(PREFIX).ok_or(ParseTokenError::Prefix)?;
        let decoded = Some(body).filter(|body| body.len() <= TEXT_MAX);
        let bytes =
            decoded.and_then(|body| BASE64_URL_SAFE_NO_PAD.decode(body).ok()).ok_or(ParseTokenError::Damaged)?;
        let (content, checksum) = bytes.split_last_chunk::<CHECKSUM>().ok_or(ParseTokenError::Damaged)?;
        if crc32fast::hash(content).to_be_bytes() != *checksum {
            return Err(ParseTokenError::Damaged);
        }
        let (authority, rest) = content.split_first_chunk::<DIGEST>().ok_or(ParseTokenError::Damaged)?;
        let (secret, addresses) = rest.split_first_chunk::<DIGEST>().ok_or(ParseTokenError::Damaged)?;
        let addresses = parse_addresses(addresses).ok_or(ParseTokenError::Addresses)?;
        Ok(Self { addresses, authority_sha256: *authority, secret: *secret })
    }
}

fn parse_addresses(bytes: &[u8]) -> Option<Vec<String>> {
    let addresses: Vec<String> = std::str::from_utf8(bytes).ok()?.split(',').map(str::to_owned).collect();
    let usable = |address: &String| {
        address.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
            && !address.contains(|c: char| c.is_control() || c.is_whitespace())
    };
    (addresses.len() <= ADDRESSES_MAX && addresses.iter().all(usable)).then_some(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> JoinToken {
        let addresses = vec!["correlator.example:7443".to_owned(), "[::1]:7443".to_owned()];
        JoinToken { addresses, authority_sha256: [7; 32], secret: [9; 32] }
    }

    #[test]
    fn a_token_survives_being_copied() {
        let text = token().to_string();
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)), "{text}");
        assert_eq!(format!(" {text}\n").parse(), Ok(token()));
    }

    #[test]
    fn a_paste_that_lost_its_end_is_called_damaged() {
        let text = token().to_string();
        for end in PREFIX.len()..text.len() {
            assert_eq!(text[..end].parse::<JoinToken>(), Err(ParseTokenError::Damaged), "cut at {end}");
        }
        assert_eq!("hello".parse::<JoinToken>(), Err(ParseTokenError::Prefix));
    }

    #[test]
    fn a_token_without_a_usable_address_is_refused() {
        for address in ["", "host", ":1", "host:99999", "a b:1"] {
            let text = JoinToken { addresses: vec![address.to_owned()], ..token() }.to_string();
            assert_eq!(text.parse::<JoinToken>(), Err(ParseTokenError::Addresses), "{address:?}");
        }
    }

    #[test]
    fn the_secret_stays_out_of_logs() {
        assert!(!format!("{:?}", token()).contains('9'));
    }
}
