//! Forms: `a=1&b[c]=2&d[0]=3`, as Stripe and most others read nested ones.

use crate::script::equal::{with_list, with_map};
use crate::script::error::HostError;
use crate::script::limits::{self, CALL_BODY_SIZE_BYTES_MAX, NESTING_DEPTH_MAX};
use crate::script::text::{type_name, value_text};
use rhai::Dynamic;
use url::form_urlencoded::byte_serialize;

pub(super) fn form_text(value: &Dynamic, what: &str) -> Result<String, HostError> {
    let mut out = String::new();
    let written = with_map(value, |map| {
        map.iter().try_for_each(|(name, it)| {
            too_long_if(CALL_BODY_SIZE_BYTES_MAX < name.len())?;
            add_pair(name, it, &mut out, 0)
        })
    });
    let Some(written) = written else {
        return Err(HostError::new(format!(
            "{what} has to be a map, and this is {}",
            type_name(value)
        ))
        .help("write `#{ name: value }`"));
    };
    written.map(|()| out)
}

fn add_pair(name: &str, value: &Dynamic, out: &mut String, depth: usize) -> Result<(), HostError> {
    if NESTING_DEPTH_MAX < depth {
        return Err(HostError::new(format!(
            "this form is nested more than {NESTING_DEPTH_MAX} deep"
        )));
    }
    if !limits::charge(1) {
        return Err(HostError::new("the script was stopped"));
    }
    let in_map = with_map(value, |map| {
        map.iter().try_for_each(|(field, it)| {
            too_long_if(CALL_BODY_SIZE_BYTES_MAX < name.len() + field.len())?;
            add_pair(&format!("{name}[{field}]"), it, out, depth + 1)
        })
    });
    let in_list = || {
        with_list(value, |list| {
            list.iter().enumerate().try_for_each(|(index, it)| {
                add_pair(&format!("{name}[{index}]"), it, out, depth + 1)
            })
        })
    };
    if let Some(written) = in_map.or_else(in_list) {
        return written;
    }
    let text = value_text(value);
    // Names are repeated for each value inside: the whole can be far larger than its parts.
    too_long_if(CALL_BODY_SIZE_BYTES_MAX < out.len() + name.len() + text.len())?;
    if !out.is_empty() {
        out.push('&');
    }
    out.extend(byte_serialize(name.as_bytes()));
    out.push('=');
    out.extend(byte_serialize(text.as_bytes()));
    too_long_if(CALL_BODY_SIZE_BYTES_MAX < out.len())
}

fn too_long_if(is_so: bool) -> Result<(), HostError> {
    if is_so {
        return Err(HostError::new(format!(
            "this form has more than {CALL_BODY_SIZE_BYTES_MAX} bytes"
        )));
    }
    Ok(())
}
