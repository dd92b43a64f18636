use super::super::{Checkpoint, CheckpointError, Edge, NoteError, Resume, ResumeError};
use super::{edge, key, leaf, line, signed};
use crate::digest::Digest;
use proptest::prelude::*;

/// From the specification.
const SPEC: &str =
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

fn of(size: u64) -> Checkpoint {
    let last_line = size.checked_sub(1).map(|index| Digest::of(&line(index)));
    Checkpoint::new("sec0-audit/t", &edge(size), last_line).unwrap()
}

#[test]
fn reads_the_checkpoint_of_the_specification() {
    let checkpoint = Checkpoint::parse(SPEC).unwrap();
    assert_eq!(checkpoint.origin(), "example.com/behind-the-sofa");
    assert_eq!((checkpoint.size(), checkpoint.extensions().len()), (20_852_163, 0));
    assert_eq!(checkpoint.to_string(), SPEC);
    assert_eq!(checkpoint.resume(), Err(ResumeError::Missing { word: "edge" }));
}

#[test]
fn has_the_text_that_other_tools_read() {
    assert_eq!(
        of(0).to_string(),
        "sec0-audit/t\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
    );
    let three = of(3).to_string();
    let lines: Vec<&str> = three.lines().collect();
    let [origin, size, root, edge_line, last] = lines[..] else { panic!("{three}") };
    assert_eq!((origin, size, root), ("sec0-audit/t", "3", &*edge(3).root().to_base64()));
    let pair = super::super::node_hash(&leaf(0), &leaf(1));
    assert_eq!(edge_line, format!("edge {} {}", pair.to_base64(), leaf(2).to_base64()));
    assert_eq!(last, format!("last {}", Digest::of(b"line 2").to_base64()));
}

#[test]
fn refuses_what_is_not_a_checkpoint_and_says_where() {
    let root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
    let unfinished = CheckpointError::Note(NoteError::TextUnfinished);
    let empty = |line| CheckpointError::EmptyLine { line };
    for (text, expected) in [
        (String::new(), unfinished.clone()),
        (SPEC.trim_end().to_owned(), unfinished),
        ("\n".to_owned(), empty(1)),
        ("o\n1\n".to_owned(), CheckpointError::TooShort),
        (format!("\n1\n{root}\n"), empty(1)),
        (format!("o\n1\n{root}\n\n"), empty(4)),
        (format!("o\n1\n{root}\nx\n\ny\n"), empty(5)),
        (format!("o\n1\n{}\n", root.trim_end_matches('=')), CheckpointError::Root),
        (format!("o\n1\n{root} \n"), CheckpointError::Root),
    ] {
        assert_eq!(Checkpoint::parse(&text), Err(expected), "{text:?}");
    }
    for size in ["01", "00", "-1", "+1", "0x1", "1 ", " 1", "9223372036854775808", "٣"] {
        let error = Checkpoint::parse(&format!("o\n{size}\n{root}\n")).unwrap_err();
        assert_eq!(error, CheckpointError::Size { found: size.to_owned() });
    }
    for origin in ["", "a\nb", "a\u{1}b"] {
        assert!(Checkpoint::new(origin, &Edge::new(), None).is_err(), "{origin:?}");
    }
}

#[test]
fn opens_only_what_the_key_of_the_log_signed() {
    let text = of(5).to_string();
    let own = key("sec0-audit/t", 1);
    let open = |note: &str| Checkpoint::open(note.as_bytes(), &own);
    assert_eq!(open(&signed(&text, "sec0-audit/t", 1).to_string()), Ok(of(5)));
    let others = open(&signed(&text, "sec0-audit/t", 2).to_string());
    assert!(matches!(others, Err(CheckpointError::Note(NoteError::Unsigned { .. }))));
    let renamed = text.replace("sec0-audit/t\n", "sec0-audit/u\n");
    let error = open(&signed(&renamed, "sec0-audit/t", 1).to_string()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the checkpoint is of the log `sec0-audit/u`, not of `sec0-audit/t`"
    );
    let edited = signed(&text, "sec0-audit/t", 1).to_string().replace("\n5\n", "\n6\n");
    assert!(matches!(open(&edited), Err(CheckpointError::Note(NoteError::Invalid { .. }))));
}

