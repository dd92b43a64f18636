//! What key files and key references promise.

use super::{
    KeyError, LocalDevSigner, PublicKey, Signer as _, key_file, read_digest_key_in, verify,
};
use crate::digest::DigestKey;
use crate::secret::Secret;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const SEED: [u8; 32] = [0xFB; 32];

/// A directory with `keys/` in it, and a key file there.
struct Place {
    root: TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { root: tempfile::tempdir().unwrap() };
        fs::create_dir(place.keys()).unwrap();
        place
    }

    fn keys(&self) -> PathBuf {
        // Without the links that the system's temporary directory may itself be behind.
        self.root.path().canonicalize().unwrap().join("keys")
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.keys().join(name);
        fs::write(&path, text).unwrap();
        chmod(&path, 0o600);
        path
    }

    fn load(&self, path: &Path) -> Result<LocalDevSigner, KeyError> {
        let key_ref = format!("file://{}", path.display());
        LocalDevSigner::from_key_ref_in(&key_ref, &[self.keys(), "absent".into()])
    }
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn own() -> PublicKey {
    LocalDevSigner::from_seed(SEED).public_key()
}

fn seed_base64() -> String {
    super::encoding::encode(&SEED)
}

/// A secret key: the seed and the public key.
fn long_base64() -> String {
    super::encoding::encode(&[SEED, *own().as_bytes()].concat())
}

fn message(error: &KeyError) -> String {
    error.to_string()
}

#[tokio::test]
async fn signs_with_the_key_of_the_file() {
    let place = Place::new();
    let signer = place.load(&place.write("a.key", seed_base64() + "\n")).unwrap();
    let signature = signer.sign(b"record").await.unwrap();
    assert_eq!(verify(&own(), b"record", &signature), Ok(()));
    assert_eq!(format!("{signer:?}"), format!("LocalDevSigner({})", own().key_id()));
}

#[test]
fn reads_every_base64_that_stands_for_one_key() {
    let place = Place::new();
    let url_safe = |text: String| text.replace('+', "-").replace('/', "_");
    let bare = |text: String| text.trim_end_matches('=').to_owned();
    for text in [seed_base64(), long_base64()] {
        for text in [text.clone(), bare(text.clone()), url_safe(text.clone()), bare(url_safe(text))]
        {
            let path = place.write("a.key", format!(" \t{text}\r\n\n"));
            assert_eq!(place.load(&path).unwrap().public_key(), own(), "{text}");
        }
    }
}

#[test]
fn refuses_what_is_not_the_base64_of_a_key() {
    let place = Place::new();
    let good = seed_base64();
    let start = "[sec0-signer] Signing key must be base64 for a 32-byte seed or 64-byte secret key";
    for text in [
        String::new(),
        "AAAA".to_owned(),
        good.replacen("+/", "+_", 1),
        good.replacen("+/", "+\n/", 1),
        good.replace("s=", "t="),
        format!("ed25519:{good}"),
        super::encoding::encode(&[1; 33]),
        super::encoding::encode(&[1; 65]),
        "A".repeat(4096),
    ] {
        let path = place.write("a.key", &text);
        let error = message(&place.load(&path).unwrap_err());
        assert!(error.starts_with(start) && error.contains("a.key"), "{error}");
        assert!(text.is_empty() || !error.contains(&text), "{error}");
    }
    let path = place.write("a.key", b"\xFF\xFE");
    assert!(matches!(place.load(&path), Err(KeyError::NotAKey { .. })));
}

#[test]
fn refuses_a_secret_key_whose_halves_differ() {
    let place = Place::new();
    let path = place.write("a.key", super::encoding::encode(&[7; 64]));
    assert!(matches!(place.load(&path), Err(KeyError::HalvesDiffer { .. })));
}

#[test]
fn refuses_a_file_that_is_too_long_or_no_file() {
    let place = Place::new();
    let start = |path: &Path| {
        format!("[sec0-signer] Failed to read signing key file \"{}\": ", path.display())
    };
    let long = place.write("long.key", seed_base64() + &" ".repeat(4096));
    let error = message(&place.load(&long).unwrap_err());
    assert_eq!(error, start(&long) + "longer than 4096 bytes");
    let pipe = place.keys().join("pipe.key");
    let made = std::process::Command::new("mkfifo").arg("-m600").arg(&pipe).status().unwrap();
    assert!(made.success());
    let error = message(&place.load(&pipe).unwrap_err());
    assert_eq!(error, start(&pipe) + "not a regular file");
    let error = message(&place.load(&place.keys()).unwrap_err());
    assert_eq!(error, start(&place.keys()) + "not a regular file");
    let absent = place.keys().join("absent.key");
    let error = message(&place.load(&absent).unwrap_err());
    let said = start(&absent) + "No such file or directory (os error 2); make a key";
    assert!(error.starts_with(&said), "{error}");
}

