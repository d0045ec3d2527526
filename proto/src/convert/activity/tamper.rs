//! What programs rarely do and attackers often.

use bongsu_event::{IoUring, IoUringOperation, Tamper, TamperOperation, Target};

use super::{
    DecodeError, byte, bytes, encode_key, invalid, key,
    network::{decode_endpoint, encode_endpoint},
    optional,
};
use crate::v1::{self, tamper::Operation};

const OPERATIONS: [(TamperOperation, Operation); 10] = [
    (TamperOperation::Ptrace, Operation::Ptrace),
    (TamperOperation::WriteMemory, Operation::WriteMemory),
    (TamperOperation::OpenMemory, Operation::OpenMemory),
    (TamperOperation::LoadModule, Operation::LoadModule),
    (TamperOperation::UnloadModule, Operation::UnloadModule),
    (TamperOperation::LoadBpf, Operation::LoadBpf),
    (TamperOperation::LoadKernel, Operation::LoadKernel),
    (TamperOperation::WriteExecute, Operation::WriteExecute),
    (TamperOperation::MakeMemfd, Operation::MakeMemfd),
    (TamperOperation::RawSocket, Operation::RawSocket),
];

pub(super) fn encode(tamper: &Tamper) -> v1::Tamper {
    let operation = OPERATIONS.iter().find(|(operation, _)| *operation == tamper.operation).map(|(_, wire)| *wire);
    v1::Tamper {
        operation: operation.unwrap_or(Operation::Unspecified).into(),
        target: tamper.target.as_ref().map(|target| v1::Target {
            key: Some(encode_key(target.key)),
            executable: bytes(&target.executable),
            comm: bytes(&target.comm),
        }),
        name: optional(tamper.name.as_ref()),
        number: tamper.number,
    }
}

pub(super) fn decode(tamper: v1::Tamper) -> Result<Tamper, DecodeError> {
    let operation = OPERATIONS.iter().find(|(_, wire)| *wire == tamper.operation()).map(|(operation, _)| *operation);
    let target = tamper.target.map(|target| {
        Ok(Target {
            key: key(target.key.as_ref(), "tamper.target.key")?,
            executable: target.executable.into(),
            comm: target.comm.into(),
        })
    });
    Ok(Tamper {
        operation: operation.ok_or_else(|| invalid("tamper.operation", tamper.operation))?,
        target: target.transpose()?,
        name: tamper.name.map(Into::into),
        number: tamper.number,
    })
}

pub(super) fn encode_ring(ring: &IoUring) -> v1::IoUring {
    v1::IoUring {
        operation: ring.operation.0.into(),
        path: optional(ring.path.as_ref()),
        remote: ring.remote.map(encode_endpoint),
    }
}

pub(super) fn decode_ring(ring: v1::IoUring) -> Result<IoUring, DecodeError> {
    Ok(IoUring {
        operation: IoUringOperation(byte(ring.operation, "io_uring.operation")?),
        path: ring.path.map(Into::into),
        remote: ring.remote.map(|remote| decode_endpoint(&remote, "io_uring.remote")).transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_a_number_on_the_wire() {
        for operation in TamperOperation::ALL {
            assert!(OPERATIONS.iter().any(|(known, _)| *known == operation), "{operation:?}");
        }
    }
}
