//! What a script says about a call, made into the request that goes out.

use super::form::form_text;
use super::once;
use crate::call::{Method, Request};
use crate::diagnostic::did_you_mean;
use crate::script::error::HostError;
use crate::script::frozen::thaw;
use crate::script::json;
use crate::script::limits::{CALL_BODY_SIZE_BYTES_MAX, CALL_PATH_SIZE_BYTES_MAX};
use crate::script::text::{type_name, value_text};
use rhai::{Array, Dynamic, Map};
use std::collections::BTreeMap;

const HEADERS_MAX: usize = 32;
const HEADER_SIZE_BYTES_MAX: usize = 8 * 1024;
pub(in crate::script) const OPTIONS: [&str; 5] = ["accept", "form", "headers", "once", "query"];

pub(super) fn request(
    service: &str,
    method: Method,
    path: &Dynamic,
    body: &Dynamic,
    options: &Dynamic,
) -> Result<Request, HostError> {
    let options = options_of(options)?;
    let mut headers = options
        .get("headers")
        .map(headers_of)
        .transpose()?
        .unwrap_or_default();
    let body = body_of(body, options.get("form"), &mut headers)?;
    let mut path = path_of(path)?;
    if let Some(query) = options.get("query") {
        let query = form_text(query, "query")?;
        if !query.is_empty() {
            path.push(if path.contains('?') { '&' } else { '?' });
            path.push_str(&query);
        }
    }
    if CALL_PATH_SIZE_BYTES_MAX < path.len() {
        return Err(HostError::new(format!(
            "the path of this call has {} bytes, and {CALL_PATH_SIZE_BYTES_MAX} is the most",
            path.len()
        )));
    }
    let accept = options
        .get("accept")
        .map(statuses_of)
        .transpose()?
        .unwrap_or_default();
    let once = options
        .get("once")
        .map(|it| once::name_of(method, it))
        .transpose()?;
    Ok(Request {
        service: service.to_owned(),
        method,
        path,
        headers,
        body,
        accept,
        once,
    })
}

pub(in crate::script) fn path_of(path: &Dynamic) -> Result<String, HostError> {
    let Ok(text) = path.as_immutable_string_ref() else {
        return Err(HostError::new(format!("the path of a call has to be text, and this is {}", type_name(path)))
            .help("write for example `\"/invoices\"`, or with a value inside: `` `/invoices/${invoice.id}` ``"));
    };
    let text = text.as_str();
    if text.contains("://") && !text.starts_with('/') {
        return Err(HostError::new("a call goes to a path of its service, not to a whole address")
            .help("the address stands in `url` of the service in handlers.toml; write only what follows it, such as \"/invoices\""));
    }
    if !text.starts_with('/') {
        return Err(HostError::new(format!(
            "the path of a call begins with `/`, and this is `{text}`"
        ))
        .help(format!("write \"/{text}\"")));
    }
    if let Some(odd) = text
        .chars()
        .find(|it| it.is_control() || it.is_whitespace() || matches!(it, '#' | '\\'))
    {
        return Err(HostError::new(format!("the path of a call cannot have {odd:?} in it"))
            .help("put values with such characters into `#{ query: #{ … } }`, where they are written as they must be"));
    }
    Ok(text.to_owned())
}

/// What is wrong with an option as the script says it, if something is.
pub(in crate::script) fn option_mistake(
    method: Method,
    name: &str,
    value: &Dynamic,
) -> Option<HostError> {
    let alone = Map::from([(name.into(), value.clone())]);
    if let Err(error) = options_of(&alone.into()) {
        return Some(error);
    }
    match name {
        "headers" => headers_of(value).err(),
        "accept" => statuses_of(value).err(),
        "once" => once::name_of(method, value).err(),
        _ => None,
    }
}

fn options_of(options: &Dynamic) -> Result<Map, HostError> {
    if options.is_unit() {
        return Ok(Map::new());
    }
    let example = "options are a map: `#{ accept: [404], headers: #{ … }, query: #{ … }, form: #{ … }, once: \"…\" }`";
    let Some(map) = thaw(options).try_cast::<Map>() else {
        return Err(HostError::new(format!(
            "the options of a call have to be a map, and this is {}",
            type_name(options)
        ))
        .help(example));
    };
    match map.keys().find(|it| !OPTIONS.contains(&it.as_str())) {
        None => Ok(map),
        Some(name) => Err(HostError::new(format!("a call has no option `{name}`")).help(match did_you_mean(name, OPTIONS) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("{example}. The body of a call comes before them: `post(path, body, options)`, `delete(path, body, options)`"),
        })),
    }
}

