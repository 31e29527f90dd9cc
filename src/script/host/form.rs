//! Forms: `a=1&b[c]=2&d[0]=3`, as Stripe and most others read nested ones.

use crate::script::error::HostError;
use crate::script::frozen::thaw;
use crate::script::limits::{CALL_BODY_SIZE_BYTES_MAX, NESTING_DEPTH_MAX};
use crate::script::text::{type_name, value_text};
use rhai::{Dynamic, Map};
use url::form_urlencoded::byte_serialize;

pub(super) fn form_text(value: &Dynamic, what: &str) -> Result<String, HostError> {
    let Some(map) = thaw(value).try_cast::<Map>() else {
        return Err(HostError::new(format!(
            "{what} has to be a map, and this is {}",
            type_name(value)
        ))
        .help("write `#{ name: value }`"));
    };
    let mut out = String::new();
    for (name, it) in &map {
        add_pair(name, it, &mut out, 0)?;
    }
    Ok(out)
}

fn add_pair(name: &str, value: &Dynamic, out: &mut String, depth: usize) -> Result<(), HostError> {
    if NESTING_DEPTH_MAX < depth {
        return Err(HostError::new(format!(
            "this form is nested more than {NESTING_DEPTH_MAX} deep"
        )));
    }
    let value = &thaw(value);
    if let Ok(map) = value.as_map_ref() {
        for (field, it) in map.iter() {
            add_pair(&format!("{name}[{field}]"), it, out, depth + 1)?;
        }
    } else if let Ok(list) = value.as_array_ref() {
        for (index, it) in list.iter().enumerate() {
            add_pair(&format!("{name}[{index}]"), it, out, depth + 1)?;
        }
    } else {
        if !out.is_empty() {
            out.push('&');
        }
        out.extend(byte_serialize(name.as_bytes()));
        out.push('=');
        out.extend(byte_serialize(value_text(value).as_bytes()));
    }
    // Names are repeated for each value inside: the whole can be far larger than its parts.
    if CALL_BODY_SIZE_BYTES_MAX < out.len() {
        return Err(HostError::new(format!(
            "this form has more than {CALL_BODY_SIZE_BYTES_MAX} bytes"
        )));
    }
    Ok(())
}
