//! The configurations under test.

use crate::event::PATH;
use crate::host::Setup;

/// What every event of the load is, unless a scenario says otherwise.
pub(crate) const KIND: &str = "invoice.paid";

/// No handler wants the load's events.
pub(crate) fn unwanted() -> Setup {
    with_handlers(
        "[handlers.other]\nevents = [\"customer.created\"]\nscript = \"scripts/other.rhai\"\n",
        vec![("scripts/other.rhai", "log.info(\"never run\");\n".into())],
    )
}

/// Each event is run by a script of 20 lines that updates two records.
pub(crate) fn two_records() -> Setup {
    with_handlers(
        TWO_RECORDS_HANDLER,
        vec![("scripts/two_records.rhai", TWO_RECORDS.into())],
    )
}

/// The same, and beside it a handler whose runs wait for a service, unless its script calls nothing.
pub(crate) fn waiting(service_url: &str, connections_max: u64, script: &str) -> Setup {
    let handlers = format!(
        "{TWO_RECORDS_HANDLER}\n\
         [services.slow]\nurl = \"{service_url}\"\ntimeout = \"60s\"\nprivate_network = true\n\
         connections_max = {connections_max}\n\n\
         [handlers.waiting]\nevents = [\"invoice.created\"]\nscript = \"scripts/waiting.rhai\"\n\
         records = [\"waited\"]\nservices = [\"slow\"]\norder_by = \"none\"\n"
    );
    with_handlers(
        &handlers,
        vec![
            ("scripts/two_records.rhai", TWO_RECORDS.into()),
            ("scripts/waiting.rhai", script.into()),
        ],
    )
}

/// Each event of one type is run by every hostile script, each of which fails and comes again.
pub(crate) fn hostile() -> Setup {
    let mut handlers = TWO_RECORDS_HANDLER.to_owned();
    for (path, _) in HOSTILE {
        let name = path
            .trim_start_matches("scripts/")
            .trim_end_matches(".rhai");
        handlers += &format!(
            "\n[handlers.{name}]\nevents = [\"invoice.created\"]\nscript = \"{path}\"\norder_by = \"none\"\n\
             retry = {{ attempts = 100, first = \"1s\", max = \"1s\" }}\n"
        );
    }
    let scripts = HOSTILE.map(|(path, text)| (path, text.to_owned()));
    let two_records = ("scripts/two_records.rhai", TWO_RECORDS.to_owned());
    with_handlers(
        &handlers,
        [two_records].into_iter().chain(scripts).collect(),
    )
}

/// One or two of each kind of the suite.
const HOSTILE: [(&str, &str); 10] = [
    (
        "scripts/loops.rhai",
        include_str!("../../tests/golden/hostile/loops/loop_alone.rhai"),
    ),
    (
        "scripts/parsing.rhai",
        include_str!("../../tests/golden/hostile/loops/parse_json.rhai"),
    ),
    (
        "scripts/slow.rhai",
        include_str!("../../tests/golden/hostile/slow/index_of_in_long_texts.rhai"),
    ),
    (
        "scripts/texts.rhai",
        include_str!("../../tests/golden/hostile/balloons/many_long_texts.rhai"),
    ),
    (
        "scripts/maps.rhai",
        include_str!("../../tests/golden/hostile/balloons/map_by_index.rhai"),
    ),
    (
        "scripts/json.rhai",
        include_str!("../../tests/golden/hostile/balloons/parsed_maps.rhai"),
    ),
    (
        "scripts/copies.rhai",
        include_str!("../../tests/golden/hostile/balloons/plus_of_maps.rhai"),
    ),
    (
        "scripts/caught.rhai",
        include_str!("../../tests/golden/hostile/catching/memory_in_a_callback.rhai"),
    ),
    (
        "scripts/nested.rhai",
        include_str!("../../tests/golden/hostile/slow/nested_ever_deeper.rhai"),
    ),
    (
        "scripts/recursion.rhai",
        include_str!("../../tests/golden/hostile/recursion/in_sort.rhai"),
    ),
];

