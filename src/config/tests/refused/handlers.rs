//! Handlers: events, scripts, what they may use, order, retries.

use super::*;

#[test]
fn the_subscription_family_is_known_by_its_short_name() {
    refused(
        &file_where("invoice.paid", "subscription.updated"),
        "5:11",
        "Stripe has no event type `subscription.updated`",
        r#"did you mean `customer.subscription.updated`? if Stripe has it by now, write "?subscription.updated""#,
    );
}

#[test]
fn an_event_type_from_nowhere_can_be_said_to_be_new() {
    refused(
        &file_where("invoice.paid", "weather.changed.to.rain"),
        "5:11",
        "Stripe has no event type `weather.changed.to.rain`",
        r#"if Stripe has it by now, write "?weather.changed.to.rain"; all types: https://docs.stripe.com/api/events/types"#,
    );
}

#[test]
fn a_misspelt_family_leads_to_the_right_one() {
    refused(
        &file_where("invoice.paid", "invoices.*"),
        "5:11",
        "Stripe has no event type `invoices.*`",
        r#"did you mean `invoice.*`? if Stripe has it by now, write "?invoices.*""#,
    );
}

#[test]
fn a_star_stands_at_the_end_after_a_dot() {
    refused(
        &file_where("invoice.paid", "invoice*"),
        "5:11",
        "`invoice*` is not an event type",
        r#"a star stands alone or at the end after a dot: "invoice.*""#,
    );
}

#[test]
fn a_type_is_in_lower_case() {
    refused(
        &file_where("invoice.paid", "Invoice.Paid"),
        "5:11",
        "`Invoice.Paid` is not an event type",
        "did you mean `invoice.paid`?",
    );
}

