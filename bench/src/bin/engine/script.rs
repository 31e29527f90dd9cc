//! The scripts that are measured, and the event that they are about.

/// Thirty lines such as staff write: fields of the event, conditions, a loop, a helper, two records.
pub(crate) const WHOLE: &str = r#"// Keeps an invoice, and what its customer has paid, in step with each payment.
fn short(text) {
    if text.len > 40 { text.sub_string(0, 40) } else { text }
}

let invoice = event.data.object;
let positions = 0;
let largest = 0;
for line in invoice.lines.data {
    positions += line.quantity;
    if line.amount > largest {
        largest = line.amount;
    }
}
let open = invoice.amount_due - invoice.amount_paid;
records("invoices").update(invoice.id, #{
    number: invoice.number,
    customer: invoice.customer,
    status: if open > 0 { "partly paid" } else { "paid" },
    amount: invoice.amount_paid,
    currency: invoice.currency,
    positions: positions,
    largest: largest,
    paid_at: event.created,
});
let known = records("customers").get(invoice.customer);
records("customers").update(invoice.customer, #{
    name: short(invoice.customer_name),
    payments: if known == () { 1 } else { known.payments + 1 },
});
"#;

/// Behind the others: the pass ends here.
pub(crate) const CALL: &str =
    "service(\"accounting\").post(`/invoices/${invoice.id}`, #{ amount: invoice.amount_paid });\n";

/// Ten records, each for the first time.
pub(crate) fn reads() -> String {
    ten(|id| format!("records(\"customers\").get(\"{id}\");\n"))
}

pub(crate) fn writes() -> String {
    ten(|id| format!("records(\"customers\").update(\"{id}\", #{{ seen: true }});\n"))
}

fn ten(line: impl Fn(String) -> String) -> String {
    (0..10).map(|n| line(format!("cus_{n}"))).collect()
}

/// The load's event, with its variable places filled.
pub(crate) fn event() -> String {
    include_str!("../../invoice.json")
        .trim_end()
        .replace("{kind}", "invoice.paid")
        .replace(['~', '^', '@'], "x")
        .replace(['%', '#'], "7")
}
