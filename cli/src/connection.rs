//! Where the correlator is and with which token to ask it. The only room that reads the environment.

use std::{
    env, fmt, fs, io,
    path::{Path, PathBuf},
};

use reqwest::Url;
use serde::Deserialize;

use crate::args::ConnectionArgs;

const STATE_DIR: &str = "/var/lib/bongsu-correlator";
/// Written by the correlator at every start.
const ENDPOINTS: &str = "endpoints.json";
/// Made by the correlator at its first run.
const ADMIN_TOKEN: &str = "admin-token";
const TOKEN_BYTES_MAX: usize = 4096;

/// Where to ask, and as whom.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) url: Url,
    pub(crate) token: Token,
}

/// A secret that is never shown.
pub(crate) struct Token(pub(crate) String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Why it is not known where to ask or as whom.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionError {
    #[error("{text:?} is not an http or https URL")]
    Url { text: String },
    #[error("cannot read where the correlator is from {path} (give --url or BONGSU_URL, or the right --state-dir)")]
    Endpoints { path: PathBuf, source: io::Error },
    #[error("{path} does not say where the correlator is")]
    EndpointsMeaning { path: PathBuf, source: serde_json::Error },
    #[error("cannot read a token from {path} (give --token-file or BONGSU_TOKEN, or run as the correlator's user)")]
    Token { path: PathBuf, source: io::Error },
    #[error("{place} holds no token: one line of printable ASCII is expected")]
    TokenForm { place: String },
    #[error("a token is not sent without TLS to {host}: use https, or a loopback address")]
    Plain { host: String },
}

#[derive(Deserialize)]
struct Endpoints {
    url: String,
}

/// Puts together what arguments, environment and state directory say, in this order.
pub(crate) fn resolve(args: &ConnectionArgs) -> Result<Connection, ConnectionError> {
    let variable = |name| env::var(name).ok().filter(|value| !value.is_empty());
    let state_dir = args
        .state_dir
        .clone()
        .or_else(|| variable("BONGSU_STATE_DIR").map(PathBuf::from))
        .unwrap_or_else(|| PathBuf::from(STATE_DIR));
    let url = match args.url.clone().or_else(|| variable("BONGSU_URL")) {
        Some(url) => url,
        None => endpoint(&state_dir.join(ENDPOINTS))?,
    };
    let url = checked(&url)?;
    let token = match (&args.token_file, variable("BONGSU_TOKEN")) {
        (Some(path), _) => token_in(path)?,
        (None, Some(token)) => token_of(&token, "BONGSU_TOKEN")?,
        (None, None) => token_in(&state_dir.join(ADMIN_TOKEN))?,
    };
    Ok(Connection { url, token })
}

fn endpoint(path: &Path) -> Result<String, ConnectionError> {
    let text = fs::read(path).map_err(|source| ConnectionError::Endpoints { path: path.to_owned(), source })?;
    let endpoints: Endpoints = serde_json::from_slice(&text)
        .map_err(|source| ConnectionError::EndpointsMeaning { path: path.to_owned(), source })?;
    Ok(endpoints.url)
}

/// An absolute http or https URL; plain http only to this very machine, for a token goes with every request.
fn checked(text: &str) -> Result<Url, ConnectionError> {
    let refuse = || ConnectionError::Url { text: text.to_owned() };
    let url = Url::parse(text).ok().ok_or_else(refuse)?;
    let host = url.host_str().ok_or_else(refuse)?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(host) => Ok(url),
        "http" => Err(ConnectionError::Plain { host: host.to_owned() }),
        _ => Err(refuse()),
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn token_in(path: &Path) -> Result<Token, ConnectionError> {
    let text = fs::read_to_string(path).map_err(|source| ConnectionError::Token { path: path.to_owned(), source })?;
    token_of(&text, &path.display().to_string())
}

fn token_of(text: &str, place: &str) -> Result<Token, ConnectionError> {
    let token = text.trim();
    if token.is_empty() || token.len() > TOKEN_BYTES_MAX || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ConnectionError::TokenForm { place: place.to_owned() });
    }
    Ok(Token(token.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_travels_in_the_clear_only_on_this_machine() {
        for fine in ["http://127.0.0.1:8470", "http://[::1]:8700/", "http://localhost:1", "https://bongsu.example"] {
            assert!(checked(fine).is_ok(), "{fine}");
        }
        for refused in ["http://10.0.0.5:8700", "http://127.0.0.1.example/", "ftp://127.0.0.1", "127.0.0.1:80", ""] {
            assert!(checked(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn a_token_is_one_printable_line() {
        assert_eq!(token_of("abc\n", "x").unwrap().0, "abc");
        for refused in ["", "\n", "two words", "two\nlines", "caf\u{e9}"] {
            assert!(token_of(refused, "x").is_err(), "{refused:?}");
        }
    }
}
