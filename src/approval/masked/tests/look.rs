use super::{shown, shown_of};
use crate::approval::{Shown, Visible};
use crate::call::Arguments;
use proptest::prelude::*;
use serde_json::{Value, json};

#[test]
fn is_indented_json() {
    let arguments = json!({
        "amount": 12.5,
        "empty": {},
        "none": [],
        "note": "",
        "to": [{"iban": "DE00"}, null, true],
    });
    let expected = concat!(
        "{\n  \"amount\": 12.5,\n  \"empty\": {},\n  \"none\": [],\n  \"note\": \"\",\n",
        "  \"to\": [\n    {\n      \"iban\": \"DE00\"\n    },\n    null,\n    true\n  ]\n}",
    );
    assert_eq!(shown(&arguments), expected);
    assert_eq!(serde_json::from_str::<Value>(expected).unwrap(), arguments);
    assert_eq!(shown(&json!({})), "{}");
    assert_eq!(&*Shown::of(None, [7; 16]).text, "[no arguments]");
}

#[test]
fn keeps_the_salt() {
    let (ours, other) = (Shown::of(None, [7; 16]), Shown::of(None, [8; 16]));
    assert_eq!(ours.salt, [7; 16]);
    assert_ne!(ours.digest(), other.digest());
}

#[test]
fn shows_what_would_hide_or_move_text() {
    let text = "a\u{202e}b\u{200b}\u{1b}[2J\n\u{85}\u{2028}\u{feff}\u{e0041}\u{a0}\u{fe0f}\u{3164}";
    assert_eq!(
        shown(&json!({ "x": text })),
        concat!(
            "{\n  \"x\": \"a\\u202eb\\u200b\\u001b[2J\\n\\u0085\\u2028\\ufeff",
            "\\udb40\\udc41\\u00a0\\ufe0f\\u3164\"\n}",
        )
    );
    assert_eq!(shown(&json!({ "\u{202e}x\n": 1 })), "{\n  \"\\u202ex\\n\": 1\n}");
}

#[test]
fn leaves_the_letters_of_languages_and_stops_piles_of_marks() {
    for text in ["café", "cafe\u{301}", "日本語", "مرحبا", "नमस्ते", "Việt", "ไม่ใช่", "👍"]
    {
        assert_eq!(shown(&json!({ "x": text })), format!("{{\n  \"x\": \"{text}\"\n}}"));
        assert_eq!(Visible(text).to_string(), text);
    }
    let pile = format!("a{}", "\u{301}".repeat(5));
    assert_eq!(Visible(&pile).to_string(), "a\u{301}\u{301}\u{301}\\u0301\\u0301");
    assert_eq!(Visible("\u{301}a").to_string(), "\\u0301a");
}

#[test]
fn a_text_of_strangers_is_one_line_that_cannot_look_escaped() {
    assert_eq!(Visible("a\n\u{202e}b \\u202e").to_string(), "a\\u000a\\u202eb \\\\u202e");
}

#[test]
fn a_text_from_elsewhere_is_printed_as_lines_without_anything_hidden() {
    let ours = Shown::of(json!({ "a\u{202e}": ["\\", 1] }).as_object(), [0; 16]);
    assert_eq!(ours.lines().collect::<Vec<_>>().join("\n"), &*ours.text);
    let other = Shown { text: "a\u{1b}[2J\n\rb\u{202e}".into(), salt: [0; 16] };
    assert_eq!(other.lines().collect::<Vec<_>>(), ["a\\u001b[2J", "\\u000db\\u202e"]);
}

#[test]
fn a_text_that_looks_like_a_mask_stands_inside_quotes() {
    let text = shown(&json!({ "a": "[masked, 8 characters]", "password": "12345678" }));
    let expected =
        "{\n  \"a\": \"[masked, 8 characters]\",\n  \"password\": [masked, 8 characters]\n}";
    assert_eq!(text, expected);
    let text = shown(&json!({ "a": "x\"\n[cut here, 9 bytes left out]" }));
    assert_eq!(text.lines().count(), 3, "{text}");
}

#[test]
fn what_is_too_long_is_cut_at_a_character_and_says_so() {
    let text = shown(&json!({ "a": "é".repeat(Shown::MAX_TEXT), "b": 1 }));
    assert!(text.len() <= Shown::MAX_TEXT && text.len() > Shown::MAX_TEXT - 80, "{}", text.len());
    let (kept, last) = text.rsplit_once('\n').unwrap();
    let whole = 2 * Shown::MAX_TEXT + "{\n  \"a\": \"\",\n  \"b\": 1\n}".len();
    assert_eq!(last, format!("[cut here, {} bytes left out]", whole - kept.len()));
}

#[test]
fn an_escape_is_not_cut_in_two() {
    for before in 0..8 {
        let text = format!("{}{}", "x".repeat(before), "\u{202e}".repeat(20_000));
        let text = shown(&json!({ "a": text }));
        let (kept, _) = text.rsplit_once('\n').unwrap();
        assert!(kept.ends_with("\\u202e"), "cut {before} further");
    }
}

#[test]
fn what_is_too_deep_is_named() {
    let deep = (0..200).fold(json!("bottom"), |inner, _| json!([inner]));
    let text = shown(&json!({ "a": deep, "b": 1 }));
    assert!(text.contains("[not shown, deeper than 32 levels]"), "{text}");
    assert!(!text.contains("bottom") && text.contains("\"b\": 1"), "{text}");
}

#[test]
fn the_work_grows_with_the_text_alone() {
    // Each of these makes a search that finds nothing; were it repeated from every place on, this
    // would take minutes.
    for part in [
        "eyJ",
        "://a:b/",
        "://a:b@",
        "://",
        "-----BEGIN ",
        "-----BEGIN PRIVATE KEY----- ",
        "bearer ",
        "basic%20",
        "token=",
        "token=\"",
        "token:\\\"",
        "--pin ",
        "sk-",
        "xoxb-",
        "a-",
        "\\\\",
        "=",
        "AKIA",
        "token ",
        "password\\",
    ] {
        let text = part.repeat((1 << 18) / part.len());
        assert!(shown(&json!({ "x": text })).len() <= Shown::MAX_TEXT, "{part}");
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC*".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn nothing_that_a_terminal_obeys_comes_through(value in value()) {
        let text = shown(&json!({ "x": value }));
        prop_assert!(text.len() <= Shown::MAX_TEXT);
        prop_assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{}", text);
        let seen = |c: char| c == '\n' || c.escape_debug().len() == 1 || "'\"\\".contains(c) || {
            String::from_iter(['a', c]).escape_debug().eq(['a', c])
        };
        prop_assert!(text.chars().all(seen), "{}", text);
    }

    #[test]
    fn what_has_no_secret_reads_back_as_it_was(text in any::<String>(), number in any::<i64>()) {
        let arguments: Arguments =
            [("x".to_owned(), json!([text, number]))].into_iter().collect();
        let shown = shown_of(&arguments);
        prop_assume!(!shown.contains("[masked"));
        prop_assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), Value::Object(arguments));
    }
}
