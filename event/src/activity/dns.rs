//! Names that were asked for.

use std::net::{IpAddr, SocketAddr};

use bstr::BString;

use super::Transport;

/// A DNS question, or the answer to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dns {
    /// The name that was asked for, without the last dot; labels joined by dots.
    pub name: BString,
    /// The type that was asked for, as RFC 1035 numbers it: 1 for A, 28 for AAAA, 16 for TXT.
    pub kind: u16,
    /// What came back; absent in the question itself.
    pub answer: Option<DnsAnswer>,
    /// Over what it went.
    pub transport: Transport,
    /// The server.
    pub server: SocketAddr,
}

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DnsAnswer {
    /// The response code: 0 for no error, 3 for a name that does not exist.
    pub code: u8,
    /// The addresses among the answers.
    pub addresses: Vec<IpAddr>,
    /// The names among the answers (CNAME, MX, NS, PTR).
    pub names: Vec<BString>,
}

impl Dns {
    /// The type as people write it.
    #[must_use]
    pub fn kind_word(&self) -> String {
        let word = match self.kind {
            1 => "A",
            2 => "NS",
            5 => "CNAME",
            6 => "SOA",
            12 => "PTR",
            15 => "MX",
            16 => "TXT",
            28 => "AAAA",
            33 => "SRV",
            65 => "HTTPS",
            255 => "ANY",
            other => return other.to_string(),
        };
        word.to_owned()
    }
}

impl DnsAnswer {
    /// The response code as people write it.
    #[must_use]
    pub fn code_word(&self) -> String {
        let word = match self.code {
            0 => "NOERROR",
            1 => "FORMERR",
            2 => "SERVFAIL",
            3 => "NXDOMAIN",
            4 => "NOTIMP",
            5 => "REFUSED",
            other => return other.to_string(),
        };
        word.to_owned()
    }
}
