//! The import rule: a module imports only from lower floors, and within the stack only from files
//! that are declared earlier. The sources are parsed, so braces, `super` and paths in expressions
//! are seen like plain `use` lines.
#![cfg(test)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use syn::visit::{self, Visit};

/// The top-level modules by floor; those of one row do not know each other.
const FLOORS: &[&[&str]] = &[
    &["call", "clock", "secret"],
    &["canonical", "digest", "file", "sign", "tlog"],
    &["identity", "registry", "policy", "approval", "inspect", "limit", "audit", "dedupe"],
    &["mcp", "remote", "otel", "store"],
    &["stack"],
    &["config"],
    &["gateway", "hop", "wrap", "control_plane"],
];

/// Values may know each other: a call has a time. So may bytes: a signature is over a digest.
const ONE_FAMILY: &[usize] = &[0, 1];

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|row| row.contains(&module))
}

/// Every path that a file mentions, as written.
#[derive(Default)]
struct Paths(Vec<Vec<String>>);

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        flatten(&item.tree, &mut Vec::new(), &mut self.0);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.0.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        // What a macro is given is tokens: paths are found by their shape.
        let text = item.tokens.to_string().replace(' ', "");
        for start in ["crate::", "super::"] {
            for (at, _) in text.match_indices(start) {
                let path: String = text
                    .split_at(at)
                    .1
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_' || *c == ':')
                    .collect();
                self.0.push(path.split("::").map(str::to_owned).collect());
            }
        }
        visit::visit_macro(self, item);
    }
}

fn flatten(tree: &syn::UseTree, prefix: &mut Vec<String>, out: &mut Vec<Vec<String>>) {
    match tree {
        syn::UseTree::Path(path) => {
            prefix.push(path.ident.to_string());
            flatten(&path.tree, prefix, out);
            prefix.pop();
        }
        syn::UseTree::Group(group) => {
            group.items.iter().for_each(|tree| flatten(tree, prefix, out));
        }
        syn::UseTree::Name(name) => out.push(with(prefix, &name.ident.to_string())),
        syn::UseTree::Rename(rename) => out.push(with(prefix, &rename.ident.to_string())),
        syn::UseTree::Glob(_) => out.push(with(prefix, "*")),
    }
}

fn with(prefix: &[String], last: &str) -> Vec<String> {
    prefix.iter().cloned().chain([last.to_owned()]).collect()
}

/// One source file: its module path below the crate, and the absolute paths that it mentions.
struct Source {
    file: PathBuf,
    module: Vec<String>,
    mentions: Vec<Vec<String>>,
}

fn parse(file: &Path, module: Vec<String>, text: &str) -> Source {
    let parsed =
        syn::parse_file(text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut paths = Paths::default();
    paths.visit_file(&parsed);
    let mentions = paths.0.iter().filter_map(|path| absolute(&module, path)).collect();
    Source { file: file.to_owned(), module, mentions }
}

/// The path from the crate's root; `None` for paths into other crates and local names. `super` of
/// a test module inside the file means the file, which is its own affair.
fn absolute(module: &[String], path: &[String]) -> Option<Vec<String>> {
    let first = path.first()?;
    if first == "crate" {
        return Some(path[1..].to_vec());
    }
    let ups = path.iter().take_while(|part| *part == "super").count();
    let keep = module.len().checked_sub(ups)?;
    (ups > 0).then(|| module[..keep].iter().chain(&path[ups..]).cloned().collect())
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut open = vec![root.clone()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if path != root.join("bin") {
                    open.push(path);
                }
                continue;
            }
            if path.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            let relative = path.strip_prefix(&root).unwrap().with_extension("");
            let mut module: Vec<String> =
                relative.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
            if module.last().is_some_and(|last| last == "mod" || last == "lib") {
                module.pop();
            }
            let text = fs::read_to_string(&path).unwrap();
            found.push(parse(&path, module, &text));
        }
    }
    found
}

