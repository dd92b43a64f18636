//! A policy is read on whatever thread asks for it: nothing in it takes more stack than a small
//! thread has. An overflow would end the whole process, and so these tests with it.

use super::*;

/// Half of what a worker of tokio has. An unoptimised build takes 40 KiB a level.
const SMALL: usize = 1024 * 1024;

fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(SMALL).spawn(work).unwrap().join().unwrap();
}

#[test]
fn two_hundred_thousand_levels_do_not_overflow_a_small_stack() {
    on_a_small_stack(|| {
        let blocks: Vec<_> = (0..1400).map(|depth| " ".repeat(depth)).collect();
        for text in [
            "[".repeat(200_000),
            "{a: ".repeat(200_000),
            "- ".repeat(200_000),
            "? ".repeat(200_000),
            "- ? ".repeat(200_000),
            "[{? ".repeat(200_000),
            format!("{}{}", "[".repeat(200_000), "]".repeat(200_000)),
            format!("a: &a [{}", "[*a, ".repeat(200_000)),
            blocks.join("a:\n"),
        ] {
            assert!(wrong(&text).starts_with("policy.yaml:1:") || wrong(&text).contains("deeper"));
        }
    });
}

#[test]
fn the_deepest_document_that_is_read_fits_a_small_stack() {
    on_a_small_stack(|| {
        let mut deepest = 0;
        for depth in 1..40 {
            let value = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
            let said = wrong(&with(&format!("security: {{allow_versions: {{a: {value}}}}}")));
            let alias = wrong(&with(&format!("x: &x {value}\nsecurity: {{allow_versions: *x}}")));
            if !said.contains("nested deeper than 16 levels") && !alias.contains("nested deeper") {
                deepest = depth;
            }
        }
        assert!((8..16).contains(&deepest), "{deepest}");
    });
}
