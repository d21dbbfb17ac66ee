"""The compiled decoder: built once for a machine, found again after that.

The source is compiled for the very processor it will run on, into the user's
cache folder, under a name that tells source, compiler and processor. `make
setup` does it; where it has not been done, the first who needs it does. Where
there is no compiler there is no such decoder, and torch composes.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import logging
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from kernels.errors import BuildError

log = logging.getLogger(__name__)

_FILES = ("decoder.cpp", "attention.h", "matrix.h", "sampling.h", "tiles.h", "lines.h")
SOURCES = tuple(Path(__file__).parent / name for name in _FILES)
# No rule about types of pointers: lines are written as numbers and read as vectors.
FLAGS = ("-std=c++17", "-O3", "-fno-math-errno", "-fno-trapping-math", "-fno-strict-aliasing", "-shared", "-fPIC")
NATIVE = "-march=native"

_POINTER, _INT = ctypes.c_void_p, ctypes.c_int32
_FACE = {
    "decoder_new": ([_POINTER, _POINTER, _INT], _POINTER),
    "decoder_free": ([_POINTER], None),
    "decoder_layer": ([_POINTER, _INT, *[_POINTER] * 7], None),
    "decoder_tables": ([_POINTER, _POINTER, _INT, _POINTER, _POINTER, _POINTER], None),
    "decoder_means": ([_POINTER], _INT),
    "session_new": ([_POINTER, _INT, _INT, _INT], _POINTER),
    "session_free": ([_POINTER], None),
    "session_share": ([_POINTER, _INT], None),
    "sample": ([_INT, _INT, *[_POINTER] * 4, ctypes.c_int64, ctypes.c_int64, _POINTER, _POINTER], None),
    "log_sum_exp": ([_INT, _INT, *[_POINTER] * 3], None),
    "session_run": ([_POINTER, _INT, *[_POINTER] * 4, _INT, _POINTER, _POINTER], _INT),
}


def compiler() -> str | None:
    """Return the C++ compiler: $CXX, else the first found."""
    for name in (os.environ.get("CXX", ""), "g++", "clang++", "c++"):
        if name and shutil.which(name):
            return name
    return None


def _processor() -> str:
    """Return what the processor can, as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return "\n".join(sorted({line for line in lines if line.startswith(("flags", "Features", "model name"))}))


def _folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "conductor"


def build(target: str = NATIVE, folder: Path | None = None) -> Path:
    """Compile the decoder, if it is not there yet; return the library.

    Args:
        target: the compiler's flag for the processor.
        folder: where it is kept; None for the user's cache folder.

    Raises:
        BuildError: there is no compiler, or it failed.
    """
    name = compiler()
    if name is None:
        raise BuildError("there is no C++ compiler (apt-get install g++)")
    digest = hashlib.sha256("\n".join([_processor(), name, target, *FLAGS]).encode())
    for source in SOURCES:
        digest.update(source.read_bytes())
    path = (folder or _folder()) / f"decoder-{digest.hexdigest()[:16]}.so"
    if path.exists():
        return path
    partial = path.with_suffix(f".{os.getpid()}")
    command = [name, *FLAGS, *target.split(), "-o", str(partial), str(SOURCES[0])]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if done.returncode:
            partial.unlink(missing_ok=True)
            said = done.stderr.strip().splitlines()
            raise BuildError(f"{name} failed: {said[0] if said else done.returncode}")
        partial.replace(path)
    except (OSError, subprocess.SubprocessError) as error:
        raise BuildError(f"{path}: cannot be built ({error})") from error
    return path


def opened(path: Path) -> ctypes.CDLL:
    """Return a compiled library with its functions typed.

    Raises:
        BuildError: it cannot be loaded.
    """
    try:
        library = ctypes.CDLL(str(path))
        for name, (arguments, result) in _FACE.items():
            function = getattr(library, name)
            function.argtypes, function.restype = arguments, result
    except (OSError, AttributeError) as error:
        raise BuildError(f"{path}: cannot be loaded ({error})") from error
    return library


@functools.cache
def library() -> ctypes.CDLL | None:
    """Return the decoder for this machine, or None, said once, where there can be none."""
    try:
        return opened(build())
    except BuildError as error:
        log.warning("composing is slower than it could be: %s; torch decodes instead", error)
        return None


if __name__ == "__main__":
    # For setup: no failure, as torch composes where this does not.
    try:
        build()
    except BuildError as problem:
        print(f"setup: {problem}; composing will be slower", file=sys.stderr)
