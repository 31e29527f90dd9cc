//! Mistakes, and how they are shown to their author: some as they are drawn, the others by group.

use super::*;

mod endpoints;
mod handlers;
mod services;
mod shape;

#[test]
fn a_misspelt_key_leads_to_the_right_one() {
    drawn(
        &handler_with(r#"recods = ["invoices"]"#),
        r#"
error: unknown key `recods` in [handlers.h]
 --> handlers.toml:7:1
  |
7 | recods = [**********]
  | ^^^^^^
  = help: did you mean `records`?"#,
    );
}

#[test]
fn a_misspelt_event_type_leads_to_the_right_one() {
    drawn(
        &file_where("invoice.paid", "invoice.payed"),
        r#"
error: Stripe has no event type `invoice.payed`
 --> handlers.toml:5:11
  |
5 | events = ["invoice.payed"]
  |           ^^^^^^^^^^^^^^^
  = help: did you mean `invoice.paid`? if Stripe has it by now, write "?invoice.payed""#,
    );
}

#[test]
fn a_variable_that_is_not_set_is_named() {
    drawn(
        &file_where("whsec_1", "${STRIPE_SECRET}"),
        r#"
error: the environment variable `STRIPE_SECRET` is not set
 --> handlers.toml:3:20
  |
3 | signing_secrets = ["${STRIPE_SECRET}"]
  |                    ^^^^^^^^^^^^^^^^^^
  = help: set STRIPE_SECRET for the process that runs hookyard, or keep the value in a file and write `${file:/path}`"#,
    );
}

#[test]
fn all_mistakes_are_shown_at_once_in_the_order_of_the_file() {
    drawn(
        &(file_where("path", "paht") + "services = [\"x\"]"),
        r#"
error: unknown key `paht` in [endpoints.stripe]
 --> handlers.toml:2:1
  |
2 | paht = ******************
  | ^^^^
  = help: did you mean `path`?

error: there is no service `x`
 --> handlers.toml:8:13
  |
8 | services = ["x"]
  |             ^^^
  = help: add a table `[services.x]`"#,
    );
}

#[test]
fn a_file_without_a_handler_shows_the_smallest_one_that_works() {
    drawn(
        r#"[endpoints.stripe]
path = "/x"
signing_secrets = ["whsec_1"]"#,
        r#"
error: there is no handler, so nothing would be done with an event
 --> handlers.toml
  = help: this is the smallest file that works:

    [endpoints.stripe]
    path = "/webhooks/stripe"
    signing_secrets = ["${STRIPE_WEBHOOK_SECRET}"]

    [handlers.invoice-paid]
    events = ["invoice.paid"]
    script = "scripts/invoice_paid.rhai""#,
    );
}

#[test]
fn an_api_key_is_no_signing_secret_and_is_not_shown() {
    drawn(&file_where("whsec_1", "sk_test_4eC39HqLyjWD"), "
error: this is a secret API key, not a signing secret
 --> handlers.toml:3:20
  |
3 | signing_secrets = [**********************]
  |                    ^^^^^^^^^^^^^^^^^^^^^^
  = help: the signing secret begins with `whsec_` and is shown on the endpoint's page in the Stripe dashboard, or by `stripe listen --print-secret`");
}

#[test]
fn a_misspelt_key_does_not_show_its_secret() {
    drawn(
        &endpoint_with(r#"signing_secret = ["whsec_abc"]"#),
        r#"
error: unknown key `signing_secret` in [endpoints.stripe]
 --> handlers.toml:4:1
  |
4 | signing_secret = [***********]
  | ^^^^^^^^^^^^^^
  = help: did you mean `signing_secrets`?"#,
    );
}

#[test]
fn a_url_holds_no_password_and_does_not_show_it() {
    drawn(
        &file_with(
            r#"[services.s]
url = "https://joe:hunter2@example.com""#,
        ),
        r#"
error: `url` holds a user or a password
 --> handlers.toml:8:7
  |
8 | url = *********************************
  |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  = help: write it into `headers`: `headers = { authorization = "Bearer ${TOKEN}" }`"#,
    );
}

#[test]
fn a_header_has_no_line_break_and_is_not_shown() {
    drawn(
        &service_with(r#"headers = { a = "secret\nb" }"#),
        "
error: the header `a` holds a character that no header can hold
 --> handlers.toml:9:17
  |
9 | headers = { a = *********** }
  |                 ^^^^^^^^^^^
  = help: look for a line break or another control character in it",
    );
}

#[test]
fn no_toml_shows_no_secret() {
    drawn(
        &file_where(r#""whsec_1"]"#, r#""whsec_1]"#),
        r#"
error: this text has no end on its line
 --> handlers.toml:3:29
  |
3 | signing_secrets = ["*******]
  |                             ^
  = help: text stands on one line between two double quotes, "like this"; a line break in it is written `\n`"#,
    );
}

#[test]
fn no_secret_is_shown_wherever_it_was_put() {
    for text in [
        service_with("headers = { authorization = “Bearer TOPSECRET” }"),
        service_with("rate = \"20/s\", headers = { a = \"TOPSECRET\" }"),
        service_with("headers = [\"TOPSECRET\"]"),
        service_with("headers = \"TOPSECRET\""),
        service_with("headers = { a = \"TOPSECRET\", host = \"b\" }"),
        service_with("headers = { a = \"TOPSECRET${NO}\" }"),
        service_with("headers = { a = \"TOPSECRET${\" }"),
        service_with("headers = { a = { b = \"TOPSECRET\" } }"),
        service_with("token = \"TOPSECRET\""),
        service_with("token = { a = [\"TOPSECRET\"] }"),
        service_with("url = \"https://user:TOPSECRET@x/\""),
        file_with("[services.s]\nurl = \"https://x/TOPSECRET?a=TOPSECRET\""),
        file_with("[services.s]\nurl = [\"https://user:TOPSECRET@x\"]"),
        file_with("[services.s]\nurl = [\"https://x/TOPSECRET\"]"),
        file_with("[services.s]\nurl = \"http://hooks.example.com/TOPSECRET/${X}\""),
        file_with("[service.s]\nheaders = { a = \"TOPSECRET\" }"),
        file_with("services = { \"A b\" = { headers = { a = \"TOPSECRET\" } } }"),
        file_with("whsec_TOPSECRET"),
        file_with("whsec_TOPSECRET = 1"),
        file_with("[whsec_TOPSECRET]\n[whsec_TOPSECRET]"),
        endpoint_with("tolerance = \"whsec_TOPSECRET\""),
        endpoint_with("tolerance = \"rk_TOPSECRET\""),
        endpoint_with("tolerance = \"https://a:TOPSECRET@b\""),
        file_where("[\"whsec_1\"]", "{ a = \"TOPSECRET\" }"),
        file_where("[\"whsec_1\"]", "[\n\"TOPSECRET\",\n“TOPSECRET”\n]"),
        file_where("[\"whsec_1\"]", "[\"whsec_TOPSECRET]"),
        file_where("[\"whsec_1\"]", "TOPSECRET"),
    ] {
        let found = parse(&text, "handlers.toml", &world)
            .expect_err(&text)
            .findings;
        assert!(!shown(&found).contains("TOPSECRET"), "{}", shown(&found));
    }
}

#[test]
fn a_crowd_of_mistakes_is_counted_and_not_drawn() {
    let line: String = (0..20_000).map(|it| format!("\"{it}\" = 1, ")).collect();
    let text = handler_with(&format!("retry = {{ {line} }}"));
    let found = parse(&text, "handlers.toml", &world)
        .expect_err("mistakes")
        .findings;
    assert_eq!(found.len(), 51);
    assert_eq!(found[50].message, "there are 19950 findings more");
}
