use super::image::{Image, Survival};
use super::plan::{Fault, Op, Plan};
use crate::audit::{Day, Disk, DiskFile, FileSink, Stream};
use parking_lot::Mutex;
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// A directory in memory, on a disk with a page cache. Clones are the same disk.
///
/// What is done to it through [`Disk`] and [`DiskFile`] is counted, and the plan may strike it;
/// what its own methods do is somebody else's doing, or the test's.
#[derive(Debug, Clone, Default)]
pub(crate) struct SimDisk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Which file a name leads to.
    names: BTreeMap<String, usize>,
    /// All files that ever were; an unlinked one is still written by who has it open.
    files: Vec<Image>,
    /// The change of a name in the middle of which the power was cut: to nothing or to a file.
    half: Option<(String, Option<Vec<u8>>)>,
    plan: Plan,
    operations: Vec<Op>,
    /// Numbers the changes of all files.
    changes: u64,
    capacity: Option<usize>,
    is_off: bool,
    /// The directory was removed, and nobody has made it anew.
    is_gone: bool,
}

/// How an operation goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Whole,
    Short,
    Failing,
    CutOff,
}

impl SimDisk {
    /// A disk with these files, all of them durable.
    pub(crate) fn of(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let disk = Self::default();
        files.into_iter().for_each(|(name, bytes)| disk.0.lock().link(&name, bytes));
        disk
    }

    pub(crate) fn sink(&self) -> FileSink {
        FileSink::on(Arc::new(self.clone()), Stream::default())
    }

    pub(crate) fn at(&self, number: u64, fault: Fault) {
        self.0.lock().plan.at(number, fault);
    }

    pub(crate) fn next(&self, op: Op, fault: Fault) {
        self.0.lock().plan.next(op, fault);
    }

    /// From now on all operations of this kind, or all there are, fail.
    pub(crate) fn fail_all(&self, op: impl Into<Option<Op>>, errno: Errno) {
        self.0.lock().plan.all(op.into(), Fault::Fail(errno));
    }

    /// Forgets the plan.
    pub(crate) fn heal(&self) {
        self.0.lock().plan.clear();
    }

    /// How many bytes all files together may have; `None` for any number.
    pub(crate) fn set_capacity(&self, bytes: Option<usize>) {
        self.0.lock().capacity = bytes;
    }

    pub(crate) fn operations(&self) -> u64 {
        self.0.lock().operations.len().try_into().unwrap()
    }

    /// How often this was done.
    pub(crate) fn count(&self, op: Op) -> usize {
        self.0.lock().operations.iter().filter(|done| **done == op).count()
    }

    /// True when the power was cut.
    pub(crate) fn is_off(&self) -> bool {
        self.0.lock().is_off
    }

    /// All files, as reading shows them.
    pub(crate) fn files(&self) -> Vec<(String, Vec<u8>)> {
        let state = self.0.lock();
        let file =
            |(name, file): (&String, &usize)| (name.clone(), state.files[*file].seen().to_vec());
        state.names.iter().map(file).collect()
    }

    /// The names of the day files.
    pub(crate) fn days(&self) -> Vec<String> {
        let names = self.files().into_iter().map(|(name, _)| name);
        names.filter(|name| Day::of_file(name).is_some()).collect()
    }

    /// Somebody removes a file.
    pub(crate) fn unlink(&self, name: &str) {
        self.0.lock().names.remove(name).unwrap();
    }

    /// Somebody renames a file.
    pub(crate) fn rename(&self, from: &str, to: &str) {
        let mut state = self.0.lock();
        let file = state.names.remove(from).unwrap();
        state.names.insert(to.to_owned(), file);
    }

    /// Somebody removes the directory and all that is in it.
    pub(crate) fn remove_directory(&self) {
        let mut state = self.0.lock();
        state.names.clear();
        state.is_gone = true;
    }

