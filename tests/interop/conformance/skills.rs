//! One skill of two files, the second in a folder.

use crate::words::Answer;
use rmcp::model::{
    ErrorData, ReadResourceDirectoryResult, Resource, Skill, SkillFrontmatter, SkillResource,
    SkillResources,
};
use serde_json::json;

const NAME: &str = "release-notes";
const DESCRIPTION: &str = "Writes release notes from a list of changes.";
const FOLDER: &str = "skill://release-notes";
const MANUAL: &str = "skill://release-notes/SKILL.md";
const REFERENCE: &str = "skill://release-notes/reference";
const STYLE: &str = "skill://release-notes/reference/style.md";

const FILES: [(&str, &str); 2] = [
    (
        MANUAL,
        "---\nname: release-notes\ndescription: Writes release notes from a list of changes.\n---\n\n\
         Group the changes by what a user can notice. See reference/style.md.\n",
    ),
    (STYLE, "# Style\n\nOne sentence for each change.\n"),
];

pub(crate) fn skill() -> Skill {
    let files = FILES.map(|(uri, text)| SkillResource::from_bytes(uri, text.as_bytes()));
    let frontmatter = SkillFrontmatter::new(NAME, DESCRIPTION);
    Skill::new(MANUAL, frontmatter, SkillResources::Files(files.into()))
}

pub(crate) fn get(uri: &str) -> Answer<Skill> {
    if uri == MANUAL { Ok(skill()) } else { Err(unknown("skill", uri)) }
}

/// The manual as `resources/list` has it.
pub(crate) fn manual() -> Resource {
    Resource::new(MANUAL, NAME).with_description(DESCRIPTION).with_mime_type("text/markdown")
}

/// The text of a file of the skill.
pub(crate) fn file(uri: &str) -> Option<&'static str> {
    FILES.iter().find(|(known, _)| *known == uri).map(|(_, text)| *text)
}

/// What lies directly in a folder of the skill.
pub(crate) fn folder(uri: &str) -> Answer<ReadResourceDirectoryResult> {
    let reference = Resource::new(REFERENCE, "reference").with_mime_type("inode/directory");
    let style = Resource::new(STYLE, "style.md").with_mime_type("text/markdown");
    let children = match uri.trim_end_matches('/') {
        FOLDER => vec![manual(), reference],
        REFERENCE => vec![style],
        other => return Err(unknown("folder", other)),
    };
    Ok(ReadResourceDirectoryResult::with_all_items(children))
}

fn unknown(what: &str, uri: &str) -> ErrorData {
    ErrorData::invalid_params(format!("there is no such {what}"), Some(json!({ "uri": uri })))
}
