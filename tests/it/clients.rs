//! Real clients: what Stripe's own packages, its command line and a stand-in for Stripe send is taken.

use crate::support::{
    Client, FakeService, Host, HostSetup, PATH, Reaction, Running, SECRET, event, eventually,
    eventually_some, node, now_s, output_of, python, replaced, sample, sample_config, sign,
    stripe_cli,
};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(30);

#[test]
fn what_stripes_package_of_pypi_signs_is_taken_and_what_we_sign_it_takes() {
    signs_and_verifies_as_we_do(|| python("stripe_python.py"));
}

#[test]
fn what_stripes_package_of_npm_signs_is_taken_and_what_we_sign_it_takes() {
    signs_and_verifies_as_we_do(|| node("stripe_node.mjs"));
}

fn signs_and_verifies_as_we_do(client: impl Fn() -> Command) {
    let script =
        "records(\"customers\").set(event.data.object.id, #{ name: event.data.object.name });";
    let host = HostSetup::one_handler("[\"customer.created\"]", "[\"customers\"]", script).start();
    let url = format!("http://{}{PATH}", host.address());
    let it = event("customer.created", "cus_1").with("name", "Zoë – 北京");
    let post = |secret: &str| output_of(client().args(["post", &url, secret]), &it.body());
    assert_eq!(post("whsec_of_another_endpoint"), Ok("400".into()));
    assert_eq!(post(SECRET), Ok("200".into()));
    let record = eventually_some(SOON, || host.ledger().record("customers", "cus_1"));
    assert_eq!(record, json!({ "name": "Zoë – 北京" }));

    let (body, header) = as_we_sign(&host);
    let id = serde_json::from_slice::<Value>(&body).unwrap()["id"].clone();
    let verify =
        |secret: &str, body: &[u8]| output_of(client().args(["verify", secret, &header]), body);
    assert_eq!(verify(SECRET, &body).map(Value::from), Ok(id));
    let refused = verify("whsec_of_another_endpoint", &body).unwrap_err();
    assert!(refused.contains("SignatureVerificationError"), "{refused}");
    verify(SECRET, &[&body[..], b" "].concat()).unwrap_err();
}

/// An event that `hookyard trigger` posts, and its signature.
fn as_we_sign(host: &Host) -> (Vec<u8>, String) {
    let target = FakeService::start();
    let trigger = ["trigger", "invoice.paid", "--url", &target.url()];
    let output = host.command(&trigger).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let asked = target.asked().remove(0);
    (
        asked.body.into_bytes(),
        asked.headers["stripe-signature"].clone(),
    )
}

#[test]
fn a_subscription_at_localstripe_changes_the_samples_membership_record() {
    let accounting = FakeService::start();
    accounting.always(Reaction::answer(200, "{\"booking_id\":\"b_1\"}"));
    let host = sample(&accounting).start();
    let (_localstripe, address) = Running::server(&mut python("localstripe_here.py"));
    let mut stripe = Client::connect(address).unwrap();
    let url = format!("http://{}{PATH}", host.address());
    let mut ask = |method, path: &str, form: &str| asked(&mut stripe, method, path, form);
    ask(
        "POST",
        "/_config/webhooks/hookyard",
        &format!("url={url}&secret={SECRET}"),
    );
    let product = ask("POST", "/v1/products", "name=Gold&type=service");
    let plan = format!(
        "id=gold&currency=eur&interval=month&amount=1900&product={}",
        text(&product, "id")
    );
    ask("POST", "/v1/plans", &plan);
    let card = "type=card&card[number]=4242424242424242&card[exp_month]=12&card[exp_year]=2090&card[cvc]=123";
    let card = text(&ask("POST", "/v1/payment_methods", card), "id");
    let customer = format!(
        "email=a@example.com&payment_method={card}&invoice_settings[default_payment_method]={card}"
    );
    let customer = text(&ask("POST", "/v1/customers", &customer), "id");
    let form = format!("customer={customer}&items[0][plan]=gold");
    let subscription = ask("POST", "/v1/subscriptions", &form);
    let id = text(&subscription, "id");
    assert_eq!(subscription["status"], "active", "{subscription}");

    let membership = |field: &str| {
        host.ledger()
            .record("memberships", &id)?
            .get(field)
            .cloned()
    };
    eventually(SOON, || membership("status").is_some());
    assert_eq!(membership("customer"), Some(json!(customer)));
    assert_eq!(membership("plan"), Some(json!("gold")));
    assert_eq!(membership("ended"), Some(json!(false)));
    ask("DELETE", &format!("/v1/subscriptions/{id}"), "");
    eventually(SOON, || membership("ended") == Some(json!(true)));
    assert_eq!(membership("status"), Some(json!("canceled")));

    // Its first invoice was paid meanwhile, and booked once.
    let invoice = text(&subscription, "latest_invoice");
    let booking = || {
        host.ledger()
            .record("invoices", &invoice)?
            .get("booking")
            .cloned()
    };
    eventually(SOON, || booking() == Some(json!("b_1")));
    assert_eq!(accounting.asked().len(), 1);
    let ledger = host.ledger();
    let dead = "SELECT count(*) FROM runs_open WHERE state = 'dead'";
    assert_eq!(ledger.number(dead), 0);
}

