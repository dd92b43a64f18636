#!/usr/bin/env python3
"""A second verifier of the audit log, written from audit-log.md and from nothing else.

    verify_log.py DIR --public-key FILE... [--checkpoint FILE]
    verify_log.py --proof FILE --public-key FILE [--line FILE] [--origin NAME]
    verify_log.py --golden DIR

It checks every signature that it finds, whatever a checkpoint vouches for, and is made to be read, not
to be fast. Needs Python 3.10 and the package `cryptography`, or `pynacl` in its place.

Exit status: 0 it holds, 1 it does not, 2 wrong use.
"""

import argparse
import base64
import datetime
import fcntl
import hashlib
import json
import os
import re
import sys

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    def signed(key, message, signature):
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
            return True
        except InvalidSignature:
            return False
except ImportError:
    from nacl.exceptions import BadSignatureError
    from nacl.signing import VerifyKey

    def signed(key, message, signature):
        try:
            VerifyKey(key).verify(message, signature)
            return True
        except (BadSignatureError, ValueError):
            return False


MAX_LINE = 1024 * 1024
MAX_NOTE = 256 * 1024
DAY = r"\d{4}-\d\d-\d\d"
WRITER = r"[a-z0-9_-]{1,32}"


class Bad(Exception):
    """Something does not hold; the text begins with its place."""


def sha256(data):
    return hashlib.sha256(data).digest()


