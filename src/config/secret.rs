//! Signing secrets: used as they are, never decoded. What looks like a mistake is said without showing it.

use super::Secret;
use super::names;
use super::value::{Text, Value};

const EXAMPLE: &str = "[\"${STRIPE_WEBHOOK_SECRET}\"]";
const SECRETS_MAX: usize = 16;
const SECRET_SIZE_BYTES_MAX: usize = 512;
const WHERE_IT_IS: &str = "the signing secret begins with `whsec_` and is shown on the endpoint's page in the Stripe dashboard, or by `stripe listen --print-secret`";

pub(super) fn read_list(value: &Value<'_>) -> Vec<Secret> {
    value.hide();
    let Some(items) = value.texts(EXAMPLE) else {
        return Vec::new();
    };
    if value.is_empty_list() {
        let message = "`signing_secrets` is empty, so no delivery could be verified";
        value.findings.error(
            value.at(),
            message,
            format!("write `signing_secrets = {EXAMPLE}`"),
        );
    }
    if SECRETS_MAX < items.len() {
        let message = format!(
            "there are {} signing secrets, at most {SECRETS_MAX} are allowed",
            items.len()
        );
        value.findings.error(
            value.at(),
            message,
            "remove those that Stripe no longer uses",
        );
        return Vec::new();
    }
    names::each_once(items).iter().filter_map(read).collect()
}

fn read(it: &Text<'_>) -> Option<Secret> {
    let secret = it
        .value
        .trim_matches(|it: char| it.is_whitespace() || "\"'`".contains(it));
    if secret.is_empty() {
        it.error(
            "a signing secret is empty, so anybody could sign",
            WHERE_IT_IS,
        );
        return None;
    }
    if SECRET_SIZE_BYTES_MAX < it.value.len() {
        let message = format!(
            "a signing secret has {} bytes, more than the {SECRET_SIZE_BYTES_MAX} that are allowed",
            it.value.len()
        );
        it.error(message, WHERE_IT_IS);
        return None;
    }
    if let Some(what) = looks_like(secret) {
        it.error(format!("this is {what}, not a signing secret"), WHERE_IT_IS);
        return None;
    }
    if !secret.starts_with("whsec_") {
        it.warning("a signing secret does not begin with `whsec_`", WHERE_IT_IS);
    }
    if secret.len() < it.value.len() {
        it.warning(
            "there is white space or a quotation mark around this signing secret",
            "remove it, unless Stripe shows the secret so: every signature would be wrong",
        );
    }
    Some(Secret::new(it.value.clone()))
}

/// What people paste in its place.
fn looks_like(secret: &str) -> Option<&'static str> {
    const OTHERS: [(&str, &str); 4] = [
        ("sk_", "a secret API key"),
        ("rk_", "a restricted API key"),
        ("pk_", "a publishable API key"),
        ("we_", "the id of an endpoint"),
    ];
    OTHERS
        .iter()
        .find(|(start, _)| secret.starts_with(start))
        .map(|(_, what)| *what)
}