#[test]
fn resumes_only_from_an_edge_that_leads_to_the_root() {
    let resume = |text: &str| Checkpoint::parse(text).unwrap().resume().unwrap_err();
    let text = of(5).to_string();
    let (edge_line, last) = (text.lines().nth(3).unwrap(), text.lines().nth(4).unwrap());
    let without = |line: &str| text.replace(&format!("{line}\n"), "");
    assert_eq!(resume(&without(edge_line)), ResumeError::Missing { word: "edge" });
    assert_eq!(resume(&without(last)), ResumeError::Missing { word: "last" });
    assert_eq!(resume(&format!("{text}{edge_line}\n")), ResumeError::Twice { word: "edge" });
    assert_eq!(resume(&format!("{text}{last}\n")), ResumeError::Twice { word: "last" });
    for broken in [format!("{edge_line} "), format!("{edge_line}x"), "edge ".to_owned()] {
        let error = resume(&text.replace(edge_line, &broken));
        assert_eq!(error, ResumeError::NotADigest { word: "edge" });
    }
    assert_eq!(resume(&text.replace(last, "last x")), ResumeError::NotADigest { word: "last" });
    assert!(matches!(resume(&text.replace("\n5\n", "\n7\n")), ResumeError::Edge(_)));
    let other = format!("edge {} {}", leaf(1).to_base64(), leaf(2).to_base64());
    assert_eq!(resume(&text.replace(edge_line, &other)), ResumeError::OtherRoot);
    let empty = format!("{}{last}\n", of(0));
    assert_eq!(resume(&empty), ResumeError::Empty { word: "last" });
}

proptest! {
    #[test]
    fn goes_on_where_it_stopped_with_unknown_lines_kept(
        size in 0u64..200,
        more in 0u64..50,
        unknown in "(x[a-z ]{0,9}\n){0,3}",
    ) {
        let text = format!("{}{unknown}", of(size));
        let note = signed(&text, "sec0-audit/t", 1).to_string();
        let checkpoint = Checkpoint::open(note.as_bytes(), &key("sec0-audit/t", 1)).unwrap();
        prop_assert_eq!(checkpoint.to_string(), text);
        let Resume { edge: mut resumed, last_line } = checkpoint.resume().unwrap();
        let last = size.checked_sub(1).map(|index| Digest::of(&line(index)));
        prop_assert_eq!(last_line, last);
        for index in size..size + more {
            resumed.push(leaf(index));
        }
        prop_assert_eq!(resumed, edge(size + more));
    }

    #[test]
    fn is_read_alike_by_another_implementation(size in 0u64..100) {
        let text = of(size).to_string();
        let theirs = tlog_tiles::Checkpoint::from_bytes(text.as_bytes()).unwrap();
        let ours = of(size);
        prop_assert_eq!((theirs.origin(), theirs.size()), (ours.origin(), ours.size()));
        prop_assert_eq!(theirs.hash().0, *ours.root().as_bytes());
        prop_assert_eq!(theirs.to_bytes(), text.into_bytes());
    }
}

#[test]
fn a_note_of_a_witness_beside_the_log_changes_nothing() {
    let text = of(5).to_string();
    let log = signed(&text, "sec0-audit/t", 1).to_string();
    let witness = signed(&text, "witness", 2).to_string();
    let both = format!("{log}{}", witness.split_at(text.len() + 1).1);
    let own = key("sec0-audit/t", 1);
    assert_eq!(Checkpoint::open(both.as_bytes(), &own), Ok(of(5)));
}
