//! How much of the stack each kernel program takes.
//!
//! The kernel gives a program and the functions it calls 512 bytes together, and refuses those that take more; kernels before 6.13 count a
//! global function with its caller. What the compiler makes of the same source differs a little from one compiler to the next, so a program that
//! comes near the limit here is over it elsewhere.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SymbolKind};

/// The kernel's 512 less what the deepest function takes that programs call from here (`charge`, 56), and some for other compilers.
const STACK_MAX: u64 = 424;

/// The register that points to the end of a function's frame.
const FRAME: u8 = 10;

/// Refuses an object with a function that takes too much.
pub(super) fn check(object: &[u8]) -> Result<()> {
    let mut too_deep: Vec<String> = depths(object)?
        .into_iter()
        .filter(|(_, bytes)| *bytes > STACK_MAX)
        .map(|(name, bytes)| format!("{name} takes {bytes}"))
        .collect();
    if too_deep.is_empty() {
        return Ok(());
    }
    too_deep.sort();
    bail!("kernel programs may take {STACK_MAX} bytes of the stack: {}", too_deep.join(", "))
}

/// Bytes of the stack by function.
fn depths(object: &[u8]) -> Result<BTreeMap<String, u64>> {
    let file = object::File::parse(object).context("the object cannot be read")?;
    let mut depths = BTreeMap::new();
    for symbol in file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0) {
        let section = file.section_by_index(symbol.section_index().context("a function without a section")?)?;
        let (start, size) = (usize::try_from(symbol.address())?, usize::try_from(symbol.size())?);
        let code = section.data()?.get(start..start + size).context("a function beyond its section")?;
        depths.insert(symbol.name()?.to_owned(), depth(code));
    }
    Ok(depths)
}

/// How far below the frame's end the code reads, writes or points (RFC 9669, the instruction set).
fn depth(code: &[u8]) -> u64 {
    const COPY: u8 = 0xbf;
    const ADD: u8 = 0x07;
    let mut deepest = 0;
    // Registers that were made to point to the frame, as bits.
    let mut pointers = 0_u16;
    for instruction in code.as_chunks::<8>().0 {
        let [opcode, registers, offset_low, offset_high, number @ ..] = *instruction;
        let (to, from) = (registers & 0xf, registers >> 4);
        let (offset, number) = (i16::from_le_bytes([offset_low, offset_high]), i32::from_le_bytes(number));
        let reached = match opcode & 0x07 {
            1 if from == FRAME => i32::from(offset),
            2 | 3 if to == FRAME => i32::from(offset),
            _ if opcode == ADD && pointers & (1 << to) != 0 => number,
            _ => 0,
        };
        match opcode {
            COPY if from == FRAME => pointers |= 1 << to,
            _ if matches!(opcode & 0x07, 1 | 4 | 7) => pointers &= !(1 << to),
            _ => {}
        }
        deepest = deepest.max(u64::from(reached.min(0).unsigned_abs()));
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn instruction(opcode: u8, to: u8, from: u8, offset: i16, number: i32) -> [u8; 8] {
        let ([a, b], [c, d, e, f]) = (offset.to_le_bytes(), number.to_le_bytes());
        [opcode, to | from << 4, a, b, c, d, e, f]
    }

    #[test]
    fn the_deepest_place_of_the_frame_counts_however_it_is_reached() {
        let store = instruction(0x7b, 10, 1, -16, 0);
        let load = instruction(0x79, 1, 10, -24, 0);
        let elsewhere = instruction(0x7b, 1, 2, -400, 0);
        let pointed = [instruction(0xbf, 2, 10, 0, 0), instruction(0x07, 2, 0, 0, -40)].concat();
        // The register holds something else by then.
        let replaced = [instruction(0xbf, 3, 10, 0, 0), instruction(0xb7, 3, 0, 0, 1), instruction(0x07, 3, 0, 0, -80)];
        assert_eq!(depth(&store), 16);
        assert_eq!(depth(&[store, load, elsewhere].concat()), 24);
        assert_eq!(depth(&[&load[..], &pointed].concat()), 40);
        assert_eq!(depth(&replaced.concat()), 0);
    }
}
