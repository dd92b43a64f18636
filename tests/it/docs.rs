//! The pages say what the code says: no message without its entry, no link into nothing.

use sec0::call::{Code, Raised, Reason, Refusal};
use std::fs;
use std::path::{Path, PathBuf};
use syn::visit::{self, Visit};

/// Files whose longer texts are parts of other messages, or no messages at all.
const NO_MESSAGES: &[&str] = &[
    "src/call/reason.rs",         // Reasons are held by a test of their own.
    "src/policy/schema.rs",       // Why a key is refused: `docs/policy.md` has each.
    "src/policy/about.rs",        // What a key is for: there, too.
    "src/policy/json_schema.rs",  // The words around both.
    "src/registry/lock/text.rs",  // A file format, not a message.
    "src/store/sqlite/schema.rs", // Statements in SQL: what they can fail with is `DbError`.
    "src/store/sqlite/keys.rs",
    "src/store/sqlite/desk.rs",
    "src/store/sqlite/worker.rs",
    "src/store/sqlite/approvals/rows.rs",
    "src/store/sqlite/approvals/lines.rs",
    "src/store/sqlite/approvals/room.rs",
    "src/store/sqlite/approvals/rounds.rs",
    "src/otel/export/instruments.rs", // What a metric is for: `docs/otel.md` has each.
    "src/bin/sec0/command/",          // Reports, which explain themselves.
];

const NOTHING: Vec<String> = Vec::new();

/// Texts that nobody gets to see, and why.
const NEVER_SHOWN: &[&str] = &[
    " at line ",                    // Of the YAML parser, cut off.
    "a YAML value",                 // Every kind of value is one.
    "more was read than asked for", // The system would have to lie.
    "recursion limit exceeded",     // Of the YAML parser, reworded.
    "the tools of this session are not those that were frozen", // The difference is always known.
    "what the documentation of the key says", // Such a key takes anything.
];

#[test]
fn every_refusal_has_an_entry_with_its_exact_text() {
    let page = page("docs/errors.md");
    for reason in Reason::ALL.iter().filter(|reason| reason.raised() == Raised::Here) {
        // An unknown tool is answered with rmcp's own error, under the name in the record.
        let text = match reason {
            Reason::UnknownTool => "tool not found".to_owned(),
            _ => Refusal::new(*reason).to_string(),
        };
        assert!(entries(&page).contains(&text.as_str()), "docs/errors.md lacks `{text}`");
        assert!(page.contains(reason.as_str()), "docs/errors.md lacks `{reason}`");
        let heading = format!("### `{}`", reason.code());
        assert!(page.lines().any(|line| line == heading), "docs/errors.md lacks `{heading}`");
    }
    let signing = || Refusal::new(Reason::MissingAuditSignature).with_code(Code::SigningFailed);
    for refusal in [
        signing(),
        signing().after_execution(),
        Refusal::new(Reason::MissingAuditSignature).after_execution(),
        Refusal::new(Reason::DurationTooLong).after_execution(),
        Refusal::new(Reason::LayerFailed).after_execution(),
    ] {
        let text = refusal.to_string();
        assert!(entries(&page).contains(&text.as_str()), "docs/errors.md lacks `{text}`");
    }
}

#[test]
fn every_error_of_the_sources_begins_an_entry() {
    let page = page("docs/errors.md");
    let entries = entries(&page);
    let found = messages();
    assert!(found.errors.len() > 50, "the sources have more than {} errors", found.errors.len());
    let is_missing = |text: &str| {
        let pieces = pieces(text);
        !entries.iter().any(|line| line.starts_with(&pieces[0]) && holds(line, &pieces))
    };
    assert_eq!(missing(&found.errors, is_missing), NOTHING);
}

#[test]
fn every_text_that_is_logged_or_put_into_a_message_is_on_the_page() {
    let page = page("docs/errors.md");
    let found = messages();
    assert!(found.events.len() > 10 && found.texts.len() > 50, "texts were not found");
    assert_eq!(missing(&found.events, |text| !entries(&page).contains(&text)), NOTHING);
    let is_missing = |text: &str| {
        let pieces = pieces(text);
        !page.lines().any(|line| holds(line, &pieces))
    };
    assert_eq!(missing(&found.texts, is_missing), NOTHING);
}

#[test]
fn every_link_between_the_pages_leads_somewhere() {
    let pages: Vec<_> = files("docs", "md").into_iter().chain(["README.md".into()]).collect();
    let mut checked = 0;
    for from in &pages {
        for link in links(&prose(&page(from))) {
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            if path.contains("://") {
                continue;
            }
            let to = match path {
                "" => from.clone(),
                path => Path::new(from).with_file_name("").join(path).display().to_string(),
            };
            assert!(root().join(&to).exists(), "{from}: `{link}` leads to no file");
            let has_heading = || prose(&page(&to)).lines().any(|line| slug(line) == anchor);
            assert!(anchor.is_empty() || has_heading(), "{from}: `{link}` leads to no heading");
            checked += 1;
        }
    }
    assert!(checked > 10, "{checked} links are not all there are");
}

