use super::super::egress::{Egress, EgressEntry};
use super::super::fault::Fault;
use super::super::url::Address;
use proptest::prelude::*;
use serde_json::Value;

fn list(entries: &[&str]) -> Egress {
    Egress::compile(entries.iter().map(|entry| EgressEntry::parse(entry).unwrap()).collect())
}

fn judged(entries: &[&str], url: &str) -> Result<usize, Fault> {
    list(entries).judge(url)
}

#[test]
fn an_entry_allows_what_it_names_and_nothing_beside_it() {
    for (entry, url, allowed) in [
        ("api.example.com", "https://api.example.com", true),
        ("api.example.com", "http://api.example.com/x?y#z", true),
        ("api.example.com", "HTTPS://API.Example.COM/", true),
        ("API.example.com", "https://api.example.com/", true),
        ("api.example.com", "https://api.example.com:443/", true),
        ("api.example.com", "http://api.example.com:80/", true),
        ("api.example.com", "http://api.example.com:443/", false),
        ("api.example.com", "https://api.example.com:8443/", false),
        ("api.example.com", "https://a.api.example.com/", false),
        ("api.example.com", "https://example.com/", false),
        ("api.example.com", "https://api.example.com.evil.test/", false),
        ("api.example.com", "https://evilapi.example.com/", false),
        ("api.example.com", "https://api.example.com#@evil.test/", true),
        ("api.example.com:8443", "https://api.example.com:8443/", true),
        ("api.example.com:8443", "https://api.example.com/", false),
        ("api.example.com:443", "https://api.example.com/", true),
        ("*.example.com", "https://a.example.com/", true),
        ("*.example.com", "https://a.b.example.com/", true),
        ("*.example.com", "https://example.com/", false),
        ("*.example.com", "https://evilexample.com/", false),
        ("*.example.com:8443", "https://a.example.com:8443/", true),
        ("*.example.com:8443", "https://a.example.com/", false),
        ("192.0.2.1", "http://192.0.2.1/", true),
        ("[2001:db8::1]", "https://[2001:DB8:0:0:0:0:0:1]/", true),
        ("[2001:db8::1]:8443", "https://[2001:db8::1]:8443/", true),
        ("bücher.example", "https://xn--bcher-kva.example/", true),
        ("Bücher.example", "https://bücher.example/", true),
        ("xn--bcher-kva.example", "https://bücher.example/", true),
        ("https://api.example.com/v1*", "https://api.example.com/v1", true),
        ("https://api.example.com/v1*", "https://api.example.com/v1/a?b=/../", true),
        ("https://api.example.com/v1*", "https://api.example.com/v10", true),
        ("https://api.example.com/v1*", "https://api.example.com/v2", false),
        ("https://api.example.com/v1*", "http://api.example.com/v1", false),
        ("https://api.example.com/v1*", "https://api.example.com:444/v1", false),
        ("https://api.example.com:444/v1*", "https://api.example.com:444/v1", true),
        ("https://api.example.com/v1*", "https://api.example.com/v1/../admin", false),
        ("https://api.example.com/v1*", "https://api.example.com/v1/%2e%2e/admin", false),
        ("https://api.example.com/v1*", "https://api.example.com/v1/.%2E/admin", false),
        ("https://api.example.com/v1*", "https://api.example.com/v1/..%2fadmin", false),
        ("https://api.example.com/v1*", "https://api.example.com/v1/%252e%252e/admin", false),
        ("https://api.example.com/v1*", "https://api.example.com/v1/%C0%AE%c0%ae/admin", false),
        ("https://api.example.com/v1*", "https://api.example.com/v1/%e0%80%ae%e0%80%ae/a", false),
        ("https://api.example.com/v1*", "https://api.example.com/v1/%u002e%u002e/admin", false),
        ("https://api.example.com/v1*", "https://api.example.com/v1/%C3%A9", true),
        ("https://api.example.com/v1*", "https://api.example.com/v1//../v1/../../admin", false),
        ("https://api.example.com/v1*", "https://api.example.com/v1/..;/admin", false),
        ("https://api.example.com/v1*", "https://api.example.com/V1", false),
        // Where it leads is below, but not for a reader that does not resolve it.
        ("https://api.example.com/v1*", "https://api.example.com/v1/a/../b", false),
        ("https://api.example.com/*", "https://api.example.com/a/../b%2f", true),
        ("https://api.example.com/*", "https://api.example.com", true),
        ("https://api.example.com/*", "https://api.example.com.evil.test/", false),
        ("https://*.example.com/v1/*", "https://a.example.com/v1/x", true),
        ("https://*.example.com/v1/*", "https://example.com/v1/x", false),
        ("https://example.com/ü/*", "https://example.com/%C3%BC/x", true),
    ] {
        assert_eq!(judged(&[entry], url).is_ok(), allowed, "{entry}: {url}");
    }
}

