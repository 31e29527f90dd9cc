//! Money, time, JSON.

use super::*;

#[test]
fn money_knows_the_decimals_of_its_currency() {
    holds(
        r#"print(money(1234, "eur").to_string() == "12.34 EUR"); print(`${money(1234, "JPY")}` == "1234 JPY");
           print(money(5120, "kwd").to_string() == "5.120 KWD"); print(money(-5, "usd").to_string() == "-0.05 USD");
           print(money(-1234, "usd").decimal == "-12.34"); print(money(0, "bhd").decimal == "0.000"); print(money(500, "isk").decimal == "5.00");
           print(money(7, "eur").amount == 7); print(money(7, "EUR").currency == "eur");
           print(money(event.data.object.amount_paid, event.data.object.currency).decimal == "12.34");"#,
    );
}

#[test]
fn money_counts_only_within_its_currency() {
    holds(
        r#"let a = money(100, "eur"); let b = money(250, "eur");
           print(a + b == money(350, "eur")); print(b - a == money(150, "eur")); print(a < b); print(b >= a); print(a != b); print(-a == money(-100, "eur"));
           print(a * 3 == money(300, "eur")); print(3 * a == money(300, "eur")); print(a != money(100, "usd")); let c = a; c += b; print(c.amount == 350);
           print([a, b].sum() == money(350, "eur")); print(a in [b, a]);"#,
    );
    fails(
        "money(1, \"eur\") + money(1, \"usd\");",
        1,
        "different currencies",
        "",
    );
    fails(
        "money(1, \"eur\") < money(1, \"usd\");",
        1,
        "different currencies",
        "",
    );
    fails(
        "money(9223372036854775807, \"eur\") + money(1, \"eur\");",
        1,
        "too large",
        "",
    );
    fails(
        "money(12.34 + 0, \"eur\");",
        1,
        "whole number",
        "as Stripe sends it",
    );
    fails(
        "money(12, \"eur\" + \"o\");",
        1,
        "no currency",
        "three letters",
    );
    fails(
        "let x = money(1, \"eur\") + 5;",
        1,
        "`+` cannot do that with money and whole number",
        "",
    );
}

#[test]
fn times_are_seconds_and_days_are_those_of_utc() {
    holds(
        r#"print(now() == 1700000100); print(event_time() == 1700000000); print(event.created == event_time());
           print(date(1700000000) == "2023-11-14"); print(datetime(1700000000) == "2023-11-14T22:13:20Z");
           print(parse_date("2026-11-24") == 1795478400); print(date(parse_date("2026-11-24")) == "2026-11-24");
           print(parse_date("2026-11-24T10:00:00+01:00") == 1795510800);
           print(date(add_days(1700000000, 30)) == "2023-12-14");
           print(days_between(parse_date("2024-02-28"), parse_date("2024-03-01")) == 2); print(days_between(1700000000, 1700000000 - 86400) == -1);"#,
    );
    fails("date(1700000000000);", 1, "no time in seconds", "divide");
    fails(
        "parse_date(\"24.11.\" + \"2026\");",
        1,
        "no date",
        "2026-11-24",
    );
    fails("add_days(0, 9223372036854775807);", 1, "no time", "");
}

#[test]
fn json_comes_and_goes_exactly() {
    holds(
        r#"let v = parse_json("{\"b\":[1,2.5,null,true,\"x\\n\"],\"a\":99999999999999999999}");
           print(v.b == [1, 2.5, (), true, "x\n"]); print(v.a == "99999999999999999999");
           print(to_json(v) == "{\"a\":\"99999999999999999999\",\"b\":[1,2.5,null,true,\"x\\n\"]}");
           print(to_json("é\"") == "\"é\\\"\""); print(to_json(()) == "null"); print(parse_json("5") == 5);"#,
    );
    fails("parse_json(\"{\");", 1, "not JSON", "");
    fails("to_json(|| 1);", 1, "JSON has nothing for a function", "");
    fails("let x = 0.0;\nto_json(1.0 / x);", 2, "JSON has no inf", "");
}

#[test]
fn what_a_script_prints_is_kept_with_its_line() {
    let pass = given("log.info(\"a\");\nlog.warn(\"b\", #{ n: 1 });\nprint([1, \"x\"]);\ndebug(\"q\");\nlog.info(event.data.object.metadata);").pass();
    let lines: Vec<_> = pass
        .log
        .iter()
        .map(|it| (it.line, it.text.as_str()))
        .collect();
    assert_eq!(
        lines,
        [
            (1, "a"),
            (2, r#"b {"n":1}"#),
            (3, r#"[1, "x"]"#),
            (4, r#""q""#),
            (5, r##"#{default: "yes", order: "77"}"##)
        ]
    );
    assert_eq!(pass.log[1].level, crate::script::LogLevel::Warn);
}

/// As `find` and lists of services give them.
#[test]
fn a_thousand_documents_of_sixty_fields_are_held_at_once() {
    let fields: Vec<String> = (0..60)
        .map(|it| format!("\"field_{it}\":\"{it}\""))
        .collect();
    let document = format!("{{{}}}", fields.join(","));
    let text = format!("[{}]", vec![document; 1000].join(","));
    let event = serde_json::json!({ "id": "e", "text": text }).to_string();
    let script = "let all = parse_json(event.text); let n = 0; for it in all { n += it.len(); } print(n == 60000);";
    let log = given(script).event(&event).log();
    assert!(log[0].ends_with("true"), "{log:?}");
}