/// A handler that keeps two records and calls one service, and one that calls another, which may fall ill.
pub(crate) fn ill(well_url: &str, ill_url: &str) -> Setup {
    let handlers = format!(
        "{TWO_RECORDS_HANDLER}services = [\"well\"]\n\n\
         [services.well]\nurl = \"{well_url}\"\nprivate_network = true\n\n\
         [services.slow]\nurl = \"{ill_url}\"\nprivate_network = true\n\n\
         [handlers.waiting]\nevents = [\"invoice.created\"]\nscript = \"scripts/waiting.rhai\"\n\
         records = [\"waited\"]\nservices = [\"slow\"]\n"
    );
    let calling =
        format!("service(\"well\").post(\"/paid\", #{{ event: event.id }});\n{TWO_RECORDS}");
    with_handlers(
        &handlers,
        vec![
            ("scripts/two_records.rhai", calling),
            ("scripts/waiting.rhai", WAITING.into()),
        ],
    )
}

/// One handler for each way of saving; each leaves a mark that says which version of its script ran.
pub(crate) fn marks() -> Setup {
    let mut handlers = String::new();
    for way in WAYS {
        handlers += &format!(
            "[handlers.{way}]\nevents = [\"{KIND}\"]\nscript = \"scripts/{way}.rhai\"\nrecords = [\"marks\"]\n\n"
        );
    }
    let mut setup = with_handlers(&handlers, Vec::new());
    for (way, path) in WAYS.iter().zip([
        "scripts/written.rhai",
        "scripts/renamed.rhai",
        "scripts/linked.rhai",
    ]) {
        setup.scripts.push((path, mark(way, 0)));
    }
    setup
}

/// How many scripts `many_scripts` has: `h0`, `h1`, and so on.
pub(crate) const SCRIPTS: usize = 1000;
/// The one of them that the load's events go to, and that is saved.
pub(crate) const SAVED: &str = "h500";

/// A handler for each of many scripts, which lie there already.
pub(crate) fn many_scripts() -> Setup {
    let handlers: String = (0..SCRIPTS)
        .map(|at| format!("h{at}"))
        .map(|name| {
            let kind = if name == SAVED { KIND } else { "customer.created" };
            format!(
                "[handlers.{name}]\nevents = [\"{kind}\"]\nscript = \"scripts/{name}.rhai\"\nrecords = [\"marks\"]\n\n"
            )
        })
        .collect();
    with_handlers(&handlers, Vec::new())
}

/// How a script is saved: in place, by a rename over it, by swapping a symlink on the way to it.
pub(crate) const WAYS: [&str; 3] = ["written", "renamed", "linked"];

/// A version of a script of `marks`.
pub(crate) fn mark(way: &str, version: usize) -> String {
    format!(
        "records(\"marks\").set(`{}${{event.id}}`, #{{ version: {version} }});\n",
        mark_prefix(way, version)
    )
}

/// What the ids of that version's marks begin with.
pub(crate) fn mark_prefix(way: &str, version: usize) -> String {
    format!("{way}-{version:05}-")
}

fn with_handlers(handlers: &str, scripts: Vec<(&'static str, String)>) -> Setup {
    let config = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n\n\
         [endpoints.stripe]\npath = \"{PATH}\"\nsigning_secrets = [\"${{STRIPE_WEBHOOK_SECRET}}\"]\n\n{handlers}"
    );
    Setup { config, scripts }
}

const TWO_RECORDS_HANDLER: &str = "[handlers.two-records]\nevents = [\"invoice.paid\"]\n\
    script = \"scripts/two_records.rhai\"\nrecords = [\"invoices\", \"customers\"]\n";

const TWO_RECORDS: &str = r#"// Keeps an invoice, and what its customer has paid, in step with each payment.
let invoice = event.data.object;
records("invoices").update(invoice.id, #{
    number: invoice.number,
    customer: invoice.customer,
    status: if invoice.amount_remaining > 0 { "partly paid" } else { "paid" },
    amount: invoice.amount_paid,
    currency: invoice.currency,
    paid_at: event.created,
    last_event: event.id,
});
let known = records("customers").get(invoice.customer);
let payments = if known == () { 1 } else { known.payments + 1 };
records("customers").update(invoice.customer, #{
    name: invoice.customer_name,
    email: invoice.customer_email,
    country: invoice.customer_address.country,
    payments: payments,
    last_invoice: invoice.id,
});
"#;

pub(crate) const WAITING: &str = r#"// Asks a slow service, and keeps what it said.
let answer = service("slow").post(`/invoices/${event.data.object.id}`, #{ event: event.id });
records("waited").set(event.id, #{ status: answer.status });
"#;

pub(crate) const NOT_WAITING: &str = r#"// Keeps the same without asking.
let answer = #{ status: 200 };
records("waited").set(event.id, #{ status: answer.status });
"#;
