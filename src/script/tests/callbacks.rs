//! Natives that take functions, and those of Rhai's that were replaced.

use super::*;

#[test]
fn errors_in_callbacks_are_never_swallowed() {
    for call in [
        "sort(|a, b| throw \"x\")",
        "filter(|a| throw \"x\")",
        "retain(|a| throw \"x\")",
        "map(|a| throw \"x\")",
        "some(|a| throw \"x\")",
        "all(|a| throw \"x\")",
        "find(|a| throw \"x\")",
        "reduce(|a, b| throw \"x\")",
        "sort_by(|a, b| throw \"x\")",
    ] {
        let call = call.replace("throw \"x\"", "{ throw \"x\"; }");
        fails(&format!("let l = [2, 1];\nl.{call};"), 2, "x", "");
    }
}

#[test]
fn lists_do_what_they_say() {
    holds(
        r#"let l = [3, 1, 2];
           print(l.sort() == [1, 2, 3]); print(l == [1, 2, 3]);
           print(l.sort_desc() == [3, 2, 1]);
           print(l.sort(|a, b| a - b) == [1, 2, 3]); print(l.sort(|a, b| a > b) == [3, 2, 1]);
           print(l.map(|it| it * 2) == [6, 4, 2]); print(l.map(|it, index| index) == [0, 1, 2]);
           print(l.filter(|it| it > 1) == [3, 2]);
           print(l.find(|it| it < 3) == 2); print(l.find(|it| it > 5) == ());
           print(l.some(|it| it == 1)); print(!l.all(|it| it == 1)); print(l.all(|it| it > 0));
           print(l.reduce(|sum, it| sum + it, 0) == 6); print(l.sum() == 6); print([].sum() == 0);
           print(l.index_of(2) == 1); print(l.index_of(9) == -1); print(l.contains(3)); print(3 in l); print(!(9 in l));
           print([1, 1, 2, 1].dedup() == [1, 2, 1]);
           print(l.join("-") == "3-2-1"); print(l.first() == 3); print(l.last() == 1); print([].last() == ());
           print(l.extract(1) == [2, 1]); print(l.extract(0, 1) == [3]); print(l.extract(0..2) == [3, 2]); print(l.extract(-1) == [1]);
           l.push(9); l += 8; l.insert(0, 7); print(l == [7, 3, 2, 1, 9, 8]);
           print(l.pop() == 8); print(l.shift() == 7); print(l.remove(0) == 3); print(l.reverse() == [9, 1, 2]);
           print([1] + [2] == [1, 2]); l.clear(); print(l.is_empty()); print(["b", "a"].sort() == ["a", "b"]);
           print([[1, 2], #{ a: 1 }] == [[1, 2], #{ a: 1 }]); print([1] != [2]); print(l.len == 0);
           let big = []; for i in 0..500 { big.push((i * 7919) % 503); } big.sort(); let ok = true;
           for i in 1..500 { if big[i - 1] > big[i] { ok = false; } } print(ok);
           let n = 0; [1, 2].for_each(|it| n += it); print(n == 3);"#,
    );
}

#[test]
fn an_order_that_makes_no_sense_harms_nothing() {
    holds(
        "let l = []; for i in 0..300 { l.push(i); } let n = 0; l.sort(|a, b| { n += 1; if n % 3 == 0 { 1 } else { -1 } }); print(l.len() == 300);",
    );
}

#[test]
fn maps_do_what_they_say() {
    holds(
        r#"let m = #{ b: 1, a: 2 };
           print(m.keys() == ["a", "b"]); print(m.values() == [2, 1]); print(m.len() == 2);
           print("a" in m); print(!("z" in m)); print(m.get("z") == ()); print(m.get("a") == 2); print((m.get("z") ?? 1) == 1);
           m.c = 3; m["d"] = 4; m.set("e", 5); print(m.len() == 5);
           print(m.remove("e") == 5); print(m.remove("e") == ());
           print(#{ a: 1 } + #{ b: 2 } == #{ a: 1, b: 2 });
           let n = #{ a: 1 }; n += #{ a: 2 }; n.mixin(#{ x: 1 }); n.fill_with(#{ a: 9, y: 2 }); print(n == #{ a: 2, x: 1, y: 2 });
           print(#{ a: [1] } == #{ a: [1] }); print(#{ a: 1 } != #{ a: 2 }); print(#{ a: 1 } == #{ a: 1.0 });
           n.clear(); print(n.is_empty());
           let deep = #{ a: #{ b: [1, 2] } }; deep.a.b[1] = 5; deep.a.c = 1; print(deep.a.b[1] == 5);
           n += event.data.object.metadata; n.order = 1; print(n.order == 1);"#,
    );
}

#[test]
fn text_does_what_it_says() {
    holds(
        r#"let s = " a,b,c ";
           print(s.trim() == "a,b,c"); print(s.split(",") == ["a", "b", "c"]); print("a b".split() == ["a", "b"]);
           print(s.replace(",", ";") == "a;b;c"); print(s.len() == 5); print("x".pad(3, '-') == "x--");
           print("abc".contains("b")); print("b" in "abc"); print("abc".sub_string(1, 1) == "b"); print("abc".index_of("c") == 2);
           print("a" + 1 == "a1"); print(`${1} ${"x"} ${[1, "b"]} ${#{ a: 1 }} ${true} ${()}` == "1 x [1, \"b\"] #{a: 1} true ");
           print((5).to_string() == "5"); print(1.5.to_string() == "1.5"); print("abc".to_upper() == "ABC"); print(parse_int("12") == 12);
           print("a,b,c".split(",", 2) == ["a", "b,c"]); print("é".len() == 1); print("abc"[1] == 'b'); print("abc".to_chars().len() == 3);
           print("abc" < "abd"); print("a" == "a"); print(event.id.trim() == "evt_1"); print("" == ""); print("ab".starts_with("a"));"#,
    );
}
