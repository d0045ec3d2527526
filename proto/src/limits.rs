//! The bounds of the wire. The encoder keeps the same ones as the decoder, so nothing can be sent or stored that cannot be read.

/// Of a batch as it travels.
pub const BATCH_COMPRESSED_BYTES_MAX: usize = 1024 * 1024;
/// Of a batch after decompression.
pub const BATCH_PLAIN_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Events in a batch.
pub const BATCH_EVENTS_MAX: usize = 4_096;
/// Ranges of shed numbers in a batch.
pub const BATCH_SHED_RANGES_MAX: usize = 4_096;
/// Arguments, variables and DNS records in all events of a batch together: an empty one is two bytes on the wire and twelve times that in memory.
pub const BATCH_ARGS_MAX: usize = 262_144;
/// Of an encoded event.
pub const EVENT_BYTES_MAX: usize = 256 * 1024;
/// Arguments in an event, those of ancestors included.
pub const EVENT_ARGS_MAX: usize = 4_096;
/// Variables of the environment in an event. The encoder cuts there; sensors keep fewer.
pub const EVENT_ENVIRONMENT_MAX: usize = 2_048;
/// Addresses in a DNS answer, and names. The encoder cuts there; sensors read fewer.
pub const DNS_RECORDS_MAX: usize = 128;
/// Of a process's own arguments together. The encoder cuts there and says so by `args_cut`.
pub const PROCESS_ARGS_BYTES_MAX: usize = 64 * 1024;
/// A process's own arguments. The encoder cuts there and says so by `args_cut`.
pub const PROCESS_ARGS_MAX: usize = 2_048;
/// Of all ancestors' arguments together. The encoder cuts there: the ancestor's own exec event has them in full.
pub const ANCESTOR_ARGS_BYTES_MAX: usize = 32 * 1024;
/// All ancestors' arguments together. The encoder cuts there: the ancestor's own exec event has them in full.
pub const ANCESTOR_ARGS_MAX: usize = 2_048;
/// Of each text in what a sensor says about itself. The sensor cuts there.
pub const SELF_TEXT_BYTES_MAX: usize = 1024;
/// Data in one chunk of evidence.
pub const EVIDENCE_CHUNK_BYTES_MAX: usize = 256 * 1024;
/// Of one message of the session stream: the largest batch with its shed ranges, or the largest ledger.
pub const MESSAGE_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Of one message of the enrolment service.
pub const ENROLMENT_BYTES_MAX: usize = 16 * 1024;
/// Ranges that a ledger names for one class and reason.
pub const LEDGER_RANGES_MAX: usize = 1_024;
