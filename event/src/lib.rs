//! The vocabulary of Bongsu: what an event is, how things are named, and the catalogue of fields.
//!
//! This room has no I/O and no wire format. Everything a host or an attacker controls is bytes ([`bstr::BString`]) until an
//! edge renders it escaped; nothing here assumes UTF-8.

mod activity;
pub mod catalogue;
mod id;
mod process;
mod severity;
mod shown;
mod time;

pub use activity::{
    Activity, Authentication, Capabilities, ConnectResult, Dns, DnsAnswer, Exec, ExecFailed, Family, FileActivity,
    FileOperation, ImageTraits, IoUring, IoUringOperation, Log, LogMeaning, Login, Mount, MountOperation,
    NamespaceChange, NamespaceKinds, NamespaceWay, NetworkActivity, NetworkOperation, Outcome, Owner, Suppressed,
    Tamper, TamperOperation, Target, TlsHello, Traffic, Transport,
};
pub use id::{EventId, EvidenceId, ParseIdError, ProcessKey, SensorId};
pub use process::{Account, Ancestor, ContainerNames, Context, Credentials, Namespaces, Pod, Process};
pub use severity::{ParseSeverityError, Severity};
pub use shown::Shown;
pub use time::Timestamp;

use std::sync::Arc;

use bstr::BString;

/// One thing that happened on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When it happened, by the host's clock.
    pub time: Timestamp,
    /// Who did it. Absent for log lines, whose writer is not known to us.
    pub process: Option<Arc<Process>>,
    /// What was done.
    pub activity: Activity,
}

/// An event together with what the correlator knows about where it came from.
///
/// The identity is the certificate's, never the payload's (promise 5 of the design).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// The key of the event in the store: sensor, epoch and sequence number.
    pub id: EventId,
    /// The name the host claims. A label for people, never an identity.
    pub host: Arc<BString>,
    /// What happened.
    pub event: Event,
}
