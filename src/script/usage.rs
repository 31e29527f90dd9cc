//! How the functions of the host are called: an example of each that takes values of several kinds.

/// An example that works.
pub(super) fn example(function: &str) -> Option<&'static str> {
    let found = EXAMPLES.iter().find(|(name, _)| *name == function);
    found.map(|(_, example)| *example)
}

pub(super) const EXAMPLES: [(&str, &str); 43] = [
    ("records", "records(\"invoices\")"),
    ("service", "service(\"accounting\")"),
    (
        "set",
        "records(\"invoices\").set(id, #{ status: \"paid\" })",
    ),
    (
        "update",
        "records(\"invoices\").update(id, #{ status: \"paid\" })",
    ),
    (
        "update_if_newer",
        "records(\"invoices\").update_if_newer(id, event.created, #{ status: \"paid\" })",
    ),
    ("add", "records(\"totals\").add(id, \"count\", 1)"),
    ("find", "records(\"invoices\").find(#{ status: \"paid\" })"),
    (
        "post",
        "service(\"accounting\").post(\"/invoices\", #{ amount: 1200 })",
    ),
    (
        "put",
        "service(\"accounting\").put(\"/invoices\", #{ amount: 1200 })",
    ),
    (
        "patch",
        "service(\"accounting\").patch(\"/invoices\", #{ amount: 1200 })",
    ),
    ("head", "service(\"accounting\").head(\"/invoices/in_1\")"),
    (
        "delete",
        "service(\"accounting\").delete(\"/invoices/in_1\")",
    ),
    ("skip", "skip(\"why\")"),
    ("fail", "fail(\"why\")"),
    ("retry_in", "retry_in(\"10m\", \"why\")"),
    ("now", "now()"),
    ("event_time", "event_time()"),
    ("date", "date(event.created)"),
    ("datetime", "datetime(event.created)"),
    ("parse_date", "parse_date(\"2026-11-24\")"),
    ("add_days", "add_days(event.created, 30)"),
    ("days_between", "days_between(event.created, now())"),
    ("money", "money(invoice.amount_paid, invoice.currency)"),
    ("info", "log.info(\"text\")"),
    ("warn", "log.warn(\"text\")"),
    ("print", "print(\"text\")"),
    ("parse_int", "parse_int(\"42\")"),
    ("parse_float", "parse_float(\"4.2\")"),
    ("parse_json", "parse_json(text)"),
    ("to_json", "to_json(value)"),
    ("random_id", "random_id()"),
    ("split", "text.split(\",\")"),
    ("replace", "text.replace(\"a\", \"b\")"),
    ("sub_string", "text.sub_string(0, 3)"),
    ("starts_with", "text.starts_with(\"in_\")"),
    ("ends_with", "text.ends_with(\".com\")"),
    ("pad", "text.pad(10, \" \")"),
    ("join", "list.join(\", \")"),
    ("push", "list.push(value)"),
    ("insert", "list.insert(0, value)"),
    ("extract", "list.extract(0, 10)"),
    ("map", "list.map(|it| it.id)"),
    ("filter", "list.filter(|it| it.amount > 0)"),
];

/// Whether it counts in seconds, where people write a date.
pub(super) fn takes_seconds(function: &str) -> bool {
    matches!(function, "date" | "datetime" | "add_days" | "days_between")
}
