//! stub until merge
pub fn all_samples() -> Vec<String> { vec![] }
