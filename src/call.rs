//! A call: one HTTP request that a script asks of a service, and what was answered.

pub mod path;

use std::collections::BTreeMap;

/// The methods that a script may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// Whether a call may change something at the service, so that it must be written down before it is sent.
    pub fn changes_something(self) -> bool {
        match self {
            Self::Get | Self::Head => false,
            Self::Post | Self::Put | Self::Patch | Self::Delete => true,
        }
    }
}

/// What a script asks for. Holds no secret: the service's own headers are added when it is sent.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Request {
    pub service: String,
    pub method: Method,
    /// As the script wrote it, with its query: `/invoices/in_1/paid?dry=1`.
    pub path: String,
    /// Header names in lower case.
    pub headers: BTreeMap<String, String>,
    /// JSON text or form text, exactly as it goes out.
    pub body: Option<String>,
    /// Statuses outside 2xx that the script wants to see as answers.
    pub accept: Vec<u16>,
    /// A name at its service, by which it is made once over all runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub once: Option<String>,
}

/// What a service answered.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Answer {
    pub status: u16,
    /// Header names in lower case; several values of one name are joined by `, `.
    pub headers: BTreeMap<String, String>,
    /// The body as text, bad UTF-8 replaced.
    pub text: String,
    /// Why the body is not whole (cut off, too large); touching it is then an error.
    pub body_missing: Option<String>,
    /// Whether something in `text` was replaced. A U+FFFD says nothing: the service may have sent it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_bad_utf8: bool,
}

impl Answer {
    /// Whether the script gets this answer, or an error in its place.
    pub fn is_accepted_by(&self, request: &Request) -> bool {
        (200..300).contains(&self.status) || request.accept.contains(&self.status)
    }
}
