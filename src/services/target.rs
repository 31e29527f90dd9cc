//! Where a call goes: the service's base URL, joined with the path that a script wrote.

use crate::call::path;
use url::Url;

/// The most bytes that a path with its query may have.
pub(super) const PATH_BYTES_MAX: usize = 4096;

/// The URL of a call. The error says what to write instead.
pub(super) fn join(base: &Url, path_and_query: &str) -> Result<Url, String> {
    if path_and_query.len() > PATH_BYTES_MAX {
        return Err(format!(
            "the path has {} bytes, over the limit of {PATH_BYTES_MAX}",
            path_and_query.len()
        ));
    }
    let (path, query) = path::checked(path_and_query)?;
    let mut url = base.clone();
    if !path.is_empty() {
        url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    }
    url.set_query(query);
    if is_within(base, &url) {
        Ok(url)
    } else {
        Err("the path leads away from the service's URL".to_owned())
    }
}

/// Whether a URL is one that a call of this service may have.
pub(super) fn is_within(base: &Url, url: &Url) -> bool {
    let base_path = base.path().trim_end_matches('/');
    let below = url.path().strip_prefix(base_path);
    url.scheme() == base.scheme()
        && url.host() == base.host()
        && url.port_or_known_default() == base.port_or_known_default()
        && url.username().is_empty()
        && url.password().is_none()
        && url.fragment().is_none()
        && below.is_some_and(|it| path::check(it).is_ok())
}