const TRICKS: &[(&str, Fault)] = &[
    ("", Fault::NotAbsoluteUrl),
    ("api.example.com", Fault::NotAbsoluteUrl),
    ("//api.example.com/", Fault::NotAbsoluteUrl),
    ("/path", Fault::NotAbsoluteUrl),
    ("https:api.example.com", Fault::NotAbsoluteUrl),
    ("https:/api.example.com", Fault::NotAbsoluteUrl),
    ("https:///api.example.com", Fault::NotAbsoluteUrl),
    ("https://", Fault::NotAbsoluteUrl),
    ("https://?x", Fault::NotAbsoluteUrl),
    ("ftp://api.example.com/", Fault::NotAbsoluteUrl),
    ("file:///etc/passwd", Fault::NotAbsoluteUrl),
    ("javascript:alert(1)", Fault::NotAbsoluteUrl),
    ("data:text/plain,x", Fault::NotAbsoluteUrl),
    ("ws://api.example.com/", Fault::NotAbsoluteUrl),
    ("jar:https://api.example.com!/", Fault::NotAbsoluteUrl),
    ("https:\\\\api.example.com", Fault::BadLetter),
    ("https://evil.test\\@api.example.com/", Fault::BadLetter),
    ("https://api.example.com\\.evil.test/", Fault::BadLetter),
    (" https://api.example.com/", Fault::BadLetter),
    ("https://api.example.com/ ", Fault::BadLetter),
    ("https://api.example.com/a b", Fault::BadLetter),
    ("https://api.exa\tmple.com/", Fault::BadLetter),
    ("https://api.exa\nmple.com/", Fault::BadLetter),
    ("ht\rtps://api.example.com/", Fault::BadLetter),
    ("https://api.example.com/\u{0}", Fault::BadLetter),
    ("https://api.example.com/\u{a0}", Fault::BadLetter),
    ("https://api.example.com/\u{2028}", Fault::BadLetter),
    ("https://api.example.com@evil.test/", Fault::UserInfo),
    ("https://api.example.com:443@evil.test/", Fault::UserInfo),
    ("https://user:secret@api.example.com/", Fault::UserInfo),
    ("https://@api.example.com/", Fault::UserInfo),
    ("https://evil.test;@api.example.com/", Fault::UserInfo),
    ("https://api.example.com:/", Fault::Port),
    ("https://api.example.com:0/", Fault::Port),
    ("https://api.example.com:0443/", Fault::Port),
    ("https://api.example.com:65536/", Fault::Port),
    ("https://api.example.com:+443/", Fault::Port),
    ("https://api.example.com:443:80/", Fault::Port),
    ("https://api.example.com./", Fault::Host),
    ("https://.example.com/", Fault::Host),
    ("https://api..example.com/", Fault::Host),
    ("https://api%2eexample.com/", Fault::Host),
    ("https://api.example.com%2f@evil.test/", Fault::UserInfo),
    ("https://api.example.com%00.evil.test/", Fault::Host),
    ("https://api.example.com;evil.test/", Fault::Host),
    ("https://api.example.com,evil.test/", Fault::Host),
    ("https://*.example.com/", Fault::Host),
    ("https://xn--\u{30d5}.com/", Fault::Host),
    ("https://xn--a.com/", Fault::Host),
    ("https://api\u{3002}example\u{3002}com/", Fault::TwoReadings),
    ("https://api\u{ff0e}example.com/", Fault::TwoReadings),
    ("https://\u{ff41}pi.example.com/", Fault::TwoReadings),
    ("https://a\u{ad}pi.example.com/", Fault::TwoReadings),
    ("https://a\u{200b}pi.example.com/", Fault::TwoReadings),
    ("https://\u{212a}.example.com/", Fault::TwoReadings),
    ("https://B\u{dc}CHER.com/", Fault::TwoReadings),
    ("http://2130706433/", Fault::TwoReadings),
    ("http://0x7f000001/", Fault::TwoReadings),
    ("http://0x7f.1/", Fault::TwoReadings),
    ("http://017700000001/", Fault::TwoReadings),
    ("http://0177.0.0.1/", Fault::TwoReadings),
    ("http://127.1/", Fault::TwoReadings),
    ("http://127.0.0.1./", Fault::Host),
    ("http://127.0.0.256/", Fault::Host),
    ("http://\u{2460}\u{2461}\u{2466}.0.0.1/", Fault::TwoReadings),
    ("http://[::1/", Fault::Host),
    ("http://::1/", Fault::Host),
    ("http://[::1]x/", Fault::Host),
    ("http://[::1%25eth0]/", Fault::Host),
    ("http://[v1.x]/", Fault::Host),
    ("http://[127.0.0.1]/", Fault::Host),
];