/// Asks localstripe; what it answers must be good.
#[track_caller]
fn asked(client: &mut Client, method: &str, path: &str, form: &str) -> Value {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer sk_test_123\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    client.send(request.as_bytes()).unwrap();
    let answer = client.answer().unwrap();
    assert_eq!(answer.status, 200, "{method} {path}: {}", answer.text());
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

fn text(document: &Value, field: &str) -> String {
    let value = document[field].as_str();
    value
        .unwrap_or_else(|| panic!("no `{field}` in {document}"))
        .to_owned()
}

#[test]
fn what_the_stripe_cli_forwards_is_taken_with_its_secret_beside_the_real_one() {
    const CLI_SECRET: &str = "whsec_of_the_cli";
    let (_backend, address) = Running::server(python("stripe_cli_backend.py").arg(CLI_SECRET));
    let api = format!("http://{address}");
    let home = TempDir::new().unwrap();
    let listen = |more: &[&str]| {
        let mut cli = stripe_cli(home.path());
        cli.args(["listen", "--api-key", "sk_test_123456", "--api-base", &api]);
        cli.args(["--no-wss", "--skip-update"]).args(more);
        cli
    };
    let printed = output_of(&mut listen(&["--print-secret"]), b"").unwrap();
    assert_eq!(printed, CLI_SECRET);

    let accounting = FakeService::start();
    let config = replaced(
        &sample_config(&accounting),
        "[\"${STRIPE_WEBHOOK_SECRET}\"]",
        "[\"${STRIPE_WEBHOOK_SECRET}\", \"${STRIPE_CLI_SECRET}\"]",
    );
    let host = sample(&accounting)
        .file("handlers.toml", &config)
        .env("STRIPE_CLI_SECRET", &printed)
        .start();
    let said = home.path().join("said");
    let log = File::create(&said).unwrap();
    let forward = format!("http://{}{PATH}", host.address());
    let mut listening = listen(&["--all-snapshot", "--forward-to", &forward]);
    listening.stdout(log.try_clone().unwrap()).stderr(log);
    let _cli = Running::start(&mut listening);

    let it = event("customer.subscription.created", "sub_1")
        .with("customer", "cus_1")
        .with("status", "active")
        .with(
            "items",
            json!({ "data": [{ "price": { "id": "gold" }, "current_period_end": 1_900_000_000 }] }),
        );
    let body = it.body();
    let mut stripe = Client::connect(address).unwrap();
    let signature = sign(CLI_SECRET, now_s(), &body);
    let sent = stripe.post_signed("/deliver", &signature, &body).unwrap();
    assert_eq!(sent.status, 200, "{}", sent.text());
    let record = eventually_some(SOON, || host.ledger().record("memberships", "sub_1"));
    assert_eq!(
        (&record["status"], &record["plan"]),
        (&json!("active"), &json!("gold"))
    );
    eventually(SOON, || {
        fs::read_to_string(&said).unwrap().contains("[200] POST")
    });
    let show = host.command(&["events", "show", &it.id, "--body"]).output();
    assert_eq!(show.unwrap().stdout, body);
    // The second of its secrets fitted, and the first still does.
    assert_eq!(host.ledger().number("SELECT secret_number FROM events"), 2);
    assert_eq!(host.post(&event("customer.created", "cus_1")).status, 200);
}
