"""Confinement of a process, which drops its privileges before it reads an untrusted file.

Restrictions that the kernel refuses, as in many containers, are skipped and reported. Nothing here is undone.
"""

import ctypes
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

PR_SET_NO_NEW_PRIVS = 38
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
CAPABILITY_VERSION = 0x20080522
LANDLOCK_CREATE_RULESET, LANDLOCK_ADD_RULE, LANDLOCK_RESTRICT_SELF = 444, 445, 446
LANDLOCK_QUERY_VERSION, LANDLOCK_RULE_PATH_BENEATH = 1, 1
READ_FILE, READ_DIR = 1 << 2, 1 << 3
FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}
"""Number of file rights (read, write, execute, remove, ...) by the first version of Landlock that has them."""
NETWORK_SINCE, SCOPES_SINCE = 4, 6
ALL = 0b11
"""All network rights (bind and connect), and all scopes (abstract Unix sockets and signals)."""


class Refused(Exception):
    """The kernel refused a restriction."""


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def confine(readable: Sequence[Path] = (), libc: Any = None) -> list[str]:
    """Drop new privileges, the network, capabilities and access to all files that are not open yet.

    Args:
        readable: folders whose files remain readable, such as those of code that is imported later.
        libc: the C library; replaced in tests.

    Returns:
        The restrictions that failed, each with the kernel's reason.
    """
    if not sys.platform.startswith("linux"):
        return [f"anything: {sys.platform} is not known here"]
    kernel = libc or ctypes.CDLL(None, use_errno=True)
    steps: dict[str, Callable[[Any], None]] = {
        "new privileges": _no_new_privileges,
        "the network": _no_network,
        "capabilities": _no_capabilities,
        "files": partial(_no_files, readable),
    }
    failed = []
    for what, step in steps.items():
        try:
            step(kernel)
        except (Refused, AttributeError) as error:  # a C library may lack a function
            failed.append(f"{what} ({error})")
    return failed


def _no_new_privileges(kernel: Any) -> None:
    _check(kernel.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def _no_network(kernel: Any) -> None:
    """Enter an empty network namespace, with a new user namespace because that needs no privileges.

    From there, neither the memory nor the environment of processes outside can be read.
    """
    _check(kernel.unshare(CLONE_NEWUSER | CLONE_NEWNET))


def _no_capabilities(kernel: Any) -> None:
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    _check(kernel.capset(header, (ctypes.c_uint32 * 6)()))


def _no_files(readable: Sequence[Path], kernel: Any) -> None:
    """Restrict file access by Landlock (https://docs.kernel.org/userspace-api/landlock.html)."""
    version = kernel.syscall(LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), LANDLOCK_QUERY_VERSION)
    _check(version)
    rights = (1 << max(count for since, count in FILE_RIGHTS.items() if since <= version)) - 1
    handled = [rights, *([ALL] if version >= NETWORK_SINCE else []), *([ALL] if version >= SCOPES_SINCE else [])]
    attributes = (ctypes.c_uint64 * len(handled))(*handled)
    ruleset = kernel.syscall(LANDLOCK_CREATE_RULESET, attributes, ctypes.c_size_t(ctypes.sizeof(attributes)), 0)
    _check(ruleset)
    try:
        for folder in readable:
            _allow_reading(kernel, ruleset, folder)
        _check(kernel.syscall(LANDLOCK_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)


def _allow_reading(kernel: Any, ruleset: int, folder: Path) -> None:
    beneath = os.open(folder, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = _PathBeneath(READ_FILE | READ_DIR, beneath)
        _check(kernel.syscall(LANDLOCK_ADD_RULE, ruleset, LANDLOCK_RULE_PATH_BENEATH, ctypes.byref(rule), 0))
    finally:
        os.close(beneath)


def _check(result: int) -> None:
    if result < 0:
        raise Refused(os.strerror(ctypes.get_errno()))
