//! The five levels of severity, as many as a beacon tower had fires.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// How bad it is, from one fire to five.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth keeping, not worth reading.
    Info,
    /// Unusual, and usually harmless.
    Low,
    /// Somebody should look at it this week.
    Medium,
    /// Somebody should look at it today.
    High,
    /// Somebody should look at it now.
    Critical,
}

impl Severity {
    /// All levels, lowest first.
    pub const ALL: [Self; 5] = [Self::Info, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The number of fires: 1 for `info` to 5 for `critical`.
    #[must_use]
    pub const fn fires(self) -> u8 {
        self as u8 + 1
    }

    /// The level with so many fires, if there is one.
    #[must_use]
    pub fn from_fires(fires: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.fires() == fires)
    }

    /// The level's name, in lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that names no severity.
#[derive(Debug, thiserror::Error)]
#[error("unknown severity {0:?}: expected one of info, low, medium, high, critical")]
pub struct ParseSeverityError(pub String);

impl FromStr for Severity {
    type Err = ParseSeverityError;

    /// Sigma writes `informational` for our `info`; both are read.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "informational" => Ok(Self::Info),
            _ => Self::ALL
                .into_iter()
                .find(|level| level.as_str() == text)
                .ok_or_else(|| ParseSeverityError(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_survives_its_name_and_its_fires() {
        for level in Severity::ALL {
            assert_eq!(level.as_str().parse::<Severity>().unwrap(), level);
            assert_eq!(Severity::from_fires(level.fires()), Some(level));
        }
        assert!("urgent".parse::<Severity>().is_err());
        assert_eq!(Severity::from_fires(0), None);
        assert_eq!(Severity::from_fires(6), None);
    }
}
