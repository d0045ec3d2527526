//! Ledgers as they come in: bounded, and no number that the store cannot hold.

use bongsu_event::Timestamp;
use bongsu_proto::v1;

use crate::store::{LedgerFigures, ShedRow};

const SHED_MAX: usize = 64;
const WORD_BYTES_MAX: usize = 64;

/// Why a ledger is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum LedgerError {
    #[error("the ledger's {0} is beyond what can be counted")]
    Uncountable(&'static str),
    #[error("the ledger names more than {SHED_MAX} reasons for shedding")]
    Reasons,
    #[error("a word of the ledger has more than {WORD_BYTES_MAX} bytes")]
    Word,
}

/// The figures of a ledger. Its ranges are not needed here: batches name each shed number.
pub(super) fn read(ledger: v1::Ledger) -> Result<LedgerFigures, LedgerError> {
    let counted = |what, number: u64| {
        if i64::try_from(number).is_err() { Err(LedgerError::Uncountable(what)) } else { Ok(number) }
    };
    if ledger.shed.len() > SHED_MAX {
        return Err(LedgerError::Reasons);
    }
    let shed = ledger.shed.into_iter().map(|shed| {
        if shed.class.len().max(shed.reason.len()) > WORD_BYTES_MAX {
            return Err(LedgerError::Word);
        }
        Ok(ShedRow { class: shed.class, reason: shed.reason, count: counted("shed", shed.count)? })
    });
    Ok(LedgerFigures {
        kernel_emitted: counted("kernel_emitted", ledger.kernel_emitted)?,
        read: counted("read", ledger.read)?,
        ring_lost: counted("ring_lost", ledger.ring_lost)?,
        suppressed: counted("suppressed", ledger.suppressed)?,
        last_seq: counted("last_seq", ledger.last_seq)?,
        spooled: counted("spooled", ledger.spooled)?,
        acked: counted("acked", ledger.acked)?,
        shed: shed.collect::<Result<_, _>>()?,
        as_of: Timestamp(ledger.time),
    })
}
