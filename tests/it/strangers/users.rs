//! The example program as another user of the machine, among files that are not its own. These
//! tests need root, to have two users; without it they say so and end.

use super::{complaints, names};
use crate::drive::{DEMO_POLICY, ended, example};
use sec0::sign::{LocalDevSigner, key_file};
use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tempfile::TempDir;
use tokio::process::Command;

/// Nobody.
const STRANGER: u32 = 65534;

const MAY_WRITE: &str =
    "let the user that runs this program write there, or name another audit directory";

/// A directory that everybody may enter, with the program, a policy, and a home for its user.
struct Yard(TempDir);

impl Yard {
    /// `None` where there is one user only.
    fn open() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            println!("not root: what another user finds is left out");
            return None;
        }
        let yard = Self(tempfile::tempdir().unwrap());
        chmod(yard.0.path(), 0o755);
        let program = example("server_stdio").as_std().get_program().to_owned();
        // The same bytes where that is possible: the program is large.
        if fs::hard_link(&program, yard.at("program")).is_err() {
            fs::copy(&program, yard.at("program")).unwrap();
        }
        fs::write(yard.at("policy.yaml"), DEMO_POLICY).unwrap();
        yard.dir("home", 0o700);
        if chown(yard.at("home"), Some(STRANGER), Some(STRANGER)).is_err() {
            println!("root without other users: what another user finds is left out");
            return None;
        }
        Some(yard)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().canonicalize().unwrap().join(name)
    }

    /// A directory of root.
    fn dir(&self, name: &str, mode: u32) -> PathBuf {
        let path = self.at(name);
        DirBuilder::new().create(&path).unwrap();
        chmod(&path, mode);
        path
    }

    /// A file of root.
    fn file(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.at(name);
        fs::write(&path, text).unwrap();
        chmod(&path, mode);
        path
    }

    /// An audit directory of the program's user, in which it has been before.
    async fn used(&self, name: &str) -> PathBuf {
        let path = self.at("home").join(name);
        assert_eq!(self.run(&path).await, "connection closed: initialize request");
        path
    }

    /// What the program says on its way out, as the stranger, with nobody on its stdin.
    async fn run(&self, audit: &Path) -> String {
        let mut command = Command::new(self.at("program"));
        command.arg("--policy").arg(self.at("policy.yaml")).arg("--dir").arg(audit);
        command.env("SEC0_SIGNER_KEY_DIRS", self.at("keys")).current_dir(self.at("home"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.uid(STRANGER).gid(STRANGER).kill_on_drop(true).spawn().unwrap();
        let said = complaints(&mut child).await;
        assert_eq!(ended(&mut child).await.code(), Some(1), "{said}");
        assert!(!said.contains("panicked"), "{said}");
        let said = said.strip_prefix("Error: ").and_then(|said| said.strip_suffix('\n'));
        said.unwrap().to_owned()
    }

    /// A policy with this key, in an allowed directory.
    fn name_key(&self) -> PathBuf {
        let key = self.dir("keys", 0o755).join("mine.key");
        let line = format!("enabled: true, key_ref: 'file://{}'", key.display());
        let policy = DEMO_POLICY.replace("enabled: true", &line);
        fs::write(self.at("policy.yaml"), policy).unwrap();
        key
    }
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Gives it to the program's user.
fn own(path: &Path) {
    chown(path, Some(STRANGER), Some(STRANGER)).unwrap();
}

/// A day's file, of a day on which nobody else writes.
fn a_day(audit: &Path) -> PathBuf {
    audit.join("audit-2026-11-01.ndjson")
}

#[tokio::test]
async fn an_audit_directory_of_another_user_is_refused_by_its_name() {
    let Some(yard) = Yard::open() else { return };
    for mode in [0o755, 0o777] {
        let dir = yard.dir(&format!("open-{mode:o}"), mode);
        let foreign = "belongs to another user; name a directory of your own";
        assert_eq!(yard.run(&dir).await, format!("`{}`: {foreign}", dir.display()));
        assert_eq!(names(&dir).len(), 0, "something was written there");
    }
    let denied = format!("Permission denied (os error 13); {MAY_WRITE}");
    let closed = yard.dir("closed", 0o700);
    let said = format!("`{}`: cannot be opened: {denied}", closed.display());
    assert_eq!(yard.run(&closed).await, said);
    for parent in ["closed", "open-755"] {
        let dir = yard.at(parent).join("audit");
        let said = format!("`{}`: cannot be made: {denied}", dir.display());
        assert_eq!(yard.run(&dir).await, said);
        assert!(!dir.exists());
    }
    let below = yard.at("policy.yaml").join("audit");
    let said = format!(
        "`{}`: cannot be made: Not a directory (os error 20); put that right, or name another \
         audit directory",
        below.display()
    );
    assert_eq!(yard.run(&below).await, said);
}

#[tokio::test]
async fn links_in_the_place_of_the_directory_or_its_files_are_refused_by_their_names() {
    let Some(yard) = Yard::open() else { return };
    let audit = yard.used("audit").await;
    let no_directory = "not a directory, or a link to one; name the directory itself";
    for (link, to) in [("link", "home/audit"), ("into-nothing", "home/none")] {
        symlink(yard.at(to), yard.at(link)).unwrap();
        let said = yard.run(&yard.at(link)).await;
        assert_eq!(said, format!("`{}`: {no_directory}", yard.at(link).display()));
    }
    assert!(!yard.at("home/none").exists());

    let elsewhere = yard.file("elsewhere", "", 0o666);
    let link = "a link, which is never followed; move it away";
    let day = a_day(&audit);
    symlink(&elsewhere, &day).unwrap();
    let cannot = "the end of the audit log cannot be read: ";
    assert_eq!(yard.run(&audit).await, format!("{cannot}`{}`: {link}", day.display()));
    fs::remove_file(&day).unwrap();
    let lock = audit.join("lock");
    fs::remove_file(&lock).unwrap();
    symlink(&elsewhere, &lock).unwrap();
    assert_eq!(yard.run(&audit).await, format!("`{}`: {link}", lock.display()));
    fs::remove_file(&lock).unwrap();
    assert_eq!(fs::read(&elsewhere).unwrap(), b"");
}

#[tokio::test]
async fn a_key_behind_a_link_in_the_audit_directory_is_not_used_and_none_is_made_there() {
    let Some(yard) = Yard::open() else { return };
    let said = |link: &Path| {
        format!(
            "[sec0-signer] the key of the audit directory is not read through the link `{}`; put \
             the key itself there, or name it with `signing.key_ref`",
            link.display()
        )
    };
    let audit = yard.used("audit").await;
    let open = yard.dir("open", 0o777);
    for (link, to) in [
        ("keys/ed25519.key", yard.at("home/moved.key")),
        ("keys/ed25519.key", open.join("none.key")),
        ("keys", open.clone()),
    ] {
        let link = audit.join(link);
        if link.is_file() && !link.is_symlink() {
            fs::rename(&link, &to).unwrap();
        } else if link.is_symlink() {
            fs::remove_file(&link).unwrap();
        } else {
            fs::remove_dir_all(&link).unwrap();
        }
        symlink(&to, &link).unwrap();
        assert_eq!(yard.run(&audit).await, said(&link));
        assert_eq!(names(&open).len(), 0, "a key was made through a link");
    }
}

#[tokio::test]
async fn files_of_another_user_in_the_audit_directory_are_refused_by_their_names() {
    let Some(yard) = Yard::open() else { return };
    let audit = yard.used("audit").await;
    let denied = format!("cannot be opened: Permission denied (os error 13); {MAY_WRITE}");
    let foreign = "belongs to another user; move it away";
    for (mode, why) in [(0o644, denied.as_str()), (0o666, foreign)] {
        let day = a_day(&audit);
        fs::write(&day, "").unwrap();
        chmod(&day, mode);
        let cannot = "the end of the audit log cannot be read: ";
        assert_eq!(yard.run(&audit).await, format!("{cannot}`{}`: {why}", day.display()));
        fs::remove_file(&day).unwrap();
        let lock = audit.join("lock");
        fs::remove_file(&lock).unwrap();
        fs::write(&lock, "").unwrap();
        chmod(&lock, mode);
        assert_eq!(yard.run(&audit).await, format!("`{}`: {why}", lock.display()));
        fs::remove_file(&lock).unwrap();
        yard.used("audit").await;
    }
    // Where no key can be made there is no log either.
    let keys = audit.join("keys");
    fs::remove_dir_all(&keys).unwrap();
    DirBuilder::new().mode(0o755).create(&keys).unwrap();
    let said = format!(
        "the file `{}` cannot be written: Permission denied (os error 13); put that right, or name \
         another place",
        keys.join("ed25519.key").display()
    );
    assert_eq!(yard.run(&audit).await, said);
}

#[tokio::test]
async fn a_key_that_this_user_cannot_use_is_refused_by_its_name_before_anything_is_made() {
    let Some(yard) = Yard::open() else { return };
    let key = yard.name_key();
    let audit = yard.at("home/audit");
    let shown = key.display();
    let unreadable = format!(
        "[sec0-signer] Failed to read signing key file \"{shown}\": Permission denied (os error \
         13); run this program as the owner of the key, or give it a key of its own"
    );
    let seed = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n";
    let open_to_others = |mode: u32| {
        format!(
            "[sec0-signer] Signing key file \"{shown}\" can be read or changed by others (mode \
             {mode:04o}); run `chmod 600 {shown}`"
        )
    };
    fs::write(&key, seed).unwrap();
    chmod(&key, 0o600);
    assert_eq!(yard.run(&audit).await, unreadable);
    chmod(&key, 0o644);
    assert_eq!(yard.run(&audit).await, open_to_others(0o644));
    chmod(&yard.at("keys"), 0o700);
    assert_eq!(yard.run(&audit).await, unreadable);
    chmod(&yard.at("keys"), 0o755);

    own(&key);
    chmod(&key, 0o604);
    assert_eq!(yard.run(&audit).await, open_to_others(0o604));
    chmod(&key, 0o600);
    fs::write(&key, "BwcHBwcHBwcHBwcHBwcH").unwrap();
    let said = format!(
        "[sec0-signer] Signing key must be base64 for a 32-byte seed or 64-byte secret key; the \
         file `{shown}` holds something else"
    );
    assert_eq!(yard.run(&audit).await, said);
    fs::remove_file(&key).unwrap();
    symlink(yard.file("outside.key", seed, 0o644), &key).unwrap();
    let said = format!(
        "[sec0-signer] keyRef path \"{shown}\" is outside allowed directories. Set \
         SEC0_SIGNER_KEY_DIRS to permit it."
    );
    assert_eq!(yard.run(&audit).await, said);
    fs::remove_file(&key).unwrap();
    symlink(&key, &key).unwrap();
    assert!(yard.run(&audit).await.starts_with("[sec0-signer] Failed to read signing key file "));
    assert!(!audit.exists(), "a log was made without a key");
}

/// Root may read every file, so only the owner tells a key that somebody else could have put there.
#[tokio::test]
async fn root_takes_no_key_of_another_user() {
    let Some(yard) = Yard::open() else { return };
    let made = key_file::generate(&yard.at("home/a.key")).unwrap();
    assert!(LocalDevSigner::from_file(&made.key_file).is_ok());
    own(&made.key_file);
    let said = format!(
        "[sec0-signer] Signing key file \"{}\" belongs to another user, who can read and change \
         it; make a key of your own, or run `chown` on this one",
        made.key_file.display()
    );
    assert_eq!(LocalDevSigner::from_file(&made.key_file).unwrap_err().to_string(), said);
}