#[test]
fn refuses_a_key_that_others_can_read_or_change() {
    let place = Place::new();
    let path = place.write("a.key", seed_base64());
    for mode in [0o640, 0o620, 0o604, 0o602, 0o666] {
        chmod(&path, mode);
        let error = message(&place.load(&path).unwrap_err());
        assert!(error.starts_with("[sec0-signer] Signing key file "), "{error}");
        assert!(error.ends_with(&format!("run `chmod 600 {}`", path.display())), "{error}");
    }
    for mode in [0o600, 0o400, 0o700] {
        chmod(&path, mode);
        assert!(place.load(&path).is_ok());
    }
}

#[test]
fn refuses_references_in_the_words_of_the_original() {
    let load = |key_ref| message(&LocalDevSigner::from_key_ref_in(key_ref, &[]).unwrap_err());
    assert_eq!(load(""), "[sec0-signer] keyRef is required to load the ED25519 signer");
    assert_eq!(
        load("kms://key"),
        "[sec0-signer] Unsupported keyRef \"kms://key\". Only file:// key refs are supported."
    );
    assert_eq!(load("file://  "), "[sec0-signer] keyRef file path is empty");
}

#[test]
fn refuses_a_key_outside_the_allowed_directories() {
    let place = Place::new();
    let inside = place.write("a.key", seed_base64());
    let outside = place.keys().with_file_name("b.key");
    fs::copy(&inside, &outside).unwrap();
    let neighbour = place.keys().with_file_name("keys-old");
    fs::create_dir(&neighbour).unwrap();
    fs::copy(&inside, neighbour.join("a.key")).unwrap();
    let refused = |path: &Path| {
        let said = message(&place.load(path).unwrap_err());
        let path = super::key_dirs::absolute(path).unwrap();
        assert_eq!(
            said,
            format!(
                "[sec0-signer] keyRef path \"{}\" is outside allowed directories. \
                 Set SEC0_SIGNER_KEY_DIRS to permit it.",
                path.display()
            )
        );
    };
    refused(&outside);
    refused(&place.keys().join("../b.key"));
    refused(&neighbour.join("a.key"));
    refused(&place.keys().with_file_name("absent.key"));
    assert!(LocalDevSigner::from_file(&outside).is_ok());
}

#[test]
fn resolves_links_on_both_sides_before_it_compares() {
    let place = Place::new();
    let inside = place.write("a.key", seed_base64());
    let outside = place.keys().with_file_name("b.key");
    fs::copy(&inside, &outside).unwrap();
    let out = place.keys().join("out.key");
    symlink(&outside, &out).unwrap();
    assert!(matches!(place.load(&out), Err(KeyError::Outside { .. })));
    let linked_dir = place.keys().with_file_name("linked");
    symlink(place.keys(), &linked_dir).unwrap();
    assert!(place.load(&linked_dir.join("a.key")).is_ok());
    let key_ref = format!("file://{}", inside.display());
    assert!(LocalDevSigner::from_key_ref_in(&key_ref, &[linked_dir]).is_ok());
}

#[test]
fn allows_a_child_whose_name_starts_with_two_dots() {
    let place = Place::new();
    let path = place.write("..x", seed_base64());
    assert!(place.load(&path).is_ok());
}

#[test]
fn makes_a_pair_that_loads() {
    let place = Place::new();
    for (name, stem) in [("new/deep/a.key", "a"), ("new/deep/b", "b"), ("new/deep/c.d", "c.d")] {
        let made = key_file::generate(&place.keys().join(name)).unwrap();
        let deep = place.keys().join("new/deep");
        assert_eq!(made.key_file, deep.join(format!("{stem}.key")));
        assert_eq!(made.public_file, deep.join(format!("{stem}.pub")));
        assert_eq!(place.load(&made.key_file).unwrap().public_key(), made.public_key);
        assert_eq!(key_file::read_public(&made.public_file).unwrap(), made.public_key);
        assert_eq!(
            fs::read_to_string(&made.public_file).unwrap(),
            made.public_key.to_base64() + "\n"
        );
        let bits = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(bits(&made.key_file), 0o600);
        assert_eq!(bits(&made.public_file) & 0o133, 0);
        assert_eq!((bits(&deep), bits(deep.parent().unwrap())), (0o700, 0o700));
    }
}

