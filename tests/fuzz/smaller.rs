//! Makes a failing input smaller: what can be left out without its failing no longer is left out.

use std::time::{Duration, Instant};

const TIME_MAX: Duration = Duration::from_secs(20);

pub(crate) fn smaller(input: &[u8], fails: &dyn Fn(&[u8]) -> bool) -> Vec<u8> {
    let began = Instant::now();
    let mut it = input.to_vec();
    let mut size_bytes = it.len().next_power_of_two();
    while 0 < size_bytes {
        let mut at = 0;
        while at < it.len() && began.elapsed() < TIME_MAX {
            let end = it.len().min(at + size_bytes);
            let without = [&it[..at], &it[end..]].concat();
            if fails(&without) {
                it = without;
            } else {
                at = end;
            }
        }
        size_bytes /= 2;
    }
    it
}
