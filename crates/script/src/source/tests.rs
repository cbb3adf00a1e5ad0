//! Types go, lines and columns stay.

use super::*;

/// The script without the lines that are put around it.
fn body(source: &str) -> String {
    let code = prepare(source).unwrap().code;
    let (_, rest) = code.split_once("\n\n").unwrap();
    rest.strip_suffix("\n})").unwrap().to_owned()
}

/// `«…»` is what becomes spaces, `⟪…⟫` what becomes a semicolon and spaces.
fn check(marked: &str) {
    let source: String = marked.chars().filter(|c| !"«»⟪⟫".contains(*c)).collect();
    let (mut expected, mut gone, mut first) = (String::new(), false, false);
    for c in marked.chars() {
        match c {
            '«' => gone = true,
            '⟪' => (gone, first) = (true, true),
            '»' | '⟫' => gone = false,
            '\n' => expected.push(c),
            _ if first => {
                expected.push(';');
                first = false;
            }
            c => expected.push(if gone { ' ' } else { c }),
        }
    }
    assert_eq!(body(&source), expected, "{marked}");
}

fn refused(source: &str) -> (String, (u32, u32)) {
    let fault = prepare(source).unwrap_err();
    (fault.message, fault.place.unwrap())
}

#[test]
fn javascript_stays_as_it_is() {
    for source in [
        "const a = await f(`x${1}`); return a?.b ?? c",
        "label: for (;;) { break label }\n// end without a line break",
        "const π = { get x() { return 1 }, async *y() {} }; class A extends B { #p = 1; static {} }",
        "var yes = true\nif (yes) return 7",
    ] {
        assert_eq!(body(source), source);
    }
}

#[test]
fn types_become_spaces() {
    for marked in [
        "let a«: number» = 1, b«!: string»;",
        "function f(a«?: T», ...b«: U[]»)«: V» { return a⟪ as T⟫ }",
        "const f = «<T,>»(x«: T»)«: x is U» => x«!»;",
        "new Map«<string, number>»(); f«<A>»(b)",
        "x« satisfies Y<Z>»; («<any>»y).z",
        "try {} catch (e«: unknown») {}",
        "function f(«this: X, »a«: Y») {}",
        "function f(«this: X») {}",
        "for (const x of y« as Z[]») {}",
        "for (let i«: number» = 0« as number»; i < 1;) {}",
        "const { a, b }«: { a: X; b: Y }» = c",
        "async (a«: A») => b",
        "const a = b« as const»;",
        "a?.b«!».c; f?.«<T>»(x)",
        "const f«: (a: A) => B» = g« as (x: X) => Y»;",
    ] {
        check(marked);
    }
}

#[test]
fn statements_about_types_become_empty_ones() {
    for marked in [
        "⟪interface A extends B { c: D }⟫",
        "⟪type A<T> = T extends U ? 1 : 2;⟫\nf()",
        "⟪declare const x: number⟫",
        "⟪declare function f(): void⟫",
        "⟪declare global { var x: 1 }⟫",
        "⟪declare enum E { A }⟫",
        "⟪function f(a: string): void;⟫\nfunction f(a) {}",
        "⟪export {}⟫",
        "⟪export ⟫const a = 1",
        "⟪export interface A {\n b: c\n}⟫\nf()",
        "⟪import type { A } from 'b'⟫",
    ] {
        check(marked);
    }
}

#[test]
fn classes_lose_what_is_typescript() {
    for marked in [
        "⟪abstract⟫ class A«<T>» extends B«<T>» «implements C, D<E> »{ «private» «readonly» x«?: T» = 1; }",
        "class A { ⟪declare x: T;⟫ ⟪abstract y(): T;⟫ ⟪[key: string]: T⟫ }",
        "class A { «public» static async f«?»(a«: T»)«: U» {} }",
        "class A { ⟪public⟫ static async *f(a«: T»)«: U» {} }",
        "class A { «override» get x()«: T» { return 1 } }",
        "class A { ⟪f(): void;⟫ f() {} }",
        "class A { x«!: T»; static #y«: U» = 1 }",
    ] {
        check(marked);
    }
}

#[test]
fn no_two_lines_become_one_statement() {
    for marked in [
        "let a = b⟪ as T⟫\n(c)",
        "f(b« as T»\n, c)",
        "a = b«!»\n[0]",
        "a = b⟪!⟫\nc",
        "let a = b« as unknown»⟪ as T⟫\n[c]",
        "class A { x = y⟪ as T⟫\n['z'] = 1 }",
        "class A { x = y\n  ⟪private⟫ ['z'] = 1 }",
        "f()\n⟪type A = B⟫\n(c)",
        "class A { x⟪: T⟫\n  ⟪private⟫ *g() {} }",
    ] {
        check(marked);
    }
}

