//! What a sensor left out, because one process made too much of it.

use crate::Timestamp;

/// Events of one process that were left out: it made more of them than its budget allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suppressed {
    /// What kind they were of.
    pub family: Family,
    /// How many.
    pub count: u64,
    /// The first of them was left out then, or later.
    pub first: Timestamp,
    /// The last of them was left out then, or earlier.
    pub last: Timestamp,
}

macro_rules! families {
    ($($(#[$doc:meta])* $family:ident $number:literal $word:literal,)*) => {
        /// Events that share a budget.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Family {
            $($(#[$doc])* $family,)*
        }

        impl Family {
            /// Every family.
            pub const ALL: &[Self] = &[$(Self::$family,)*];

            /// Its word.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$family => $word,)* }
            }

            /// Its number, the same on the wire.
            #[must_use]
            pub const fn number(self) -> u32 {
                match self { $(Self::$family => $number,)* }
            }

            /// The family of that number.
            #[must_use]
            pub const fn from_number(number: u32) -> Option<Self> {
                match number { $($number => Some(Self::$family),)* _ => None }
            }
        }
    };
}

families! {
    /// What is done to files.
    File 1 "file",
    /// Reads of sensitive files.
    Sensitive 2 "sensitive",
    /// Connections and datagrams.
    Network 3 "network",
    /// What packets say: names asked for and answered, TLS clients.
    Packet 4 "packet",
    /// What a process does to itself: names, identities, capabilities, namespaces; and execs that fail.
    Process 5 "process",
    /// Tampering.
    Tamper 6 "tamper",
}