#[test]
fn completes_a_pair_whose_public_half_was_never_written() {
    let place = Place::new();
    let made = key_file::generate(&place.keys().join("a")).unwrap();
    fs::remove_file(&made.public_file).unwrap();
    key_file::complete(&made.key_file, made.public_key).unwrap();
    assert_eq!(key_file::read_public(&made.public_file).unwrap(), made.public_key);
    fs::write(&made.public_file, "mine").unwrap();
    key_file::complete(&made.key_file, made.public_key).unwrap();
    assert_eq!(fs::read_to_string(&made.public_file).unwrap(), "mine");
    assert_eq!(fs::read_dir(place.keys()).unwrap().count(), 2, "nothing else is left");
}

#[test]
fn overwrites_neither_half_of_a_pair() {
    let place = Place::new();
    let (key, public) = (place.keys().join("a.key"), place.keys().join("a.pub"));
    for taken in [&key, &public] {
        fs::write(taken, "mine").unwrap();
        let error = message(&key_file::generate(&key).unwrap_err());
        assert!(error.contains(&format!("`{}` exists", taken.display())), "{error}");
        assert_eq!(fs::read_to_string(taken).unwrap(), "mine");
        fs::remove_file(taken).unwrap();
        assert_eq!(fs::read_dir(place.keys()).unwrap().count(), 0);
    }
    symlink(place.keys().join("elsewhere"), &key).unwrap();
    assert!(matches!(key_file::generate(&key), Err(KeyError::Exists { .. })));
}

#[test]
fn reads_a_public_key_bare_or_prefixed() {
    let place = Place::new();
    for text in [own().to_base64(), own().to_string()] {
        let path = place.write("a.pub", text + "\n");
        assert_eq!(key_file::read_public(&path).unwrap(), own());
    }
    for text in [long_base64(), "ed25519:".to_owned(), format!("ed448:{}", own().to_base64())] {
        let path = place.write("a.pub", text);
        let error = message(&key_file::read_public(&path).unwrap_err());
        assert!(error.contains("a.pub` holds no public key: expected"), "{error}");
    }
    let error = message(&key_file::read_public(&place.keys().join("b.pub")).unwrap_err());
    assert!(error.contains("b.pub` cannot be read: No such file"), "{error}");
}

fn digest_key(place: &Place, path: &Path) -> Result<DigestKey, KeyError> {
    read_digest_key_in(&format!("file://{}", path.display()), &[place.keys()])
}

#[test]
fn loads_a_digest_key_of_32_bytes_and_nothing_else() {
    let place = Place::new();
    let path = place.write("digest.key", seed_base64() + "\n");
    let key = digest_key(&place, &path).unwrap();
    assert_eq!(key.id(), DigestKey::new(&Secret::new(SEED)).id());
    let short = super::encoding::encode(&SEED[..31]);
    for text in [long_base64(), short, String::new(), "no key at all".to_owned()] {
        let path = place.write("other.key", &text);
        let error = digest_key(&place, &path).unwrap_err();
        assert!(matches!(error, KeyError::NotADigestKey { .. }), "{error}");
        assert!(text.is_empty() || !message(&error).contains(&text), "{error}");
        assert!(message(&error).contains(path.to_str().unwrap()), "{error}");
    }
}

#[test]
fn a_digest_key_is_held_to_the_rules_of_the_signing_key() {
    let place = Place::new();
    let path = place.write("digest.key", seed_base64());
    for mode in [0o640, 0o620, 0o604, 0o602] {
        chmod(&path, mode);
        let error = digest_key(&place, &path).unwrap_err();
        assert!(matches!(error, KeyError::DigestKeyOpenToOthers { .. }), "{error}");
        assert!(message(&error).ends_with(&format!("run `chmod 600 {}`", path.display())));
    }
    chmod(&path, 0o600);

    let outside = place.keys().with_file_name("digest.key");
    fs::copy(&path, &outside).unwrap();
    let link = place.keys().join("link.key");
    symlink(&outside, &link).unwrap();
    for path in [&outside, &link] {
        let error = digest_key(&place, path).unwrap_err();
        assert!(matches!(error, KeyError::Outside { .. }), "{error}");
    }
    for path in [place.keys().join("absent.key"), place.keys()] {
        let error = digest_key(&place, &path).unwrap_err();
        assert!(matches!(error, KeyError::DigestKeyUnreadable { .. }), "{error}");
    }
    let long = place.write("long.key", seed_base64() + &" ".repeat(4096));
    assert!(message(&digest_key(&place, &long).unwrap_err()).ends_with("longer than 4096 bytes"));
    let error = read_digest_key_in("vault://key", &[place.keys()]).unwrap_err();
    assert!(matches!(error, KeyError::RefUnsupported { .. }), "{error}");
}