#[test]
fn an_arrow_stays_on_the_line_of_its_parenthesis() {
    let made = body("const f = (a: A): {\n  x: B\n} => a");
    assert_eq!(made, "const f = (a       \n      \n) => a");
}

#[test]
fn enumerations_are_made_where_they_stand() {
    let made = body("enum Side { Buy = 'buy', Sell = 'sell' }\nenum N { A, B = 5, C, D = C + 1,\n E }\nreturn 1");
    assert_eq!(made.lines().count(), 4);
    let words: Vec<_> = made.split([' ', '\n']).filter(|word| !word.is_empty()).collect();
    let made = words.join(" ");
    assert!(
        made.starts_with("var Side;((Side)=>{ Side[\"Buy\"]='buy'; Side[\"Sell\"]='sell'; })(Side||(Side={}));"),
        "{made}"
    );
    assert!(made.contains("N[N[\"A\"]=0]=\"A\"; N[N[\"B\"]=5]=\"B\"; N[N[\"C\"]=6]=\"C\"; N[N[\"D\"]=N.C + 1]=\"D\"; N[N[\"E\"]=N[\"D\"]+1]=\"E\";"), "{made}");
}

#[test]
fn parameters_that_are_fields_are_set() {
    let made = body("class A { constructor(private readonly x: number, y = 2) { f() } }");
    assert_eq!(made, "class A { constructor(                 x        , y = 2) {;this.x=x; f() } }");
    let derived = body("class A extends B { constructor(public x) { super(); f() } }");
    assert_eq!(derived, "class A extends B { constructor(       x) { super();;this.x=x; f() } }");
}

#[test]
fn what_is_more_than_types_is_named_with_its_place() {
    for (source, part, place) in [
        ("f()\n  namespace A { f() }", "namespaces", (2, 3)),
        ("import a = require('b')", "import", (1, 1)),
        ("export default 1", "exports nothing", (1, 1)),
        ("export * from 'a'", "exports nothing", (1, 1)),
        ("@a class B {}", "decorators", (1, 1)),
        ("\nimport.meta.url", "import.meta", (2, 1)),
        ("const x = ;", "", (1, 11)),
        ("const é = '\u{1f600}', = 1", "", (1, 17)),
        ("let a: = 1", "", (1, 8)),
    ] {
        let (message, at) = refused(source);
        assert!(message.contains(part), "{source}: {message}");
        assert_eq!(at, place, "{source}: {message}");
    }
}

#[test]
fn a_script_cannot_leave_its_function() {
    for source in ["}); f(); (async () => {", "*/ f()", "}", "${", "'"] {
        assert!(prepare(source).is_err(), "{source}");
    }
}

#[test]
fn imports_are_made_at_the_beginning() {
    let prepared =
        prepare("import a, { b as c, type D } from 'm'\nimport * as n from \"o\"\nimport 'p'\nuse(a, c, n)").unwrap();
    assert_eq!(prepared.imports, ["m", "o", "p"]);
    let (head, rest) = prepared.code.split_once("\n\n").unwrap();
    assert_eq!(
        head,
        "(async () => {const {\"default\": a} = await import(\"m\");const {\"b\": c} = await import(\"m\");\
         const n = await import(\"o\");await import(\"p\");"
    );
    assert!(rest.starts_with(";"));
    assert!(rest.contains("\nuse(a, c, n)"));
    let types = prepare("import { A } from 'types'\nlet x: A = 1").unwrap();
    assert_eq!(types.imports, [""; 0], "names that are only types need no module");
    assert_eq!(prepare("await import('q')").unwrap().imports, ["q"]);
}

#[test]
fn nesting_is_bounded_and_does_no_harm() {
    for piece in ["(", "[", "!", "a=", "a=>", "`${", "a?b:", "-", "if(a)", "{"] {
        assert!(prepare(&piece.repeat(20_000)).is_err(), "{piece}");
        assert!(prepare(&piece.repeat(100_000)).is_err(), "{piece}");
    }
    let chain = format!("f{}", ".a(1)".repeat(20_000));
    assert!(prepare(&chain).is_ok());
    let sum = format!("return 1{}", "+1".repeat(20_000));
    assert!(prepare(&sum).is_ok());
    assert!(prepare("\0").is_err());
}

proptest::proptest! {
    /// Whatever it is, it is prepared or refused, and every line stays where it was.
    #[test]
    fn anything_is_answered(source in "[a-z0-9(){}\\[\\]<>:;,.=!?'\"`$@/*+ \n-]{0,80}") {
        if let Ok(prepared) = prepare(&source) {
            let lines = |text: &str| text.matches('\n').count();
            proptest::prop_assert_eq!(lines(&prepared.code), lines(&source) + 3);
        }
    }
}
