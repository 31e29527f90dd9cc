//! Compiling runs nothing, and what was checked is what runs.

use super::*;
use crate::script::host::counted::CALLS;

#[test]
fn compiling_calls_no_host_function_although_its_values_are_known() {
    let it = given(
        r#"const RATE = 19;
           import "lib/counts" as counts;
           fn f() { count_for_test(1) + count_for_test(global::RATE) }
           let a = count_for_test(1 + 2) + count_for_test(3);
           if count_for_test(4) == 4 { log.info(`${count_for_test(5)}`); }
           switch count_for_test(6) { 6 => count_for_test(7), _ => () }
           let b = [count_for_test(8), #{ a: count_for_test(9) }];
           b[0] += counts::one() + f();"#,
    )
    .file(
        "scripts/lib/counts.rhai",
        "export const K = 3;\nfn one() { count_for_test(10) }",
    );
    let program = it.program();
    assert_eq!(CALLS.get(), 0);
    // The very program does call it, once for each time that the script says so.
    let (pass, calls) = on_script_thread(|| {
        let pass = run(&program, EVENT, it.world());
        (pass, CALLS.get())
    });
    assert!(
        matches!(pass.outcome, Outcome::Done { .. }),
        "{:?}",
        pass.outcome
    );
    assert_eq!(calls, 11);
}

#[test]
fn a_constant_that_calls_something_is_refused_in_a_file_that_is_run_when_it_is_compiled() {
    let it = given("import \"lib/counts\" as counts;").file(
        "scripts/lib/counts.rhai",
        "export const K = count_for_test(1);",
    );
    assert!(it.compile().is_err());
    assert_eq!(CALLS.get(), 0);
}

#[test]
fn a_program_keeps_the_bytes_that_were_checked_and_compiles_from_them_to_itself() {
    let it = given("import \"lib/a\" as a;\nlog.info(a::one());\r\n// \u{e9} \u{feff}")
        .file("scripts/lib/a.rhai", "fn one() { 1 }")
        .file("scripts/lib/other.rhai", "fn two( {");
    let program = it.program();
    let mut wanted = it.files.clone();
    wanted.remove("scripts/lib/other.rhai");
    wanted.insert(SCRIPT.to_owned(), it.script.clone());
    assert_eq!(program.sources(), &wanted);
    let again = it
        .engine
        .compile(SCRIPT, &Sources(program.sources().clone()), &grants());
    let again = again.unwrap_or_else(|findings| panic!("{}", shown(&findings)));
    assert_eq!(again.version(), program.version());
    // One byte more is another version.
    let more = given(&format!("{} ", it.script)).file("scripts/lib/a.rhai", "fn one() { 1 }");
    assert_ne!(more.program().version(), program.version());
}

#[test]
fn each_script_thread_runs_a_copy_of_its_own() {
    let program = given("import \"a\" as a; a::f();")
        .file("scripts/a.rhai", "fn f() { 1 }")
        .program();
    let here = |place| {
        let program = program.clone();
        on_script_thread(move || {
            set_place(place);
            let linked = program.linked();
            let modules = Arc::as_ptr(&linked.modules) as usize;
            (Arc::as_ptr(&linked.engine) as usize, modules)
        })
    };
    let (first, second) = (here(0), here(1));
    assert!(first.0 != second.0 && first.1 != second.1);
    assert_eq!((first, second), (here(0), here(1)));
}