fn headers_of(headers: &Dynamic) -> Result<BTreeMap<String, String>, HostError> {
    let Ok(map) = headers.as_map_ref() else {
        return Err(HostError::new("`headers` has to be a map")
            .help("write `headers: #{ \"x-request-source\": \"stripe\" }`"));
    };
    let mut result = BTreeMap::new();
    for (name, value) in map.iter() {
        let name = name.to_ascii_lowercase();
        let value = value_text(value);
        let is_token = !name.is_empty()
            && name
                .bytes()
                .all(|it| it.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&it));
        if !is_token {
            return Err(HostError::new(format!("`{name}` is no name of a header")));
        }
        if matches!(
            &*name,
            "host"
                | "content-length"
                | "transfer-encoding"
                | "connection"
                | "upgrade"
                | "idempotency-key"
        ) {
            return Err(HostError::new(format!(
                "the header `{name}` is set by the host and cannot be chosen"
            )));
        }
        if !value
            .bytes()
            .all(|it| it == b'\t' || (b' '..=b'~').contains(&it))
        {
            return Err(HostError::new(format!(
                "the header `{name}` has a character that headers cannot have"
            )));
        }
        if HEADERS_MAX <= result.len() || HEADER_SIZE_BYTES_MAX < name.len() + value.len() {
            return Err(HostError::new(format!(
                "a call has at most {HEADERS_MAX} headers of {HEADER_SIZE_BYTES_MAX} bytes each"
            )));
        }
        result.insert(name, value);
    }
    Ok(result)
}

fn statuses_of(statuses: &Dynamic) -> Result<Vec<u16>, HostError> {
    let list = match thaw(statuses).try_cast::<Array>() {
        Some(list) => list,
        None => vec![statuses.clone()],
    };
    list.iter()
        .map(|it| {
            it.as_int()
                .ok()
                .and_then(|it| u16::try_from(it).ok())
                .filter(|it| (100..600).contains(it))
                .ok_or_else(|| {
                    HostError::new(format!(
                        "`accept` has to be a list of statuses, and this is {}",
                        value_text(it)
                    ))
                    .help("write `accept: [404]`")
                })
        })
        .collect()
}

/// The body as it goes out; says of what kind it is unless the script did.
fn body_of(
    body: &Dynamic,
    form: Option<&Dynamic>,
    headers: &mut BTreeMap<String, String>,
) -> Result<Option<String>, HostError> {
    let form = form.filter(|it| !it.is_unit() && it.as_bool() != Ok(false));
    let (text, kind) = match form {
        // `form: true` says how the body is written, `form: #{ … }` is the body.
        Some(form) if form.as_bool() == Ok(true) => (
            form_text(body, "the body")?,
            "application/x-www-form-urlencoded",
        ),
        Some(form) if body.is_unit() => (
            form_text(form, "form")?,
            "application/x-www-form-urlencoded",
        ),
        Some(_) => {
            return Err(HostError::new(
                "this call has a body and a `form`: only one of them can go out",
            )
            .help("write `post(path, #{ … }, #{ form: true })` to send the body as a form"));
        }
        None if body.is_unit() => return Ok(None),
        None => match body.as_immutable_string_ref() {
            Ok(text) => (text.to_string(), "text/plain; charset=utf-8"),
            Err(_) => {
                let text = json::text(body).map_err(|it| {
                    HostError::new(format!("the body cannot be sent as JSON: {it}"))
                })?;
                (text, "application/json")
            }
        },
    };
    if CALL_BODY_SIZE_BYTES_MAX < text.len() {
        return Err(HostError::new(format!(
            "the body of this call has {} bytes, and {CALL_BODY_SIZE_BYTES_MAX} is the most",
            text.len()
        )));
    }
    headers
        .entry("content-type".to_owned())
        .or_insert_with(|| kind.to_owned());
    Ok(Some(text))
}
