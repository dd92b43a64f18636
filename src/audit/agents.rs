use super::day::Day;
use super::disk::Disk;
use super::side_file::SideFile;
use super::stream::Stream;
use std::collections::HashSet;
use std::io;
use std::sync::Arc;

/// The copies of the lines, a file for each agent, run and day.
#[derive(Debug)]
pub(super) struct Agents {
    disk: Arc<dyn Disk>,
    stream: Stream,
    /// The most files that one day gets.
    most: usize,
    day: Option<Day>,
    /// The files that the day has.
    known: HashSet<String>,
    /// The files that are open, the one used last at the end.
    open: Vec<SideFile>,
}

/// Why a line has no copy.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotCopied {
    /// The day has as many files as it may have.
    #[error("the day has its {0} files")]
    Full(usize),
    #[error(transparent)]
    Disk(#[from] io::Error),
}

/// How many files are open at once.
const OPEN: usize = 8;
/// The longest name of a node or an agent, in bytes: with day and writer it still is a file's.
const LONGEST: usize = 200;

impl Agents {
    pub(super) fn new(disk: Arc<dyn Disk>, stream: Stream, most: usize) -> Self {
        let (known, open) = (HashSet::new(), Vec::new());
        Self { disk, stream, most, day: None, known, open }
    }

    /// Appends a line to the file of this agent; the names must be [fit](is_fit).
    pub(super) fn append(
        &mut self,
        day: Day,
        (node, agent): (&str, &str),
        line: &[u8],
    ) -> Result<(), NotCopied> {
        if self.day != Some(day) {
            self.sync()?;
            self.open.clear();
            self.known = known(&*self.disk, &self.stream, day)?;
            self.day = Some(day);
        }
        let name = self.stream.copy(node, day, agent);
        let is_new = !self.known.contains(&name);
        if is_new && self.known.len() >= self.most {
            return Err(NotCopied::Full(self.most));
        }
        let mut file = match self.open.iter().position(|file| file.name == name) {
            Some(at) => self.open.remove(at),
            None => SideFile::open(&*self.disk, name)?,
        };
        if is_new {
            self.known.insert(file.name.clone());
        }
        if !file.is_in_place()? {
            file = SideFile::open(&*self.disk, file.name)?;
        }
        file.append(line)?;
        self.open.push(file);
        if self.open.len() > OPEN {
            self.open.remove(0).sync()?;
        }
        Ok(())
    }

    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.open.iter_mut().try_for_each(SideFile::sync)
    }
}

/// True for a name that is one of a file, and no hidden one.
pub(super) fn is_fit(name: &str) -> bool {
    // The sign parts a writer's id from the rest.
    let is_foreign = |c: char| matches!(c, '/' | '\\' | '@') || c.is_control();
    matches!(name.len(), 1..=LONGEST) && !name.starts_with('.') && !name.contains(is_foreign)
}

/// A folder that a day's copies are in, with the names of those.
pub(super) struct Folder {
    pub(super) node: String,
    pub(super) path: String,
    pub(super) files: Vec<String>,
}

/// The copies of a day. A node whose folder is a link, a file or somebody else's has none.
pub(super) fn copies_of(disk: &dyn Disk, stream: &Stream, day: Day) -> io::Result<Vec<Folder>> {
    let mut folders = Vec::new();
    for node in names_in(disk, Stream::COPIES)?.unwrap_or_default() {
        let node = format!("{}/{node}", Stream::COPIES);
        let path = format!("{node}/{day}");
        if let Some(mut names) = names_in(disk, &path)? {
            names.retain(|name| stream.is_copy(name));
            let files = names.into_iter().map(|name| format!("{path}/{name}")).collect();
            folders.push(Folder { node, path, files });
        }
    }
    Ok(folders)
}

fn known(disk: &dyn Disk, stream: &Stream, day: Day) -> io::Result<HashSet<String>> {
    let folders = copies_of(disk, stream, day)?;
    Ok(folders.into_iter().flat_map(|folder| folder.files).collect())
}

fn names_in(disk: &dyn Disk, folder: &str) -> io::Result<Option<Vec<String>>> {
    match disk.names(folder) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(None),
        names => names.map(Some),
    }
}