def unbase64(text, length=None):
    """Bytes from padded base64 of the standard alphabet; one spelling for each value."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    if base64.b64encode(data).decode() != text or length not in (None, len(data)):
        return None
    return data


# The tree: RFC 6962, section 2.1.


def leaf_hash(line):
    return sha256(b"\x00" + line)


def node_hash(left, right):
    return sha256(b"\x01" + left + right)


class Tree:
    """The right edge: a list of (size, root) of perfect trees, the largest first."""

    def __init__(self, edge=()):
        self.edge = list(edge)

    def push(self, leaf):
        size = 1
        while self.edge and self.edge[-1][0] == size:
            leaf = node_hash(self.edge.pop()[1], leaf)
            size *= 2
        self.edge.append((size, leaf))

    @property
    def size(self):
        return sum(size for size, _ in self.edge)

    def root(self):
        if not self.edge:
            return sha256(b"")
        root = self.edge[-1][1]
        for _, left in reversed(self.edge[:-1]):
            root = node_hash(left, root)
        return root


def root_by_path(leaf, index, size, path):
    """The root to which the path leads from a leaf, from the definition in RFC 6962, 2.1.1."""
    if not 0 <= index < size:
        return None
    if size == 1:
        return leaf if not path else None
    if not path:
        return None
    half = 1
    while half * 2 < size:
        half *= 2
    if index < half:
        left = root_by_path(leaf, index, half, path[:-1])
        return left and node_hash(left, path[-1])
    right = root_by_path(leaf, index - half, size - half, path[:-1])
    return right and node_hash(path[-1], right)


# Signed notes and checkpoints.


def key_hash(name, key):
    return sha256(name.encode() + b"\n\x01" + key)[:4]


def origin_of(tenant, writer):
    def encode(part):
        plain = set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
        return "".join(chr(b) if b in plain else f"%{b:02X}" for b in part.encode())

    return "/".join(["sec0-audit"] + [encode(part) for part in (tenant, writer) if part is not None])


class Checkpoint:
    """A checkpoint that was parsed. Nothing of it is known to be true before `check_signed`."""

    def __init__(self, place, data, is_kept=False):
        self.place, self.edge, self.last = place, [], None
        if len(data) > MAX_NOTE:
            self.fail("longer than a note can be")
        try:
            note = data.decode()
        except UnicodeDecodeError:
            self.fail("not UTF-8")
        if any(c < " " and c != "\n" for c in note) or "\n\n" not in note or note[-1] != "\n":
            self.fail("not a signed note")
        self.text, signatures = note.rsplit("\n\n", 1)
        self.text += "\n"
        self.signatures = []
        for line in signatures[:-1].split("\n"):
            found = re.fullmatch("\u2014 ([^ +]+) ([^ ]+)", line)
            blob = unbase64(found[2]) if found else None
            if blob is None or len(blob) < 5:
                self.fail("not a signature under the text")
            self.signatures.append((found[1], blob[:4], blob[4:]))
        if len(self.signatures) > 16 or len(set(self.signatures)) != len(self.signatures):
            self.fail("too many signatures, or one of them twice")
        lines = self.text[:-1].split("\n")
        if len(lines) < 3 or "" in lines or not re.fullmatch("0|[1-9][0-9]{0,18}", lines[1]):
            self.fail("not a checkpoint")
        self.origin, self.size = lines[0], int(lines[1])
        self.root = unbase64(lines[2], 32)
        if self.root is None:
            self.fail("no root hash")
        try:
            self.read_resume(lines[3:])
        except Bad:
            # One that was kept elsewhere may have been made by others.
            if not is_kept:
                raise
            self.edge, self.last = [], None

    def read_resume(self, extensions):
        def the_one(word):
            found = [line[len(word) + 1 :] for line in extensions if line.startswith(word + " ")]
            if len(found) != (1 if self.size else 0):
                self.fail(f"it must have one line `{word}`, and none for an empty log")
            hashes = [unbase64(text, 32) for text in found[0].split(" ")] if found else []
            if None in hashes:
                self.fail(f"no hash in the line `{word}`")
            return hashes

        edge, last = the_one("edge"), the_one("last")
        sizes = [1 << bit for bit in range(63, -1, -1) if self.size >> bit & 1]
        if len(edge) != len(sizes) or len(last) > 1:
            self.fail("the lines `edge` and `last` do not fit the size")
        self.edge = list(zip(sizes, edge))
        self.last = last[0] if last else None
        if Tree(self.edge).root() != self.root:
            self.fail("the line `edge` does not lead to the root")

    def fail(self, why):
        raise Bad(f"{self.place}: {why}")

    def check_signed(self, keys):
        good = 0
        for name, key_id, signature in self.signatures:
            for key in keys:
                if name == self.origin and key_id == key_hash(name, key):
                    if len(signature) != 64 or not signed(key, self.text.encode(), signature):
                        self.fail("the signature does not hold")
                    good += 1
        if not good:
            self.fail("signed by none of the keys")


# Lines.


def key_id_of(key):
    return "ed25519:" + sha256(key).hex()


def no_twins(pairs):
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a member stands there twice")
    return dict(pairs)


def number(value):
    """A number as ECMAScript prints it (RFC 8785, 3.2.2.3)."""
    if isinstance(value, int):
        if abs(value) < 2**53:
            return str(value)
        value = float(value)
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError("no number of JSON")
    if value == 0:
        return "0"
    sign, digits, exponent = "-" if value < 0 else "", *repr_parts(abs(value))
    if len(digits) <= exponent <= 21:
        return sign + digits + "0" * (exponent - len(digits))
    if 0 < exponent <= 21:
        return sign + digits[:exponent] + "." + digits[exponent:]
    if -6 < exponent <= 0:
        return sign + "0." + "0" * -exponent + digits
    head = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
    return f"{sign}{head}e{'+' if exponent > 0 else '-'}{abs(exponent - 1)}"


def repr_parts(value):
    """The shortest digits of a float, and where its point stands."""
    mantissa, _, exponent = repr(value).partition("e")
    whole, _, part = mantissa.partition(".")
    digits = whole + part
    point = len(whole) + int(exponent or 0)
    stripped = digits.lstrip("0")
    point -= len(digits) - len(stripped)
    return stripped.rstrip("0") or "0", point


def canonical(value):
    """RFC 8785."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, (int, float)):
        return number(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    names = sorted(value, key=lambda name: name.encode("utf-16-be"))
    return "{" + ",".join(canonical(name) + ":" + canonical(value[name]) for name in names) + "}"


class Keys:
    """Which keys may sign, by their ids, and with which line one gave way."""

    def __init__(self, given):
        self.keys = {key_id_of(key): key for key in given}
        self.retired = {}

    def for_line(self, key_id):
        if key_id not in self.keys:
            raise ValueError("signed by a key that was neither given nor introduced")
        if key_id in self.retired:
            raise ValueError("signed by a key that had given way to another one")
        return self.keys[key_id]

    def for_checkpoint(self, size):
        # The line with which a key gives way may be the last one under a checkpoint of either.
        gone = {key for key, seq in self.retired.items() if size > seq + 1}
        return [key for key_id, key in self.keys.items() if key_id not in gone]

    def change(self, seq, line):
        text = line.get("new_public_key")
        key = unbase64(text.removeprefix("ed25519:"), 32) if isinstance(text, str) else None
        if key is None or key_id_of(key) != line.get("new_key_id"):
            raise ValueError("no key that it introduces")
        self.retired[line["key_id"]] = seq
        self.keys[key_id_of(key)] = key
        self.retired.pop(key_id_of(key), None)


class Log:
    """One log: the files of one writer in a directory."""

    def __init__(self, directory, writer, keys, kept=()):
        self.directory, self.writer, self.keys = directory, writer, Keys(keys)
        self.suffix = f".{writer}" if writer else ""
        self.newest = "checkpoint" + self.suffix
        self.tree, self.prev, self.tenant = Tree(), bytes(32), None
        self.first, self.good, self.lines = None, 0, 0
        self.starts = []
        self.days = {}
        for name in listing(directory, ""):
            found = re.fullmatch(rf"audit-({DAY}){re.escape(self.suffix)}\.ndjson", name)
            if found:
                self.days[found[1]] = name
        self.closing = {}
        for name in listing(directory, "checkpoints"):
            found = re.fullmatch(rf"({DAY}){re.escape(self.suffix)}", name)
            if found:
                self.closing[found[1]] = self.read(f"checkpoints/{name}")
        sizes = [self.closing[day].size for day in sorted(self.closing)]
        if sizes != sorted(sizes):
            raise Bad("checkpoints: the one of a later day is the smaller one")
        all_checkpoints = list(self.closing.values()) + list(kept)
        self.has_newest = os.path.lexists(os.path.join(directory, self.newest))
        if self.has_newest:
            all_checkpoints.append(self.read(self.newest))
        elif self.days or self.closing:
            raise Bad(f"{self.newest}: missing")
        self.left = sorted(all_checkpoints, key=lambda one: one.size)
        self.covered = self.left[-1].size if self.left else 0

    def read(self, name):
        with open_file(self.directory, name) as file:
            return Checkpoint(name, file.read(MAX_NOTE + 1))

    def verify(self):
        closed = None
        for day in sorted(self.days):
            name = self.days[day]
            with open_file(self.directory, name) as file:
                for at, raw in enumerate(iter(lambda: file.readline(MAX_LINE + 2), b""), 1):
                    try:
                        line = self.parse(raw)
                        self.tie(line, day)
                    except (ValueError, RecursionError) as error:
                        raise Bad(f"{name}:{at}: {error}") from None
                    if at == 1:
                        self.seam(day, closed)
                        closed = day
                        self.starts.append((self.tree.size, name))
                    try:
                        self.accept(line, day)
                    except ValueError as error:
                        raise Bad(f"{name}:{at}: {error}") from None
                    self.tree.push(leaf_hash(raw[:-1]))
                    self.prev = sha256(raw[:-1])
                    self.lines += 1
                    self.due()
        self.due()
        if self.left:
            self.left[0].fail(f"the log is shorter: it has {self.tree.size} lines of {self.left[0].size}")
        self.seam(None, None)
        return self.lines

    def parse(self, raw):
        if len(raw) > MAX_LINE + 1:
            raise ValueError("longer than any record")
        if not raw.endswith(b"\n"):
            raise ValueError("the line is incomplete")
        text = raw[:-1].decode()
        line = json.loads(text, object_pairs_hook=no_twins)
        if not isinstance(line, dict) or canonical(line) != text:
            raise ValueError("not in canonical form")
        for name, kind in {
            "seq": int, "prev_sha256": str, "key_id": str, "tenant": str, "ts": str,
        }.items():
            if type(line.get(name)) is not kind:
                raise ValueError(f"`{name}` is missing")
        return line

    def tie(self, line, day):
        if self.first is None:
            self.first = line["seq"]
            if self.first > 0:
                self.resume(min(self.days))
        if line["seq"] != self.tree.size:
            raise ValueError(f"`seq` is {line['seq']} where {self.tree.size} belongs")
        if line["prev_sha256"] != self.prev.hex():
            raise ValueError("`prev_sha256` is not the SHA-256 of the line before")

    def resume(self, oldest):
        """Older days are gone: the log is taken up where the last of them was closed."""
        for day in sorted(self.closing):
            checkpoint = self.closing[day]
            if day < oldest and checkpoint.size == self.first:
                self.tree, self.prev = Tree(checkpoint.edge), checkpoint.last
                for earlier in [one for one in self.closing if one < oldest]:
                    if self.closing.pop(earlier).size > self.first:
                        raise ValueError("an older day ends behind this line")
                self.due()
                return
        raise ValueError("older lines are gone, and the checkpoint that closed them too")

    def accept(self, line, day):
        key = self.keys.for_line(line["key_id"])
        self.tenant = line["tenant"]
        sig = line.pop("sig", None)
        is_change = line.get("event") == "key_change"
        if sig is not None:
            blob = unbase64(sig[8:], 64) if isinstance(sig, str) and sig[:8] == "ed25519:" else None
            if blob is None or not signed(key, canonical(line).encode(), blob):
                raise ValueError("the signature does not fit")
        elif is_change:
            raise ValueError("`sig` is missing")
        elif line["seq"] >= self.covered and not self.is_written():
            raise ValueError("covered by no checkpoint and not signed")
        if is_change:
            self.keys.change(line["seq"], line)
        try:
            written = datetime.date.fromisoformat(line["ts"][:10]).isoformat()
        except ValueError:
            raise ValueError("`ts` is no time") from None
        if written > day:
            raise ValueError("`ts` belongs to a later file")

    def is_written(self):
        """Whether a process holds the lock."""
        try:
            with open_file(self.directory, "lock" + self.suffix) as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return False
        except BlockingIOError:
            return True
        except FileNotFoundError:
            return False

    def seam(self, day, closed):
        """The days before `day` ended where their checkpoints say."""
        size = self.tree.size
        if closed is not None and closed not in self.closing:
            raise Bad(f"checkpoints/{closed}{self.suffix}: missing")
        for before in sorted(self.closing):
            if day is None or before < day:
                checkpoint = self.closing.pop(before)
                if checkpoint.size != size:
                    checkpoint.fail(f"it is for {checkpoint.size} lines, and the day ends with {size}")

    def due(self):
        while self.left and self.left[0].size <= self.tree.size:
            self.check(self.left.pop(0))

    def check(self, checkpoint):
        checkpoint.check_signed(self.keys.for_checkpoint(checkpoint.size))
        if self.tenant is not None:
            if checkpoint.origin != origin_of(self.tenant, self.writer):
                checkpoint.fail("of another log")
        elif writer_of(checkpoint.origin) != (True, self.writer):
            checkpoint.fail("of another log")
        if checkpoint.size == self.tree.size:
            if checkpoint.root != self.tree.root():
                self.name_subtree(checkpoint)
            if checkpoint.last not in (None, self.prev):
                checkpoint.fail("`last` is not the SHA-256 of its last line")
        self.good = max(self.good, checkpoint.size)

    def name_subtree(self, checkpoint):
        """Names the first line that may be the changed one."""
        start = 0
        for (size, ours), (_, theirs) in zip(self.tree.edge, checkpoint.edge):
            if ours != theirs:
                seq = max(start, self.good)
                first, name = [one for one in self.starts if one[0] <= seq][-1]
                more = start + size - seq - 1
                raise Bad(
                    f"{name}:{seq - first + 1}: the line, or one of {more} behind it, is not the one "
                    f"that {checkpoint.place} covers"
                )
            start += size
        checkpoint.fail("its root is another one")


def writer_of(origin):
    parts = origin.split("/")
    if parts[0] != "sec0-audit" or len(parts) not in (2, 3):
        return False, None
    return True, parts[2] if len(parts) == 3 else None


def listing(directory, folder):
    try:
        return sorted(os.listdir(os.path.join(directory, folder)))
    except FileNotFoundError:
        return []


def open_file(directory, name):
    # Links are not followed.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    return os.fdopen(os.open(os.path.join(directory, name), flags), "rb")


def verify_dir(directory, keys, kept=()):
    """Verifies every log in a directory; the number of lines."""
    writers = set()
    for name in listing(directory, ""):
        found = re.fullmatch(rf"audit-{DAY}(?:\.({WRITER}))?\.ndjson", name)
        found = found or re.fullmatch(rf"checkpoint(?:\.({WRITER}))?", name)
        if found and (not name.startswith("checkpoint.") or says_so(directory, name, found[1])):
            writers.add(found[1])
    for name in listing(directory, "checkpoints"):
        found = re.fullmatch(rf"{DAY}(?:\.({WRITER}))?", name)
        if found and (not found[1] or says_so(directory, f"checkpoints/{name}", found[1])):
            writers.add(found[1])
    for checkpoint in kept:
        is_ours, writer = writer_of(checkpoint.origin)
        if not is_ours:
            checkpoint.fail("of no log of sec0")
        writers.add(writer)
    lines = 0
    for writer in sorted(writers, key=str):
        own = [one for one in kept if writer_of(one.origin)[1] == writer]
        lines += Log(directory, writer, keys, own).verify()
    return lines


def says_so(directory, name, writer):
    try:
        with open_file(directory, name) as file:
            return writer_of(Checkpoint(name, file.read(MAX_NOTE + 1)).origin) == (True, writer)
    except Bad:
        return False


def verify_proof(data, key, line=None, origin=None):
    """Verifies a proof; its line and the checkpoint that covers it."""
    if b"\n\n" not in data:
        raise Bad("proof: no checkpoint")
    head, note = data.split(b"\n\n", 1)
    lines = head.decode().split("\n")
    if lines.pop(0) != "c2sp.org/tlog-proof@v1":
        raise Bad("proof: of another format")
    if lines and lines[0].startswith("extra "):
        extra = unbase64(lines.pop(0)[6:])
        line = extra if line is None else line
    found = re.fullmatch("index (0|[1-9][0-9]{0,18})", lines.pop(0) if lines else "")
    path = [unbase64(text, 32) for text in lines]
    if not found or None in path or len(path) > 63:
        raise Bad("proof: malformed")
    if line is None:
        raise Bad("proof: it does not carry its line, and none was given")
    checkpoint = Checkpoint("proof", note)
    if origin is not None and checkpoint.origin != origin:
        checkpoint.fail("of another log")
    checkpoint.check_signed([key])
    if root_by_path(leaf_hash(line), int(found[1]), checkpoint.size, path) != checkpoint.root:
        raise Bad("proof: the line is not in the log")
    return line, checkpoint


def read_key(path):
    with open(path, encoding="ascii") as file:
        key = unbase64(file.read().strip().removeprefix("ed25519:"), 32)
    if key is None:
        sys.exit(f"{path}: no public key in base64")
    return key


def golden(directory):
    """Checks that every log under `directory` gets its verdict."""
    key = read_key(os.path.join(directory, "key.pub"))
    passed = failed = 0
    with open(os.path.join(directory, "verdicts.jsonl"), encoding="utf-8") as file:
        rows = [json.loads(row) for row in file]
    for row in rows:
        try:
            if "proof" in row:
                with open(os.path.join(directory, row["proof"]), "rb") as file:
                    verify_proof(file.read(), key)
                found = {}
            else:
                kept = []
                if "kept" in row:
                    with open(os.path.join(directory, row["kept"]), "rb") as file:
                        kept = [Checkpoint("kept", file.read(MAX_NOTE + 1), True)]
                found = {"lines": verify_dir(os.path.join(directory, row["log"]), [key], kept)}
            is_right = row["holds"] and found.get("lines") == row.get("lines")
        except Bad as bad:
            found = str(bad)
            is_right = not row["holds"] and found.startswith(row.get("first_bad", ""))
        passed, failed = passed + is_right, failed + (not is_right)
        if not is_right:
            print(f"wrong: {json.dumps(row)}: {found}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


def main():
    parser = argparse.ArgumentParser(description="Verifies audit logs of sec0, and proofs.")
    parser.add_argument("dir", nargs="?")
    parser.add_argument("--public-key", action="append", default=[])
    parser.add_argument("--checkpoint", action="append", default=[])
    parser.add_argument("--proof")
    parser.add_argument("--line")
    parser.add_argument("--origin")
    parser.add_argument("--golden")
    options = parser.parse_args()
    if options.golden:
        return golden(options.golden)
    if not options.public_key or (options.dir is None) == (options.proof is None):
        parser.error("give a directory or a proof, and a public key")
    keys = [read_key(path) for path in options.public_key]
    try:
        if options.proof:
            line = None
            if options.line:
                with open(options.line, "rb") as file:
                    line = file.read().removesuffix(b"\n")
            with open(options.proof, "rb") as file:
                line, checkpoint = verify_proof(file.read(), keys[0], line, options.origin)
            print(line.decode())
            print(f"in {checkpoint.origin}, of {checkpoint.size} lines")
            return 0
        kept = []
        for path in options.checkpoint:
            with open(path, "rb") as file:
                kept.append(Checkpoint(path, file.read(MAX_NOTE + 1), True))
        print(f"{verify_dir(options.dir, keys, kept)} lines hold")
        return 0
    except Bad as bad:
        print(bad, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