#[test]
fn a_trick_is_refused_whatever_the_list_has() {
    let wide = [
        "api.example.com",
        "*.example.com",
        "*.com",
        "127.0.0.1",
        "[::1]",
        "[::ffff:7f00:1]",
        "*.test",
        "localhost",
    ];
    for (url, fault) in TRICKS {
        assert_eq!(judged(&wide, url), Err(*fault), "{url:?}");
    }
    // The same host, mapped, is another address.
    assert_eq!(judged(&["127.0.0.1"], "http://[::ffff:127.0.0.1]/"), Err(Fault::Outside));
    assert!(judged(&["[::ffff:127.0.0.1]"], "http://[::ffff:7f00:1]/").is_ok());
    let long = format!("https://api.example.com/{}", "x".repeat(20_000));
    assert_eq!(judged(&wide, &long), Err(Fault::TooLong));
    let url = |length: usize| format!("https://api.example.com/{}", "x".repeat(length - 24));
    assert!(judged(&["*.example.com"], &url(16 * 1024)).is_ok());
    assert_eq!(judged(&["*.example.com"], &url(16 * 1024 + 1)), Err(Fault::TooLong));
    let labels = format!("https://{}com/", "a.".repeat(200));
    assert_eq!(judged(&wide, &labels), Err(Fault::Host));
    let label = format!("https://{}.com/", "a".repeat(64));
    assert_eq!(judged(&wide, &label), Err(Fault::Host));
}

#[test]
fn an_entry_that_could_match_nothing_or_too_much_is_refused() {
    let long = "a".repeat(2000);
    for entry in [
        "",
        " ",
        "*",
        "*.",
        "*.*",
        "a*.example.com",
        "api.*.com",
        "https://api.example.com*",
        "https://*",
        "https://api.example.com",
        "https://api.example.com/v1",
        "ftp://api.example.com/*",
        "api.example.com/v1",
        "api.example.com/*",
        "api.example.com.",
        "a b.com",
        "a\\b.com",
        "user@api.example.com",
        "api.example.com:",
        "api.example.com:0",
        "api.example.com:*",
        "api.example.com:99999",
        "*.192.0.2.1",
        "*.[::1]",
        "0x7f.1",
        "2130706433",
        "https://api.example.com/../*",
        "https://api.example.com/%2e%2e/*",
        "https://api.example.com/a%2f*",
        "https://api.example.com/a?b=*",
        "https://api.example.com/#*",
        "https://api.example.com/*/b*",
        "https://u@api.example.com/*",
        "::1",
        &long,
    ] {
        let error = EgressEntry::parse(entry).expect_err(entry);
        assert!(error.len() < 400 && !error.chars().any(char::is_control), "{error:?}");
    }
}

#[test]
fn the_first_entry_that_allows_is_named_and_an_empty_list_allows_nothing() {
    let entries = ["b.example.com", "*.example.com", "a.example.com", "https://a.example.com/v1*"];
    assert_eq!(judged(&entries, "https://a.example.com/v1"), Ok(1));
    assert_eq!(judged(&entries[2..], "https://a.example.com/v1"), Ok(0));
    assert_eq!(judged(&entries[3..], "https://a.example.com/v1"), Ok(0));
    assert_eq!(judged(&[], "https://a.example.com/v1"), Err(Fault::Outside));
}

#[test]
fn an_entry_covers_another_exactly_when_it_allows_all_that_the_other_does() {
    for (one, other, covers) in [
        ("*.example.com", "a.example.com", true),
        ("*.example.com", "*.b.example.com", true),
        ("*.example.com", "example.com", false),
        ("a.example.com", "https://a.example.com/v1*", true),
        ("a.example.com", "https://a.example.com:8443/v1*", false),
        ("a.example.com", "a.example.com:443", false),
        ("a.example.com:443", "a.example.com", false),
        ("https://a.example.com/*", "https://a.example.com/v1*", true),
        ("https://a.example.com/v1*", "https://a.example.com/*", false),
        ("https://a.example.com/*", "a.example.com", false),
    ] {
        let [one, other] = [one, other].map(|entry| EgressEntry::parse(entry).unwrap());
        assert_eq!(one.covers(&other), covers, "{one:?} {other:?}");
    }
}

