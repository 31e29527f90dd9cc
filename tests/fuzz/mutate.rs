//! How one input is made of another: a few small changes, one on top of the other.

use crate::random::Random;
use std::ops::Range;

const CHANGES_MAX: usize = 6;
/// Long enough to nest deeper than any limit.
const REPEATS_MAX: usize = 300;
/// What numbers go wrong at.
const NUMBERS: [&str; 14] = [
    "0",
    "-1",
    "1",
    "255",
    "256",
    "65536",
    "2147483648",
    "4294967296",
    "9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551616",
    "1e309",
    "0.1",
];
/// What bytes go wrong at: ends, separators, white space, halves of characters.
const BYTES: &[u8] = b"\0\t\n\r \"'`,;:=./\\%#$&@?{}[]()<>+-_\x7f\x80\xc0\xe2\xf0\xff";

/// Mutates `input`. What is put into it comes from the words of its format, from another input, or from chance.
pub(crate) fn mutate(
    input: &[u8],
    other: &[u8],
    words: &[&str],
    size_bytes_max: usize,
    random: &mut Random,
) -> Vec<u8> {
    let mut it = input.to_vec();
    for _ in 0..=random.below(CHANGES_MAX) {
        change(&mut it, other, words, random);
        it.truncate(size_bytes_max);
    }
    it
}

fn change(it: &mut Vec<u8>, other: &[u8], words: &[&str], random: &mut Random) {
    let at = random.below(it.len() + 1);
    match random.below(13) {
        0 if at < it.len() => it[at] ^= 1 << random.below(8),
        1 if at < it.len() => it[at] = *random.of(BYTES),
        2 => it.insert(at, *random.of(BYTES)),
        3 => {
            it.drain(part(it, random));
        }
        4 => {
            let doubled = it[part(it, random)].to_vec();
            insert(it, at, &doubled);
        }
        5 => {
            let word = random.of(words).as_bytes();
            insert(it, at, word);
        }
        6 => {
            let word = random.of(words).as_bytes();
            it.splice(part(it, random), word.iter().copied());
        }
        7 => {
            let range = number(it, at);
            it.splice(range, random.of(&NUMBERS).bytes());
        }
        8 => {
            let theirs = &other[part(other, random)];
            it.splice(part(it, random), theirs.iter().copied());
        }
        9 => {
            // The beginning of one, the end of another.
            let from = random.below(other.len() + 1);
            it.truncate(at);
            it.extend_from_slice(&other[from..]);
        }
        10 => {
            let word = if random.one_in(2) {
                random.of(words).as_bytes().to_vec()
            } else {
                it[part(it, random)].to_vec()
            };
            insert(it, at, &word.repeat(random.below(REPEATS_MAX)));
        }
        11 => {
            let (from, to) = (line(it, at), random.below(it.len() + 1));
            let line: Vec<u8> = it.drain(from).collect();
            insert(it, to.min(it.len()), &line);
        }
        _ if at < it.len() => {
            it[at] = if it[at].is_ascii_lowercase() {
                it[at].to_ascii_uppercase()
            } else {
                it[at].to_ascii_lowercase()
            };
        }
        _ => it.extend_from_slice(random.of(words).as_bytes()),
    }
}

fn insert(it: &mut Vec<u8>, at: usize, what: &[u8]) {
    it.splice(at..at, what.iter().copied());
}

/// Short ones most of all.
fn part(it: &[u8], random: &mut Random) -> Range<usize> {
    let start = random.below(it.len() + 1);
    let most = if random.one_in(4) { it.len() } else { 16 };
    let end = it.len().min(start + random.below(most + 1));
    start..end
}

/// The number that stands at this place or behind it.
fn number(it: &[u8], at: usize) -> Range<usize> {
    let start = (at..it.len()).find(|at| it[*at].is_ascii_digit());
    let start = start.unwrap_or(it.len());
    let end = (start..it.len()).find(|at| !it[*at].is_ascii_digit());
    start..end.unwrap_or(it.len())
}

fn line(it: &[u8], at: usize) -> Range<usize> {
    let start = it[..at].iter().rposition(|it| *it == b'\n');
    let end = it[at..].iter().position(|it| *it == b'\n');
    start.map_or(0, |it| it + 1)..end.map_or(it.len(), |it| at + it + 1)
}
