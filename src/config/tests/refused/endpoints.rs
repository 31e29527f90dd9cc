//! Endpoints and their secrets.

use super::*;

#[test]
fn an_endpoint_has_a_path() {
    refused(
        &file_where(
            r#"path = "/webhooks/stripe"
"#,
            "",
        ),
        "1:1",
        "[endpoints.stripe] has no `path`",
        r#"add the line `path = "/webhooks/stripe"`"#,
    );
}

#[test]
fn an_endpoint_has_secrets() {
    refused(
        &file_where(r#"signing_secrets = ["whsec_1"]"#, ""),
        "1:1",
        "[endpoints.stripe] has no `signing_secrets`",
        r#"add the line `signing_secrets = ["${STRIPE_WEBHOOK_SECRET}"]`"#,
    );
}

#[test]
fn an_endpoint_has_at_least_one_secret() {
    refused(
        &file_where(r#""whsec_1""#, ""),
        "3:19",
        "`signing_secrets` is empty, so no delivery could be verified",
        r#"write `signing_secrets = ["${STRIPE_WEBHOOK_SECRET}"]`"#,
    );
}

#[test]
fn a_secret_is_not_empty() {
    refused(
        &file_where("whsec_1", "${EMPTY}"),
        "3:20",
        "a signing secret is empty, so anybody could sign",
        "the signing secret begins with `whsec_` and is shown on the endpoint's page in the Stripe dashboard, or by `stripe listen --print-secret`",
    );
}

#[test]
fn a_secret_is_more_than_quotes() {
    refused(
        &file_where("whsec_1", "''"),
        "3:20",
        "a signing secret is empty, so anybody could sign",
        "the signing secret begins with `whsec_` and is shown on the endpoint's page in the Stripe dashboard, or by `stripe listen --print-secret`",
    );
}

#[test]
fn an_api_key_in_a_variable_is_no_signing_secret() {
    refused(
        &file_where("whsec_1", "${API_KEY}"),
        "3:20",
        "this is a secret API key, not a signing secret",
        "the signing secret begins with `whsec_` and is shown on the endpoint's page in the Stripe dashboard, or by `stripe listen --print-secret`",
    );
}

#[test]
fn the_id_of_an_endpoint_is_no_signing_secret() {
    refused(
        &file_where("whsec_1", "we_123"),
        "3:20",
        "this is the id of an endpoint, not a signing secret",
        "the signing secret begins with `whsec_` and is shown on the endpoint's page in the Stripe dashboard, or by `stripe listen --print-secret`",
    );
}

#[test]
fn a_path_begins_with_a_slash() {
    refused(
        &file_where("/webhooks", "webhooks"),
        "2:8",
        "`path` must begin with `/`, this is `webhooks/stripe`",
        r#"write the part of the address after the host: "/webhooks/stripe""#,
    );
}

#[test]
fn a_path_has_no_query() {
    refused(
        &file_where("/stripe", "/stripe?a=1"),
        "2:8",
        "`path` has the character `?`",
        "write letters, digits, `-`, `_`, `.`, `~` and `/` only, no `?` and no `#`",
    );
}

#[test]
fn the_paths_of_health_are_taken() {
    refused(
        &file_where("/webhooks/stripe", "/healthz"),
        "2:8",
        "`/healthz` is where hookyard says whether it is well",
        r#"write another path, such as "/webhooks/stripe""#,
    );
}

#[test]
fn two_endpoints_have_two_paths() {
    refused(
        &file_with(
            r#"[endpoints.other]
path = "/webhooks/stripe"
signing_secrets = ["whsec_2"]"#,
        ),
        "8:8",
        "endpoint `stripe` has the path `/webhooks/stripe` already",
        "give each endpoint a path of its own",
    );
}

#[test]
fn a_scope_is_a_plain_name() {
    refused(
        &endpoint_with(r#"dedupe_scope = "My Scope""#),
        "4:16",
        "`My Scope` cannot be a `dedupe_scope`",
        "a name has 1 to 64 of a-z, 0-9, `-` and `_`, and begins with a letter or digit: `my-scope`",
    );
}

#[test]
fn a_secret_that_is_none_of_stripes_is_told_of() {
    let config = read(&file_where("whsec_1", "hunter2"));
    assert_eq!(
        config.warnings[0].message,
        "a signing secret does not begin with `whsec_`"
    );
}
