//! From bytes to lines.

/// A line longer than this is cut; the rest of it is dropped.
pub(super) const LINE_BYTES_MAX: usize = 64 * 1024;

/// Cuts a stream of bytes into lines; holds the beginning of an unfinished one.
#[derive(Debug, Default)]
pub(super) struct LineCutter {
    partial: Vec<u8>,
    /// The rest of a line that was cut is being dropped.
    skipping: bool,
}

impl LineCutter {
    pub(super) fn new(skipping: bool) -> Self {
        Self { partial: Vec::new(), skipping }
    }

    /// Bytes that were taken in and are not part of a finished line.
    pub(super) fn held(&self) -> usize {
        self.partial.len()
    }

    pub(super) fn is_skipping(&self) -> bool {
        self.skipping
    }

    /// Takes bytes in and adds the lines they finish; returns how many lines had to be cut.
    pub(super) fn push(&mut self, bytes: &[u8], lines: &mut Vec<Vec<u8>>) -> u64 {
        let mut cut = 0;
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (piece, ends) = match piece.split_last() {
                Some((b'\n', line)) => (line, true),
                _ => (piece, false),
            };
            if !self.skipping {
                let room = LINE_BYTES_MAX - self.partial.len();
                self.partial.extend_from_slice(&piece[..piece.len().min(room)]);
                if piece.len() > room {
                    cut += 1;
                    self.skipping = true;
                    self.finish(lines);
                }
            }
            if ends && !std::mem::take(&mut self.skipping) {
                self.finish(lines);
            }
        }
        cut
    }

    /// Makes a line of what is held: the file ended without a line end.
    pub(super) fn finish(&mut self, lines: &mut Vec<Vec<u8>>) {
        let mut line = std::mem::take(&mut self.partial);
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        if !line.is_empty() {
            lines.push(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[test]
    fn lines_are_cut_where_they_end() {
        type Case = (&'static [&'static [u8]], &'static [&'static [u8]], usize);
        let cases: [Case; 6] = [
            (&[b"a\nb\n"], &[b"a", b"b"], 0),
            (&[b"a", b"b\n", b"c"], &[b"ab"], 1),
            (&[b"\n\n\r\nx\r\n"], &[b"x"], 0),
            (&[b"\xff\x00\n"], &[b"\xff\x00"], 0),
            (&[b""], &[], 0),
            (&[b"a\r", b"\n"], &[b"a"], 0),
        ];
        for (pushes, expected, held) in cases {
            let (mut cutter, mut lines) = (LineCutter::default(), Vec::new());
            for bytes in pushes {
                assert_eq!(cutter.push(bytes, &mut lines), 0);
            }
            assert_eq!(lines, expected);
            assert_eq!(cutter.held(), held);
        }
    }

    #[test]
    fn a_long_line_is_cut_once_and_the_next_one_is_whole() {
        let (mut cutter, mut lines) = (LineCutter::default(), Vec::new());
        let long = vec![b'x'; LINE_BYTES_MAX + 1];
        assert_eq!(cutter.push(&long, &mut lines), 1);
        assert_eq!(cutter.push(&long, &mut lines), 0);
        assert_eq!(cutter.push(b"end\nnext\n", &mut lines), 0);
        assert_eq!((lines.len(), lines[0].len(), lines[1].as_slice()), (2, LINE_BYTES_MAX, &b"next"[..]));
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_the_bytes_arrive(bytes in vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..400), at in vec(0_usize..400, 0..8)) {
            let (mut whole, mut expected) = (LineCutter::default(), Vec::new());
            whole.push(&bytes, &mut expected);
            let (mut cutter, mut lines) = (LineCutter::default(), Vec::new());
            let mut cuts = at;
            cuts.retain(|cut| *cut <= bytes.len());
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            for pair in cuts.windows(2) {
                cutter.push(&bytes[pair[0]..pair[1]], &mut lines);
            }
            prop_assert_eq!(lines, expected);
            prop_assert_eq!(cutter.held(), whole.held());
        }
    }
}
