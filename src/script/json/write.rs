//! Values to JSON text.

use crate::script::frozen::{FrozenList, FrozenObject};
use crate::script::host::money::Money;
use crate::script::limits::{self, NESTING_DEPTH_MAX, STRING_SIZE_BYTES_MAX};
use crate::script::text::type_name;
use rhai::{Dynamic, Map};
use std::fmt::Write;

/// A value as JSON text, the keys of maps in their order; says what cannot be said in JSON.
pub(in crate::script) fn text(value: &Dynamic) -> Result<String, String> {
    let mut out = String::new();
    write(value, &mut out, 0)?;
    Ok(out)
}

pub(in crate::script) fn map_text(map: &Map) -> Result<String, String> {
    let mut out = String::new();
    write_map(map, &mut out, 0)?;
    Ok(out)
}

/// Whether what is read from this map's text is the very same; where that takes thought it says no.
pub(in crate::script) fn is_kept_as_it_is(map: &Map) -> bool {
    map.values().all(is_value_kept)
}

fn is_value_kept(value: &Dynamic) -> bool {
    if value.is_shared() {
        return false;
    }
    if let Ok(it) = value.as_map_ref() {
        return is_kept_as_it_is(&it);
    }
    if let Ok(it) = value.as_array_ref() {
        return it.iter().all(is_value_kept);
    }
    value.is_unit() || value.is_bool() || value.is_int() || value.is_string()
}

fn write(value: &Dynamic, out: &mut String, depth: usize) -> Result<(), String> {
    if NESTING_DEPTH_MAX < depth {
        return Err(format!("it is nested more than {NESTING_DEPTH_MAX} deep"));
    }
    if !limits::charge(1) {
        return Err("the script was stopped".to_owned());
    }
    if value.is_unit() {
        out.push_str("null");
    } else if let Ok(it) = value.as_bool() {
        out.push_str(if it { "true" } else { "false" });
    } else if let Ok(it) = value.as_int() {
        let _ = write!(out, "{it}");
    } else if let Ok(it) = value.as_float() {
        match serde_json::Number::from_f64(it) {
            Some(it) => out.push_str(&it.to_string()),
            None => return Err(format!("JSON has no {it}")),
        }
    } else if let Ok(it) = value.as_char() {
        write_text(it.encode_utf8(&mut [0; 4]), out)?;
    } else if let Ok(it) = value.as_immutable_string_ref() {
        write_text(&it, out)?;
    } else if let Ok(it) = value.as_array_ref() {
        write_list(&it, out, depth)?;
    } else if let Ok(it) = value.as_map_ref() {
        write_map(&it, out, depth)?;
    } else if let Some(it) = value.read_lock::<FrozenObject>() {
        write_map(it.fields(), out, depth)?;
    } else if let Some(it) = value.read_lock::<FrozenList>() {
        write_list(it.items(), out, depth)?;
    } else if let Some(it) = value.read_lock::<Money>() {
        write_map(&it.to_map(), out, depth)?;
    } else {
        return Err(format!("JSON has nothing for a {}", type_name(value)));
    }
    if STRING_SIZE_BYTES_MAX < out.len() {
        return Err(too_long());
    }
    Ok(())
}

fn write_list(items: &[Dynamic], out: &mut String, depth: usize) -> Result<(), String> {
    out.push('[');
    for (index, it) in items.iter().enumerate() {
        if 0 < index {
            out.push(',');
        }
        write(it, out, depth + 1)?;
    }
    out.push(']');
    Ok(())
}

fn write_map(map: &Map, out: &mut String, depth: usize) -> Result<(), String> {
    out.push('{');
    for (index, (key, it)) in map.iter().enumerate() {
        if 0 < index {
            out.push(',');
        }
        write_text(key, out)?;
        out.push(':');
        write(it, out, depth + 1).map_err(|problem| {
            if depth == 0 {
                format!("`{key}`: {problem}")
            } else {
                problem
            }
        })?;
    }
    out.push('}');
    Ok(())
}

/// Looks at the size before: escaped, a text may have six times its bytes.
fn write_text(text: &str, out: &mut String) -> Result<(), String> {
    if STRING_SIZE_BYTES_MAX < out.len() + text.len() {
        return Err(too_long());
    }
    if text
        .bytes()
        .all(|it| b' ' <= it && !matches!(it, b'"' | b'\\'))
    {
        out.push('"');
        out.push_str(text);
        out.push('"');
        return Ok(());
    }
    let quoted = serde_json::to_string(text).map_err(|it| it.to_string())?;
    out.push_str(&quoted);
    Ok(())
}

fn too_long() -> String {
    format!("its JSON has more than {STRING_SIZE_BYTES_MAX} bytes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::json;

    fn map(value: Dynamic) -> Map {
        Map::from([("a".into(), Dynamic::UNIT), ("b".into(), value)])
    }

    #[track_caller]
    fn check(value: Dynamic, is_kept: bool) {
        let map = map(value);
        assert_eq!(is_kept_as_it_is(&map), is_kept, "{map:?}");
        let read = json::parse(&map_text(&map).unwrap()).unwrap();
        if is_kept {
            assert_eq!(format!("{read:?}"), format!("{:?}", Dynamic::from_map(map)));
        }
    }

    #[test]
    fn what_is_said_to_be_kept_is_read_again_the_same() {
        for it in [
            Dynamic::UNIT,
            true.into(),
            i64::MIN.into(),
            i64::MAX.into(),
            "".into(),
            "a \"quoted\" \\ \u{1}\u{7f}\n Zoë 北京 \u{2028}".into(),
        ] {
            check(it.clone(), true);
            check(Dynamic::from_array(vec![it.clone()]), true);
            check(Dynamic::from_map(map(it)), true);
        }
    }

    #[test]
    fn what_becomes_another_value_is_read_again() {
        let shared = Dynamic::from(1_i64).into_shared();
        for it in [1.5.into(), 1e300.into(), 'c'.into(), shared] {
            check(it.clone(), false);
            check(Dynamic::from_array(vec![it.clone()]), false);
            check(Dynamic::from_map(map(it)), false);
        }
    }
}