#[test]
fn a_service_that_is_not_there_leads_to_the_nearest() {
    refused(
        &(handler_with(r#"services = ["acounting"]"#)
            + "[services.accounting]\nurl = \"https://example.com\""),
        "7:13",
        "there is no service `acounting`",
        "did you mean `accounting`?",
    );
}

#[test]
fn a_service_without_a_table_asks_for_one() {
    refused(
        &handler_with(r#"services = ["accounting"]"#),
        "7:13",
        "there is no service `accounting`",
        "add a table `[services.accounting]`",
    );
}

#[test]
fn a_service_far_from_all_others_is_shown_them() {
    refused(
        &(service_with("")
            + "[handlers.g]\nevents = [\"*\"]\nscript = \"scripts/g.rhai\"\nservices = [\"accounting\"]"),
        "13:13",
        "there is no service `accounting`",
        "the services here are `s`; or add a table `[services.accounting]`",
    );
}

#[test]
fn an_endpoint_that_is_not_there_leads_to_the_nearest() {
    refused(
        &handler_with(r#"endpoints = ["strip"]"#),
        "7:14",
        "there is no endpoint `strip`",
        "did you mean `stripe`?",
    );
}

#[test]
fn a_handler_has_events() {
    refused(
        &file_where(r#"events = ["invoice.paid"]"#, ""),
        "4:1",
        "[handlers.h] has no `events`",
        r#"add the line `events = ["invoice.paid"]`"#,
    );
}

#[test]
fn a_handler_has_a_script() {
    refused(
        &file_where(r#"script = "scripts/h.rhai""#, ""),
        "4:1",
        "[handlers.h] has no `script`",
        r#"add the line `script = "scripts/invoice_paid.rhai"`"#,
    );
}

#[test]
fn a_handler_has_an_event() {
    refused(
        &file_where(r#""invoice.paid""#, ""),
        "5:10",
        "`events` is empty, so the handler would never run",
        r#"write `events = ["invoice.paid"]`"#,
    );
}

#[test]
fn a_script_lies_in_its_folder() {
    refused(
        &file_where("scripts/h.rhai", "../h.rhai"),
        "6:10",
        "`script` must be a .rhai file in the folder `scripts`, this is `../h.rhai`",
        r#"write "scripts/h.rhai": letters, digits, `-`, `_` and `.`, beside handlers.toml, no `..`"#,
    );
}

#[test]
fn a_script_does_not_leave_its_folder() {
    refused(
        &file_where("scripts/h", "scripts/../h"),
        "6:10",
        "`script` must be a .rhai file in the folder `scripts`, this is `scripts/../h.rhai`",
        r#"write "scripts/h.rhai": letters, digits, `-`, `_` and `.`, beside handlers.toml, no `..`"#,
    );
}

#[test]
fn a_script_is_rhai() {
    refused(
        &file_where("h.rhai", "h.js"),
        "6:10",
        "`script` must be a .rhai file in the folder `scripts`, this is `scripts/h.js`",
        r#"write "scripts/h.rhai": letters, digits, `-`, `_` and `.`, beside handlers.toml, no `..`"#,
    );
}

#[test]
fn a_collection_has_a_plain_name() {
    refused(
        &handler_with(r#"records = ["Invoices"]"#),
        "7:12",
        "`Invoices` cannot be the name of a collection",
        "write 1 to 64 of a-z, 0-9, `-` and `_`",
    );
}

#[test]
fn a_collection_is_to_be_read_or_to_be_changed() {
    refused(
        &handler_with(r#"records = { invoices = "write", rates = "readonly" }"#),
        "7:41",
        "what a handler may do with `rates` must be \"read\" or \"write\", this is `readonly`",
        "\"read\": its script may only look at the records; \"write\": it may change them, too",
    );
    refused(
        &handler_with(r#"records = { Rates = "read" }"#),
        "7:13",
        "`Rates` cannot be the name of a collection",
        "write 1 to 64 of a-z, 0-9, `-` and `_`",
    );
    refused(
        &handler_with("records = { rates = true }"),
        "7:21",
        "`rates` must be text, this is a yes or no",
        "write `rates = \"read\"`",
    );
}

#[test]
fn a_handler_with_endpoints_has_one() {
    refused(
        &handler_with("endpoints = []"),
        "7:13",
        "`endpoints` is empty, so the handler would never run",
        "name some, or remove the line to take the events of all",
    );
}

#[test]
fn an_order_without_paths_is_none() {
    refused(
        &handler_with("order_by = []"),
        "7:12",
        "`order_by` must name 1 to 8 paths, these are 0",
        r#"write "none" if every run may go on its own"#,
    );
}

#[test]
fn an_order_starts_at_the_event_not_at_its_object() {
    refused(
        &handler_with(r#"order_by = "object.customer""#),
        "7:12",
        "an event has no field `object` to order by",
        r#"write "data.object.customer""#,
    );
}

#[test]
fn an_order_needs_no_word_for_the_event() {
    refused(
        &handler_with(r#"order_by = "event.data.object.id""#),
        "7:12",
        "an event has no field `event` to order by",
        r#"write "data.object.id""#,
    );
}

#[test]
fn an_order_by_a_field_of_the_object_has_its_whole_path() {
    refused(
        &handler_with(r#"order_by = "customer""#),
        "7:12",
        "an event has no field `customer` to order by",
        r#"write "data.object.customer" for a field of the object that the event is about"#,
    );
}

#[test]
fn an_order_with_a_mistake_leads_to_the_right_field() {
    refused(
        &handler_with(r#"order_by = "dta.object.id""#),
        "7:12",
        "an event has no field `dta` to order by",
        "did you mean `data.object.id`?",
    );
}

#[test]
fn an_order_is_a_path() {
    refused(
        &handler_with(r#"order_by = "data..id""#),
        "7:12",
        "`order_by` must be a path of names with dots between, this is `data..id`",
        r#"write "data.object.customer", or "none" if every run may go on its own"#,
    );
}

#[test]
fn an_order_is_text() {
    refused(
        &handler_with("order_by = true"),
        "7:12",
        "`order_by` must be a list, this is a yes or no",
        r#"write `order_by = ["data.object.customer", "data.object.id"]`"#,
    );
}

#[test]
fn a_dead_run_blocks_or_not() {
    refused(
        &handler_with(r#"on_dead = "stop""#),
        "7:11",
        r#"`on_dead` must be "continue" or "block", this is `stop`"#,
        r#""continue": what comes after a dead run goes on; "block": it waits until somebody looked"#,
    );
}

#[test]
fn a_retry_is_a_table() {
    refused(
        &handler_with("retry = 3"),
        "7:9",
        "`retry` must be a table",
        r#"write `retry = { attempts = 12, first = "5s", max = "6h" }`"#,
    );
}

#[test]
fn the_waits_of_a_retry_grow() {
    refused(
        &handler_with(r#"retry = { first = "1h", max = "1m" }"#),
        "7:31",
        "`max` must be between 1h and 30d, this is `1m`",
        r#"write a number and a unit (ms, s, m, h, d), such as "6h"; without this line it is 6h"#,
    );
}

#[test]
fn a_canary_is_a_table() {
    refused(
        &handler_with("canary = true"),
        "7:10",
        "`canary` must be a table",
        r#"write `canary = { share = "10%", runs = 50, errors = "5%" }`"#,
    );
}

#[test]
fn a_share_has_a_per_cent_sign() {
    refused(
        &handler_with(r#"canary = { share = "10" }"#),
        "7:20",
        "`share` must be a share, this is `10`",
        r#"write per cent, such as "10%" or "0.5%"; without it it is 10%"#,
    );
}
