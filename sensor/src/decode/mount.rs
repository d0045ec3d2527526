//! Records of mounts.

use bongsu_event::{Mount, MountOperation};
use bongsu_sensor_abi as abi;

use super::{
    DecodeError, head,
    path::{self, Text},
};

pub(super) fn mount(bytes: &[u8], operation: MountOperation) -> Result<Mount, DecodeError> {
    let record: abi::Mount = head(bytes)?;
    let has = |flag| record.header.flags & flag != 0;
    let mut text = Text::behind::<abi::Mount>(bytes);
    let cut = has(abi::Mount::PATH_CUT);
    let source = if has(abi::Mount::SOURCE_IS_PATH) {
        path::located(&mut text, record.source, cut)?
    } else {
        path::string(text.take(record.source.name_len)?)
    };
    let target = path::located(&mut text, record.target, cut)?;
    let kind = path::string(text.take(record.kind_len)?);
    Ok(Mount { operation, source, target, kind, flags: record.flags })
}

#[cfg(test)]
mod tests {
    use super::*;
    use abi::{Header, PathText, Record as _};

    fn decoded(flags: u32, source: (u16, u16), text: &[u8]) -> Result<Mount, DecodeError> {
        let path = |(walk_len, name_len)| PathText { walk_len, name_len };
        let header = Header { flags, ..Header::default() };
        let record = abi::Mount {
            header,
            flags: 9,
            source: path(source),
            target: path((4, 2)),
            kind_len: 4,
            ..abi::Mount::default()
        };
        mount(&[record.as_bytes(), text].concat(), MountOperation::Mount)
    }

    #[test]
    fn a_source_is_a_path_or_a_name() {
        let expected = |source: &str| Mount {
            operation: MountOperation::Mount,
            source: source.into(),
            target: "/a/b/t".into(),
            kind: "xfs".into(),
            flags: 9,
        };
        assert_eq!(decoded(0, (0, 5), b"none\0b\0a\0t\0xfs\0"), Ok(expected("none")));
        assert_eq!(decoded(abi::Mount::SOURCE_IS_PATH, (2, 2), b"d\0s\0b\0a\0t\0xfs\0"), Ok(expected("/d/s")));
        assert_eq!(decoded(0, (0, 5), b"none\0b\0"), Err(DecodeError::Text));
    }
}
