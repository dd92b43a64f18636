"""A server on HTTP that says its URL in its first line and ends when it is told to."""

import os
import select
import signal
import subprocess
import sys
from contextlib import contextmanager

PATIENCE = 60


def end_with_children():
    """Has SIGTERM end this process as an exception does, so that it ends what it has started."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


@contextmanager
def serving(command, errors=subprocess.DEVNULL):
    """Gives the server's URL; on the way out the server must end well."""
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors)
    try:
        yield first_line(server)
        server.send_signal(signal.SIGTERM)
        status = server.wait(PATIENCE)
        if status != 0:
            raise RuntimeError(f"the server ended with {status}: {command[0]}")
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()


def first_line(server):
    ready, _, _ = select.select([server.stdout], [], [], PATIENCE)
    line = server.stdout.readline().decode().strip() if ready else ""
    if not line:
        raise RuntimeError("the server did not say its URL")
    return line


def run(command, **options):
    """Runs a command in a group of its own, all of which ends with it."""
    process = subprocess.Popen(command, start_new_session=True, **options)
    try:
        return process.wait(10 * PATIENCE)
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
