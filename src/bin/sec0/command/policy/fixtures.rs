use crate::failure::Failure;
use sec0::policy::Fixture;
use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The most fixtures of a directory.
const MAX_FILES: usize = 1000;

/// A fixture, and the files that it names.
pub(super) struct Loaded {
    /// The file, as reports name it.
    pub(super) name: String,
    pub(super) fixture: Fixture,
    pub(super) policy: PathBuf,
    pub(super) server_tools: Option<PathBuf>,
}

/// The fixtures of a directory, in the order of their names.
///
/// # Errors
///
/// The directory or a fixture cannot be used, a fixture has no policy, or there is none.
pub(super) fn load(dir: &Path, policy: Option<&Path>) -> Result<Vec<Loaded>, Failure> {
    let mut read = Vec::new();
    for file in files(dir)? {
        let fixture = Fixture::from_file(&file);
        read.push((file, fixture));
    }
    // A policy may lie among its tests.
    let beside = |file: &Path, name: &str| file.with_file_name("").join(name);
    let named = read.iter().filter_map(|(file, fixture)| {
        let name = fixture.as_ref().ok()?.policy.as_deref()?;
        beside(file, name).canonicalize().ok()
    });
    let policies: HashSet<_> =
        named.chain(policy.and_then(|file| file.canonicalize().ok())).collect();
    read.retain(|(file, _)| !file.canonicalize().is_ok_and(|file| policies.contains(&file)));

    let (mut loaded, mut faults) = (Vec::new(), Vec::new());
    for (file, fixture) in read {
        let name = file.display().to_string();
        let fixture = match fixture {
            Ok(fixture) => fixture,
            Err(error) => {
                faults.push(error.to_string());
                continue;
            }
        };
        let own = fixture.policy.as_deref().map(|name| beside(&file, name));
        let Some(policy) = policy.map(Path::to_owned).or(own) else {
            faults
                .push(format!("{name}: names no policy; write `policy: FILE`, or give `--policy`"));
            continue;
        };
        let server_tools = fixture.server_tools.as_deref().map(|name| beside(&file, name));
        loaded.push(Loaded { name, fixture, policy, server_tools });
    }
    if !faults.is_empty() {
        return Err(Failure::Usage(format!("a fixture cannot be used\n{}", faults.join("\n"))));
    }
    if loaded.is_empty() {
        return Err(Failure::Usage(format!(
            "{}: has no fixture, so nothing was tested; write one in a file `*.yaml`",
            dir.display()
        )));
    }
    Ok(loaded)
}

/// The files that are fixtures by their names. Hidden ones are an editor's.
fn files(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let unreadable = |error: io::Error| {
        let name = dir.display();
        Failure::Usage(format!("{name}: cannot be read: {error}; name a directory of fixtures"))
    };
    let home = dir.canonicalize().map_err(unreadable)?;
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        if !is_fixture(&name) {
            continue;
        }
        if names.len() >= MAX_FILES {
            let dir = dir.display();
            return Err(Failure::Usage(format!(
                "{dir}: has more than {MAX_FILES} fixtures; put them into several directories"
            )));
        }
        names.push(name);
    }
    names.sort();
    let mut files = Vec::new();
    for name in names {
        let file = dir.join(name);
        // What a link leads to outside is not this directory's.
        if file.is_symlink() && !file.canonicalize().is_ok_and(|target| target.starts_with(&home)) {
            return Err(Failure::Usage(format!(
                "{}: is a link that leads out of the directory, or nowhere; put the fixture itself \
                 here",
                file.display()
            )));
        }
        files.push(file);
    }
    Ok(files)
}

fn is_fixture(name: &OsString) -> bool {
    let path = Path::new(name);
    let is_yaml = path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
    is_yaml && !name.as_encoded_bytes().starts_with(b".")
}
