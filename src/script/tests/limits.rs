use super::*;

fn is_stopped(script: &str) -> Failure {
    let limits = Limits {
        operations_max: 20_000,
        engine_time_max: Duration::from_secs(10),
        ..super::limits()
    };
    given(script).limits(limits).failure()
}

#[test]
fn an_endless_loop_ends() {
    for script in [
        "loop { }",
        "while true { let x = 1; }",
        "for i in 0..1000000000 { }",
        "loop { try { loop { } } catch { } }",
        "fn f() { loop { } } f();",
        "[1].map(|it| { loop { } });",
        "try { [1].map(|it| { loop { } }); } catch { } loop { }",
        "[2, 1].sort(|a, b| { loop { } });",
        "let l = [1]; loop { l.map(|it| it); }",
        "let l = 0..30000; let a = []; for i in l { a.push(i); } ",
        "let f = || { loop { } }; f.call();",
    ] {
        let failure = is_stopped(script);
        assert!(
            failure.message.contains("operations"),
            "{script}: {failure:?}"
        );
        assert_eq!(failure.line, 1, "{script}");
    }
}

#[test]
fn the_deadline_ends_what_takes_long() {
    let limits = Limits {
        operations_max: u64::MAX,
        engine_time_max: Duration::from_millis(100),
        ..super::limits()
    };
    for script in [
        "loop { }",
        "loop { try { [1].map(|it| { loop { } }); } catch { } }",
        "let s = \"x\"; loop { parse_json(\"[1,2,3]\"); }",
    ] {
        let started = std::time::Instant::now();
        let failure = given(script).limits(limits.clone()).failure();
        assert!(
            failure.message.contains("worked longer than 100ms"),
            "{failure:?}"
        );
        assert!(started.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn functions_cannot_call_each_other_without_end() {
    let it = given("fn f(n) {\n  f(n + 1)\n}\nf(0);").failure();
    assert!(it.message.contains("32 deep"), "{it:?}");
    assert_eq!(it.line, 4);
}

#[test]
fn values_cannot_grow_without_end() {
    for script in [
        "let s = \"x\"; loop { s += s; }",
        "let s = \"x\"; loop { s = `${s}${s}`; }",
        "let a = [1]; loop { a += a; }",
        "let a = [1]; loop { a.append(a); }",
        "let a = [1]; loop { a = a + a; }",
        "let s = \"x\".pad(100000000, 'x');",
        "let s = \"x\"; s.pad(5, \"\");",
        "let s = \"aaaaaaaaaa\"; loop { s.replace(\"a\", \"aaaaaaaaaa\"); }",
        "let s = \"a\"; s.replace(\"\", \"b\");",
        "let s = \"a,\"; for i in 0..17 { s += s; } s.split(\",\");",
        "let s = \"x\"; for i in 0..20 { s += s; } let l = [1]; for i in 0..10 { l += l; } l.join(s);",
        "let k = \"x\"; for i in 0..18 { k += k; } let m = #{}; for i in 0..100 { m.set(`${i}`, i); } let n = #{}; n[k] = m; service(\"accounting\").post(\"/\", n, #{ form: true });",
        "let m = #{}; for i in 0..40000 { m[`${i}`] = i; } #{ a: m, b: m, c: m };",
    ] {
        let it = given(script).failure();
        let is_told = ["large", "bytes", "items", "fields", "pieces", "empty"]
            .iter()
            .any(|word| it.message.contains(word));
        assert!(is_told, "{script}: {it:?}");
    }
}

#[test]
fn deep_nesting_neither_crashes_nor_hangs() {
    for script in [
        "let a = []; for i in 0..1500 { a = [a]; } print(a);",
        "let a = []; for i in 0..1500 { a = [a]; } print(`${a}`.len() < 1000);",
        "let a = []; let b = []; for i in 0..1000 { a = [a]; b = [b]; } try { print(a == b); } catch { }",
        "let a = #{}; for i in 0..1000 { let m = #{}; m[\"a\"] = a; a = m; } try { print(to_json(a)); } catch { }",
        "let a = []; for i in 0..1000 { a = [a]; } try { records(\"invoices\").set(\"a\", #{ a: a }); } catch { }",
        "let a = []; for i in 0..1000 { a = [a]; } print(a in [a, 1]);",
    ] {
        let pass = given(script).pass();
        assert!(
            matches!(pass.outcome, Outcome::Done { .. } | Outcome::Failed(_)),
            "{script}"
        );
    }
}

#[test]
fn what_could_wait_escape_or_build_code_is_not_there() {
    for script in [
        "sleep(1);",
        "eval(\"1\");",
        "exit();",
        "let f = Fn(\"sleep\"); f.call(1);",
        "timestamp();",
        "let x = 1; let f = |y| x + y; f.curry(1);",
        "blob(10);",
        "is_shared(1);",
        "get_fn_metadata_list();",
    ] {
        assert!(given(script).compile().is_err(), "{script}");
    }
}

#[test]
fn the_log_is_bounded() {
    let pass = given("for i in 0..1000 { log.info(i); } ").pass();
    assert_eq!(pass.log.len(), 201);
    assert!(pass.log[200].text.contains("not kept"));
    let pass = given("let s = \"x\"; for i in 0..13 { s += s; } print(s);").pass();
    assert_eq!(pass.log[0].text.chars().count(), 2001);
}

#[test]
fn calls_and_changes_are_bounded() {
    let mut it = given("for i in 0..6 { service(\"accounting\").get(\"/x\"); }");
    for _ in 0..6 {
        it = it.answer(200, "");
    }
    assert!(it.failure().message.contains("at most 5 calls"));
    let it =
        given("try { for i in 0..11 { records(\"invoices\").set(`${i}`, #{ a: 1 }); } } catch { }")
            .failure();
    assert!(it.message.contains("at most 10 records"), "{it:?}");
}

#[test]
fn time_spent_in_earlier_replays_counts() {
    struct Late(Box<dyn World>);
    impl World for Late {
        fn record(&mut self, collection: &str, id: &str) -> Result<Option<Record>, WorldError> {
            self.0.record(collection, id)
        }
        fn find(
            &mut self,
            c: &str,
            f: &[(String, String)],
            l: usize,
        ) -> Result<Vec<Record>, WorldError> {
            self.0.find(c, f, l)
        }
        fn answer(&mut self, request: &Request) -> Result<Option<Arc<Answer>>, WorldError> {
            self.0.answer(request)
        }
        fn engine_time_spent(&self) -> Duration {
            Duration::from_secs(3600)
        }
    }
    let given = given("let x = 1;");
    let program = given.program();
    let pass = on_script_thread(|| run(&program, EVENT, Box::new(Late(given.world()))));
    assert!(
        matches!(&pass.outcome, Outcome::Failed(it) if it.message.contains("longer")),
        "{:?}",
        pass.outcome
    );
}

#[test]
fn a_source_is_bounded() {
    let script = format!("let x = 1; // {}", "x".repeat(70_000));
    assert!(given(&script).findings()[0].message.contains("bytes"));
}

#[test]
fn a_closure_that_uses_the_list_it_goes_through_does_not_hang() {
    for script in [
        "let a = [1, 2]; let f = |x| a.len(); a.map(f);",
        "let a = [1, 2]; let f = |x| a.len(); a.filter(f);",
        "let a = [1, 2]; let f = |x| a.push(x); a.for_each(f);",
        "let a = [2, 1]; let f = |x, y| a.len(); a.sort(f);",
        "let a = [2, 1]; let f = |x, y| { a.clear(); 1 }; a.sort(f);",
        "let a = [2, 1]; let f = |x| { a = []; true }; a.retain(f);",
        "let m = #{ f: () }; let f = || m.f; m.f = f; print(m); to_json(m);",
        "let m = #{ f: () }; let f = || m.f; m.f = f; m == m;",
        "let m = #{ f: () }; m.f = || m; print(m.f.call());",
        "let m = #{ f: () }; m.f = || m; records(\"invoices\").set(\"a\", m);",
        "let a = []; let f = || a; a.push(f); print(a); a == a;",
        "let s = \"x\"; let f = || s; s += f.call();",
        "let a = [1]; let b = a; let f = || { b.push(1); b }; b.append(f.call());",
        "let a = [1]; let f = || a; a += a; a.append(a);",
        "let a = [1]; let f = || a; a[0] = a; print(a);",
        "let x = 1; let f = || x; x = f; print(x); x == x;",
    ] {
        let outcome = given(script).pass().outcome;
        assert!(
            matches!(outcome, Outcome::Done { .. } | Outcome::Failed(_)),
            "{script}: {outcome:?}"
        );
    }
}

#[test]
fn values_nested_as_deep_as_operations_allow_are_freed() {
    for script in [
        "let x = 1; loop { let m = #{}; m[\"a\"] = x; x = m; }",
        "let x = 1; loop { x = [x]; }",
        "let x = 1; loop { x = #{ a: x }; }",
        "let x = 1; loop { let y = x; x = || y; }",
        "let x = 1; loop { let m = [1]; m[0] = x; x = m; }",
        "let x = 1; loop { let y = x; x = [|| y]; }",
    ] {
        let it = given(script).limits(Limits::default()).failure();
        assert!(it.message.contains("stopped"), "{script}: {it:?}");
    }
}

#[test]
fn odd_values_neither_panic_nor_hang() {
    let max = "9223372036854775807";
    let min = "(-9223372036854775807 - 1)";
    for script in [
        "range(0, 10, 0)".to_owned(),
        "for i in range(0, 10, 0) { }".to_owned(),
        "for i in range(0.0, 1.0, 0.0) { }".to_owned(),
        "let nan = 0.0 / 0.0; for i in range(0.0, 1.0, nan) { }".to_owned(),
        format!("for i in 0..{max} {{ }}"),
        format!("for i in {min}..{max} {{ }}"),
        format!("let x = [1, 2].extract({min}, {max});"),
        format!(
            "let x = [1, 2]; x.insert({min}, 1); x.remove({min}); x.truncate({min}); x.get({max}); x.set({min}, 1);"
        ),
        format!("let x = \"abc\".sub_string({min}, {max});"),
        format!("let x = \"abc\"; x.crop({min}, {max}); x.truncate({min}); x.pad({max}, 'x');"),
        format!(
            "let x = \"abc\"; x.pop({max}); x.get({min}); x.set({max}, 'a'); x.index_of(\"a\", {min}); x.split({min});"
        ),
        format!("let x = \"abc\".split(\",\", {min});"),
        format!("{min}.abs()"),
        format!("let x = {min} / -1;"),
        format!("let x = {min} % -1;"),
        format!("let x = 2 ** {max};"),
        format!("let x = 1 << {max};"),
        format!("let x = 1 >> {min};"),
        format!("let x = -{min};"),
        format!("date({max})"),
        format!("days_between({min}, {max})"),
        format!("add_days({min}, {min})"),
        format!("retry_in(\"{max}d\", \"x\")"),
        format!("money({min}, \"eur\").to_string()"),
        format!("-money({min}, \"eur\")"),
        format!("let x = {min}; x.bits;"),
        "to_int(0.0 / 0.0)".to_owned(),
        "(1.0 / 0.0).to_int()".to_owned(),
        "parse_int(\"99999999999999999999\")".to_owned(),
        "parse_int(\"zz\", 99)".to_owned(),
        "parse_int(\"1\", -5)".to_owned(),
        "parse_float(\"x\")".to_owned(),
        "round(1e300)".to_owned(),
        "let f = |x| x; f.call(1, 2, 3)".to_owned(),
        "let x = 5; x.call(1)".to_owned(),
        "\"abc\"[99]".to_owned(),
        "\"abc\"[1..99]".to_owned(),
        "5[1..99]".to_owned(),
        "let x = 5; x[0..200] = 1;".to_owned(),
        "let s = \"abc\"; s[0] = 'é'; s[-1] = 'x'; s[5] = 'y';".to_owned(),
        "records(\"\")".to_owned(),
        "records(\"invoices\").get(\"\")".to_owned(),
        "records(\"invoices\").find(#{}, -1)".to_owned(),
        "service(\"accounting\").get(\"\")".to_owned(),
        "service(\"accounting\").get(\"/\", #{ accept: [99999] })".to_owned(),
        "throw".to_owned(),
        "let x = (); x.y.z".to_owned(),
        "this.x".to_owned(),
        "switch event { 1 => 2, _ => 3 }".to_owned(),
        "switch [[1], #{ a: 2 }, || 1] { 1 => 2, _ => 3 }".to_owned(),
        "event.get(5)".to_owned(),
        "event[5]".to_owned(),
        "event.data.object.lines.data[-9]".to_owned(),
        "type_of(|| 1).x".to_owned(),
        "print(type_of(print))".to_owned(),
        "money".to_owned(),
    ] {
        let it = given(&format!("{script};"));
        if it.compile().is_ok() {
            let limits = Limits {
                operations_max: 100_000,
                ..super::limits()
            };
            let outcome = it.limits(limits).pass().outcome;
            assert!(
                !format!("{outcome:?}").contains("panic"),
                "{script}: {outcome:?}"
            );
        }
    }
}