    /// The disk that the next start finds when the power was cut, or is cut now.
    pub(crate) fn after_crash(&self, survival: Survival) -> Self {
        let state = self.0.lock();
        let mut unsynced: Vec<u64> =
            state.names.values().flat_map(|file| state.files[*file].unsynced()).collect();
        unsynced.sort_unstable();
        let (until, torn, mut random) = match survival {
            Survival::Nothing => (Some(0), None, fastrand::Rng::with_seed(0)),
            Survival::All => (Some(u64::MAX), None, fastrand::Rng::with_seed(1)),
            Survival::First { changes, torn } => {
                let next = unsynced.get(changes).copied();
                let random = fastrand::Rng::with_seed(u64::from(torn));
                (Some(next.unwrap_or(u64::MAX)), next.filter(|_| torn), random)
            }
            Survival::Blocks { seed } => (None, None, fastrand::Rng::with_seed(seed)),
        };
        let left = |file: usize, random: &mut fastrand::Rng| match until {
            Some(until) => state.files[file].first(until, torn),
            None => state.files[file].blocks(random),
        };
        let named = state.names.iter().map(|(name, file)| (name.clone(), left(*file, &mut random)));
        let after = Self::of(named.collect::<Vec<_>>());
        if let Some((name, bytes)) = state.half.clone()
            && (matches!(survival, Survival::All) || until.is_none_or(|at| at > 0) && random.bool())
        {
            match bytes {
                Some(bytes) => after.0.lock().link(&name, bytes),
                None => drop(after.0.lock().names.remove(&name)),
            }
        }
        after
    }

    /// The disk as it is when the process has ended and the machine stays up.
    pub(crate) fn after_kill(&self) -> Self {
        let state = self.0.lock();
        let (names, files, changes) = (state.names.clone(), state.files.clone(), state.changes);
        Self(Arc::new(Mutex::new(State { names, files, changes, ..State::default() })))
    }

    /// The ways in which the power cut may leave this disk: every one in which the changes were
    /// written in their order, and `seeds` of the others.
    pub(crate) fn survivals(&self, seeds: u64) -> Vec<Survival> {
        let state = self.0.lock();
        let files = state.names.values().map(|file| &state.files[*file]);
        let unsynced = files.map(|file| file.unsynced().count()).sum();
        let mut all = vec![Survival::Nothing, Survival::All];
        if unsynced > 0 {
            let in_order = |changes| [false, true].map(|torn| Survival::First { changes, torn });
            all.extend((0..unsynced).flat_map(in_order));
            all.extend((0..seeds).map(|seed| Survival::Blocks { seed }));
        }
        all
    }

    fn run<T>(&self, op: Op, act: impl FnOnce(&mut State, How) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.0.lock();
        if state.is_off {
            return Err(power_cut());
        }
        let number = u64::try_from(state.operations.len()).unwrap();
        state.operations.push(op);
        match state.plan.strike(number, op) {
            None => act(&mut state, How::Whole),
            Some(Fault::Short) => act(&mut state, How::Short),
            Some(Fault::Late(errno)) => act(&mut state, How::Whole).and(Err(errno.into())),
            Some(Fault::Fail(errno)) => act(&mut state, How::Failing).and(Err(errno.into())),
            Some(Fault::Crash) => {
                state.is_off = true;
                act(&mut state, How::CutOff).and(Err(power_cut()))
            }
            Some(Fault::Hang(gate)) => {
                drop(state);
                gate.pass();
                act(&mut self.0.lock(), How::Whole)
            }
        }
    }
}

impl State {
    fn link(&mut self, name: &str, bytes: Vec<u8>) {
        self.files.push(Image::durable(bytes));
        self.names.insert(name.to_owned(), self.files.len() - 1);
    }

    /// Changes what a name leads to, if all goes well.
    fn relink(&mut self, how: How, name: &str, to: Option<Vec<u8>>) {
        match (how, to) {
            (How::Whole | How::Short, Some(bytes)) => self.link(name, bytes),
            (How::Whole | How::Short, None) => drop(self.names.remove(name)),
            (How::CutOff, to) => self.half = Some((name.to_owned(), to)),
            (How::Failing, _) => {}
        }
    }

    /// How much further the files may grow.
    fn room(&self) -> usize {
        let used: usize = self.names.values().map(|file| self.files[*file].seen().len()).sum();
        self.capacity.map_or(1 << 40, |capacity| capacity.saturating_sub(used))
    }