/// The floor rule for one mention; the text says what is wrong.
fn judge(from: &[String], to: &[String]) -> Option<String> {
    let (own, other) = (from.first()?, to.first()?);
    if own == other {
        return None;
    }
    // Names that the root re-exports are for users; inside, a type has one path.
    let Some(target) = floor(other) else {
        return Some(format!("mentions `crate::{other}`, which is on no floor"));
    };
    let Some(source) = floor(own) else {
        return Some(format!("`{own}` is on no floor"));
    };
    let family = source == target && ONE_FAMILY.contains(&source);
    (target >= source && !family)
        .then(|| format!("floor {source} mentions `crate::{other}` on floor {target}"))
}

#[test]
fn every_import_points_to_a_lower_floor() {
    let mut wrong = Vec::new();
    for source in sources() {
        for mention in &source.mentions {
            if let Some(why) = judge(&source.module, mention) {
                wrong.push(format!("{}: {why}", source.file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The order of the `mod` lines in a folder's front is the order of its floors.
#[test]
fn within_the_stack_a_file_imports_only_from_earlier_ones() {
    let front = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/stack/mod.rs");
    let parsed = syn::parse_file(&fs::read_to_string(front).unwrap()).unwrap();
    let order: BTreeMap<String, usize> = parsed
        .items
        .iter()
        .filter_map(|item| {
            let syn::Item::Mod(module) = item else { return None };
            Some(module.ident.to_string())
        })
        .enumerate()
        .map(|(at, name)| (name, at))
        .collect();
    assert!(order.len() > 10, "the stack has lost its steps");
    let mut wrong = Vec::new();
    for source in sources() {
        let [folder, file, ..] = source.module.as_slice() else { continue };
        if folder != "stack" {
            continue;
        }
        for mention in &source.mentions {
            let [to_folder, to_file, ..] = mention.as_slice() else { continue };
            let later = order.get(to_file).zip(order.get(file)).is_some_and(|(to, own)| to > own);
            if to_folder == "stack" && later {
                wrong.push(format!("{}: mentions `{to_file}`", source.file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_invoke_makes_what_a_handler_accepts() {
    let makers: Vec<_> = sources()
        .into_iter()
        .filter(|source| {
            let text = fs::read_to_string(&source.file).unwrap();
            text.lines()
                .any(|line| line.contains("Cleared::new(") && !line.trim_start().starts_with("//"))
        })
        .map(|source| source.module.join("::"))
        .collect();
    assert_eq!(makers, ["stack::invoke"]);
}

#[test]
fn rmcp_is_named_only_by_its_glue() {
    let wrong: Vec<_> = sources()
        .into_iter()
        .filter(|source| source.module.first().is_some_and(|module| module != "mcp"))
        .filter(|source| {
            let text = fs::read_to_string(&source.file).unwrap();
            text.lines().any(|line| {
                !line.trim_start().starts_with("//")
                    && (line.contains("rmcp::") || line.contains("use rmcp"))
            })
        })
        .map(|source| source.file)
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// The rule itself, on planted imports in every spelling.
#[test]
fn a_planted_import_is_caught_in_every_spelling() {
    let planted = [
        "use crate::stack::Record;",
        "use crate::{digest::Digest, stack::Record};",
        "use super::super::stack::Record;",
        "fn f() { crate::stack::record(); }",
        "type T = crate::audit::Log;",
        "fn f() { info!(x = crate::stack::NAME); }",
    ];
    for text in planted {
        let module = vec!["policy".to_owned(), "parse".to_owned()];
        let source = parse(Path::new("planted.rs"), module, text);
        let caught = source.mentions.iter().any(|to| judge(&source.module, to).is_some());
        assert!(caught, "{text}");
    }
    let module = vec!["policy".to_owned(), "parse".to_owned()];
    let fine = parse(Path::new("fine.rs"), module, "use super::rule; use crate::call::Reason;");
    assert!(fine.mentions.iter().all(|to| judge(&fine.module, to).is_none()));
}
