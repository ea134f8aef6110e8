"""The resident memory of this process on Linux: now, and its peak, which can be measured again from any moment on.

`ru_maxrss` cannot be reset, and a child begins with its parent's. Only the standard library is imported, because any
environment of a peer imports this module.
"""

from pathlib import Path

_SELF = Path("/proc/self")
_RESET_PEAK = "5"
"""https://man7.org/linux/man-pages/man5/proc_pid_clear_refs.5.html"""
MIB = 2**20


def now_mb() -> int:
    """Return the memory that is resident now."""
    return _mb("VmRSS")


def peak_mb() -> int:
    """Return the peak since the process began, or since `reset_peak`."""
    return _mb("VmHWM")


def reset_peak() -> None:
    """Let the peak be that of the time from now on."""
    (_SELF / "clear_refs").write_text(_RESET_PEAK, "ascii")


def _mb(name: str) -> int:
    lines = (_SELF / "status").read_text("ascii", errors="replace").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) * 1024 // MIB