    fn moment(&mut self) -> u64 {
        self.changes += 1;
        self.changes
    }
}

fn power_cut() -> io::Error {
    io::Error::other("the power is cut")
}

impl Disk for SimDisk {
    fn place(&self) -> String {
        "/sim".to_owned()
    }

    fn open(&self, name: &str, create: bool) -> io::Result<Box<dyn DiskFile>> {
        self.run(Op::Open, |state, how| {
            let file = match state.names.get(name) {
                Some(file) => *file,
                None if !create || state.is_gone => return Err(Errno::NOENT.into()),
                None => {
                    // What fails may be making it durable: then it is there all the same.
                    let how = if how == How::Failing { How::Whole } else { how };
                    state.relink(how, name, Some(Vec::new()));
                    state.files.len().saturating_sub(1)
                }
            };
            let file = SimFile { disk: self.clone(), name: name.to_owned(), file };
            let file: Box<dyn DiskFile> = Box::new(file);
            Ok(file)
        })
    }

    fn names(&self, folder: &str) -> io::Result<Vec<String>> {
        self.run(Op::Names, |state, _| {
            let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
            let inside = state.names.keys().filter_map(|name| name.strip_prefix(&prefix));
            let mut names: Vec<String> =
                inside.filter_map(|name| name.split('/').next()).map(str::to_owned).collect();
            names.dedup();
            Ok(names)
        })
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.run(Op::Replace, |state, how| {
            if state.is_gone {
                return Err(Errno::NOENT.into());
            }
            if bytes.len() > state.room() {
                return Err(Errno::NOSPC.into());
            }
            state.relink(how, name, Some(bytes.to_vec()));
            Ok(())
        })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.run(Op::Remove, |state, how| {
            state.relink(how, name, None);
            Ok(())
        })
    }

    fn hold(&self) -> io::Result<()> {
        self.run(Op::Hold, |state, how| {
            state.is_gone &= how == How::Failing;
            Ok(())
        })
    }
}

/// One open file of a [`SimDisk`].
#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    name: String,
    file: usize,
}

impl DiskFile for SimFile {
    fn length(&self) -> io::Result<u64> {
        let length = |state: &State| u64::try_from(state.files[self.file].seen().len()).unwrap();
        self.disk.run(Op::Length, |state, _| Ok(length(state)))
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.disk.run(Op::Read, |state, how| {
            let offset = usize::try_from(offset).unwrap();
            let behind = state.files[self.file].seen().get(offset..).unwrap_or_default();
            let mut read = behind.len().min(bytes.len());
            if how == How::Short {
                read = read.div_ceil(2);
            }
            bytes[..read].copy_from_slice(&behind[..read]);
            Ok(read)
        })
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.disk.run(Op::Write, |state, how| {
            let offset = usize::try_from(offset).unwrap();
            let fits = state.files[self.file].seen().len() + state.room() - offset;
            let written = match how {
                How::Failing => return Ok(0),
                How::Short => bytes.len().div_ceil(2).min(fits),
                How::Whole | How::CutOff => bytes.len().min(fits),
            };
            if written == 0 && !bytes.is_empty() {
                return Err(Errno::NOSPC.into());
            }
            let at = state.moment();
            state.files[self.file].write(at, offset, &bytes[..written]);
            Ok(written)
        })
    }

    fn set_length(&mut self, length: u64) -> io::Result<()> {
        self.disk.run(Op::SetLength, |state, how| {
            let length = usize::try_from(length).unwrap();
            if length > state.files[self.file].seen().len() + state.room() {
                return Err(Errno::NOSPC.into());
            }
            if how != How::Failing {
                let at = state.moment();
                state.files[self.file].set_length(at, length);
            }
            Ok(())
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        self.disk.run(Op::Sync, |state, how| {
            match how {
                How::Whole | How::Short => state.files[self.file].sync(),
                How::Failing => state.files[self.file].lose(),
                How::CutOff => {}
            }
            Ok(())
        })
    }

    fn is_in_place(&self) -> io::Result<bool> {
        self.disk.run(Op::IsInPlace, |state, _| Ok(state.names.get(&self.name) == Some(&self.file)))
    }
}