/// The texts that the page lacks, each behind its file.
fn missing(found: &[(String, String)], is_missing: impl Fn(&str) -> bool) -> Vec<String> {
    let lacking = found.iter().filter(|(_, text)| is_missing(text));
    lacking.map(|(file, text)| format!("{file}: {text}")).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The files with this ending below `dir`, by their paths from the root.
fn files(dir: &str, ending: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::from(dir)];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(root().join(&dir)).unwrap() {
            let entry = entry.unwrap();
            let path = dir.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == ending) {
                found.push(path.to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// The lines of a page that show a message: those between fences.
fn entries(page: &str) -> Vec<&str> {
    let mut inside = false;
    page.lines()
        .filter(|line| {
            let is_fence = line.starts_with("```");
            inside ^= is_fence;
            inside && !is_fence
        })
        .collect()
}

/// The page without what stands between fences.
fn prose(page: &str) -> String {
    page.split("\n```").step_by(2).collect()
}

fn links(text: &str) -> Vec<String> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    targets.map(|(target, _)| target.to_owned()).collect()
}

/// The anchor of a heading, as GitHub makes it; empty for other lines.
fn slug(line: &str) -> String {
    let Some((_, title)) = line.split_once(' ').filter(|(marks, _)| marks.starts_with('#')) else {
        return String::new();
    };
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    title.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")
}

/// The fixed parts of a format string, before, between and behind its placeholders.
fn pieces(template: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut letters = template.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter == '{' && letters.peek() != Some(&'{') {
            letters.by_ref().find(|letter| *letter == '}');
            pieces.push(String::new());
        } else {
            if matches!(letter, '{' | '}') {
                letters.next();
            }
            pieces.last_mut().unwrap().push(letter);
        }
    }
    pieces
}

/// True when the line has the pieces, in their order.
fn holds(line: &str, pieces: &[String]) -> bool {
    let after = |rest: String, piece: &String| Some(rest.split_once(piece)?.1.to_owned());
    pieces.iter().try_fold(line.to_owned(), after).is_some()
}

/// What the sources can say, each with the file that says it.
#[derive(Default)]
struct Messages {
    file: String,
    /// Of `#[error("…")]`.
    errors: Vec<(String, String)>,
    /// Of `tracing::error!` and the like.
    events: Vec<(String, String)>,
    /// All other texts of at least three words.
    texts: Vec<(String, String)>,
}

fn messages() -> Messages {
    let mut messages = Messages::default();
    for file in files("src", "rs") {
        if !file.contains("/tests") {
            let parsed = syn::parse_file(&page(&file)).unwrap();
            messages.file = file;
            messages.visit_file(&parsed);
        }
    }
    let is_message = |file: &String| NO_MESSAGES.iter().all(|other| !file.starts_with(other));
    messages.texts.retain(|(file, text)| {
        let is_long = text.matches(' ').count() >= 2;
        is_long && is_message(file) && !NEVER_SHOWN.contains(&text.as_str())
    });
    messages
}

impl<'ast> Visit<'ast> for Messages {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !item.attrs.iter().any(|attribute| attribute.path().is_ident("cfg")) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if let (true, syn::Meta::List(list)) = (attribute.path().is_ident("error"), &attribute.meta)
        {
            let text = literals(&list.tokens).into_iter().next();
            self.errors.extend(text.map(|text| (self.file.clone(), text)));
        }
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        let mut texts = literals(&item.tokens);
        if item.path.segments[0].ident == "tracing" {
            self.events.extend(texts.pop().map(|text| (self.file.clone(), text)));
        } else {
            self.texts.extend(texts.into_iter().map(|text| (self.file.clone(), text)));
        }
    }

    fn visit_lit_str(&mut self, literal: &'ast syn::LitStr) {
        self.texts.push((self.file.clone(), literal.value()));
    }
}

/// The texts among the tokens that a macro or an attribute is given.
fn literals(tokens: &impl ToString) -> Vec<String> {
    let parse = |input: syn::parse::ParseStream<'_>| {
        let mut found = Vec::new();
        while !input.is_empty() {
            match input.parse::<syn::Lit>() {
                Ok(syn::Lit::Str(text)) => found.push(text.value()),
                Ok(_) => {}
                Err(_) => input.step(|cursor| {
                    cursor.token_tree().map(|(_, rest)| ((), rest)).ok_or_else(|| cursor.error(""))
                })?,
            }
        }
        Ok(found)
    };
    syn::parse::Parser::parse_str(parse, &tokens.to_string()).unwrap()
}
