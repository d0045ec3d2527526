//! Fuzzing without a special toolchain: inputs that mean something are flipped, cut, stretched and crossed, and the parser must return.
//!
//! Each parser's tests call [`fuzz`] beside their other tests, in functions named `fuzz_*`; as part of the suite with a fixed number of
//! cases from a fixed seed, and for as long as one likes through `cargo xtask fuzz`, which sets [`SECONDS`], with another seed each time.
//! What a parser must hold beyond returning it asserts itself. A failure shows the input. A target says whether the input made sense to
//! it: those that did are mutated further, so that not all ends at the first check.

mod wire;

use std::{
    env,
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant, SystemTime},
};

/// How long each target runs.
const SECONDS: &str = "BONGSU_FUZZ_SECONDS";
/// In the suite.
const CASES: u64 = 20_000;
const INPUT_MAX: usize = 4096;
/// Inputs kept for crossing and further mutation.
const CORPUS_MAX: usize = 512;
/// One case may take so long, on a machine that does much else.
const CASE_MAX: Duration = Duration::from_secs(5);
/// Lengths and counts are where parsers go wrong.
const NUMBERS: [u32; 14] = [0, 1, 2, 3, 4, 8, 16, 32, 64, 127, 255, 256, 0x7fff, u32::MAX];

/// xorshift64*: enough for mutations, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let rolled = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        usize::try_from(rolled).unwrap() % sides.max(1)
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.roll(256)).unwrap()
    }
}

/// Feeds `target` with mutations of `seeds`.
pub(crate) fn fuzz(seeds: Vec<Vec<u8>>, mut target: impl FnMut(&[u8]) -> bool) {
    let seconds: Option<u64> = env::var(SECONDS).ok().map(|text| text.parse().expect("a number of seconds"));
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos();
    let seed = seconds.map_or(1, |_| u64::try_from(now).unwrap() | 1);
    let mut dice = Dice(seed);
    let mut corpus = seeds;
    let (start, kept_for_ever) = (Instant::now(), corpus.len());
    assert!((1..CORPUS_MAX).contains(&kept_for_ever), "{kept_for_ever} seeds");
    for seed in &corpus {
        attempt(seed, &mut target);
    }
    let (mut cases, mut understood) = (0, 0_u64);
    while seconds.map_or(cases < CASES, |seconds| start.elapsed() < Duration::from_secs(seconds)) {
        // Half of the time a seed, so that what grew from them cannot crowd them out.
        let parents = if dice.roll(2) == 0 { kept_for_ever } else { corpus.len() };
        let mut input = corpus[dice.roll(parents)].clone();
        for _ in 0..=dice.roll(4) {
            mutate(&mut input, &corpus, &mut dice);
        }
        input.truncate(INPUT_MAX);
        let made_sense = attempt(&input, &mut target);
        cases += 1;
        understood += u64::from(made_sense);
        if made_sense && dice.roll(16) == 0 {
            if corpus.len() < CORPUS_MAX {
                corpus.push(input);
            } else {
                let at = kept_for_ever + dice.roll(CORPUS_MAX - kept_for_ever);
                corpus[at] = input;
            }
        }
    }
    let took = start.elapsed();
    println!("{cases} cases of {kept_for_ever} seeds, of which {understood} made sense, in {took:?}, dice {seed}");
}

/// Whether the input made sense.
fn attempt(input: &[u8], target: &mut impl FnMut(&[u8]) -> bool) -> bool {
    let start = Instant::now();
    let survived = catch_unwind(AssertUnwindSafe(|| target(input)));
    let hex = || input.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert!(start.elapsed() < CASE_MAX, "{:?} for {}", start.elapsed(), hex());
    survived.unwrap_or_else(|_| panic!("panics on {}", hex()))
}

fn mutate(input: &mut Vec<u8>, corpus: &[Vec<u8>], dice: &mut Dice) {
    let at = dice.roll(input.len());
    match dice.roll(9) {
        0 if !input.is_empty() => input[at] ^= 1 << dice.roll(8),
        1 if !input.is_empty() => input[at] = dice.byte(),
        2 => number(input, at, dice),
        3 => input.truncate(at),
        4 => {
            let more: Vec<u8> = (0..dice.roll(64)).map(|_| dice.byte()).collect();
            input.splice(at..at, more);
        }
        5 => {
            let end = (at + dice.roll(64)).min(input.len());
            input.drain(at..end);
        }
        6 => {
            let piece = input[at..(at + dice.roll(128)).min(input.len())].to_vec();
            input.splice(at..at, piece);
        }
        // The rest of another.
        7 => {
            let other = &corpus[dice.roll(corpus.len())];
            input.truncate(at);
            input.extend_from_slice(&other[at.min(other.len())..]);
        }
        _ => {
            let other = &corpus[dice.roll(corpus.len())];
            let from = dice.roll(other.len());
            let piece = other[from..(from + dice.roll(64)).min(other.len())].to_vec();
            let end = (at + piece.len()).min(input.len());
            input.splice(at..end, piece);
        }
    }
}

/// A number at an even place, as wide as numbers are, in either order of bytes.
fn number(input: &mut [u8], at: usize, dice: &mut Dice) {
    let (at, value) = (at & !1, NUMBERS[dice.roll(NUMBERS.len())]);
    let width = [1, 2, 4][dice.roll(3)];
    let Some(place) = input.get_mut(at..at + width) else { return };
    match dice.roll(2) {
        0 => place.copy_from_slice(&value.to_le_bytes()[..width]),
        _ => place.copy_from_slice(&value.to_be_bytes()[4 - width..]),
    }
}

#[test]
fn a_target_that_panics_is_found_and_its_input_shown() {
    let found = catch_unwind(|| {
        let long = |input: &[u8]| {
            assert!(input.len() < 20);
            true
        };
        fuzz(vec![b"seed".to_vec()], long);
    });
    let shown = found.unwrap_err().downcast::<String>().unwrap();
    assert!(shown.starts_with("panics on "), "{shown}");
}