#[test]
fn no_naughty_string_is_a_url_of_another_host() {
    let wide = list(&["*.example.com", "example.com"]);
    for text in naughty() {
        for url in [text.clone(), format!("https://{text}"), format!("https://example.com{text}")] {
            if wide.judge(&url).is_ok() {
                let host = url::Url::parse(&url).unwrap().host_str().unwrap().to_owned();
                assert!(host.ends_with("example.com"), "{url:?}");
            }
        }
    }
}

/// A few letters that readers disagree about.
fn naughty() -> Vec<String> {
    let text = r##"["@evil.test","/@evil.test","\\evil.test","#@evil.test/","?@evil.test/",".evil.test",
        ":80@evil.test","%40evil.test","\u0000.evil.test","\u202eevil.test","\ud83d\udca9","'; DROP TABLE",
        "${jndi:ldap://evil.test}","<script>","..%2f","\u2044evil.test","\uff0fevil.test","\u00ad"]"##;
    let value: Value = serde_json::from_str(text).unwrap();
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// Texts that are nearly URLs of a host that is allowed.
fn nearly() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("https:"),
        Just("http:"),
        Just("//"),
        Just("/"),
        Just("\\"),
        Just("@"),
        Just(":"),
        Just("."),
        Just("api.example.com"),
        Just("example.com"),
        Just("a.example.com"),
        Just("evil.test"),
        Just("%2e"),
        Just("%2f"),
        Just("\t"),
        Just("#"),
        Just("?"),
        Just(";"),
        Just("["),
        Just("]"),
        Just("::1"),
        Just("127.0.0.1"),
        Just("0x7f.1"),
        Just("443"),
        Just("\u{ad}"),
        Just("\u{ff0e}"),
        Just("\u{3002}"),
        Just("v1"),
        Just(".."),
        Just("xn--"),
        Just("\u{fc}"),
        Just("E"),
        Just("*"),
    ];
    let tail = proptest::collection::vec(part, 0..8).prop_map(|parts| parts.concat());
    (
        prop_oneof![
            Just(""),
            Just("https://"),
            Just("https://api.example.com"),
            Just("http://a.example.com")
        ],
        tail,
    )
        .prop_map(|(head, tail)| format!("{head}{tail}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn no_url_is_allowed_whose_host_is_outside_for_a_browser(text in nearly()) {
        let entries = list(&["api.example.com", "*.example.com", "https://example.com/v1*"]);
        if entries.judge(&text).is_ok() {
            let url = url::Url::parse(&text).unwrap();
            let host = url.host_str().unwrap();
            prop_assert!(host.ends_with(".example.com") || host == "example.com", "{text:?}: {host}");
            prop_assert!(host != "example.com" || url.path().starts_with("/v1"), "{text:?}");
            prop_assert!(url.port().is_none() && url.username().is_empty());
        }
    }

    #[test]
    fn what_one_entry_alone_allows_the_list_allows(text in nearly(), picks in proptest::collection::vec(0..4_usize, 0..4)) {
        let all = ["api.example.com", "*.example.com", "https://example.com/v1*", "127.0.0.1"];
        let picked: Vec<_> = picks.iter().map(|pick| all[*pick]).collect();
        let alone = picked.iter().position(|entry| list(&[entry]).judge(&text).is_ok());
        prop_assert_eq!(list(&picked).judge(&text).ok(), alone);
    }

    #[test]
    fn no_text_makes_a_reader_panic(text in ".{0,60}") {
        assert!(Address::read(&text).is_err() || text.contains("://"));
        assert!(EgressEntry::parse(&text).is_ok() || !text.is_ascii() || text.len() < 100);
    }
}

#[test]
fn an_entry_that_is_none_says_what_is_wrong_with_it() {
    let entry = |length: usize| format!("https://a.example/{}*", "x".repeat(length - 19));
    assert!(EgressEntry::parse(&entry(1024)).is_ok());
    let (long, longer) = (entry(1025), entry(2000));
    for (entry, said) in [
        (&*long, "which is longer than 1024 bytes"),
        (&longer, "which is longer than 1024 bytes"),
        ("ana@a.example", "which has a user name"),
        ("https://ana@a.example/*", "which has a user name"),
        ("a.example:0", "whose port is no number from 1 to 65535"),
        ("a.example:x", "whose port is no number from 1 to 65535"),
        ("a..example", "which is no host that every reader reads alike"),
    ] {
        let found = EgressEntry::parse(entry).unwrap_err();
        assert!(found.contains(said), "{entry}: {found}");
    }
}
