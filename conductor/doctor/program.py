"""What the program is made of: Python, torch, the decoder, the model's files, pyo, codecs, fonts."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from conductor.doctor.finding import Finding, ProbeError, probe

_REINSTALL = "make setup"
_VERSIONS = ((3, 11), (3, 12))

_TORCH = """
import json, torch
cuda = torch.cuda.get_device_name(0) if torch.cuda.is_available() else ""
able = torch.backends.cpu.get_cpu_capability()
print(json.dumps({"version": torch.__version__, "able": able, "threads": torch.get_num_threads(), "cuda": cuda}))
"""
_DECODER = """
import json
from kernels.errors import BuildError
from kernels.native.library import build, opened
try:
    path = build()
    opened(path)
    print(json.dumps({"path": str(path)}))
except BuildError as error:
    print(json.dumps({"problem": str(error)}))
"""
_PYO = """
import json, os
os.environ["PYO_GUI_WX"] = "0"
import pyo64
server = pyo64.Server(sr=48000, nchnls=2, buffersize=256, duplex=0, audio="manual").boot().start()
server.process()
print(json.dumps({"version": ".".join(map(str, pyo64.getVersion()))}), flush=True)
os._exit(0)
"""
_MODELS = {
    "checkpoint": (
        "from model.network.checkpoint import SHIPPED, read_card\n"
        "card = read_card(SHIPPED)\n"
        "told = [str(SHIPPED), f'{sum(card.styles.values()):,} pieces, {len(card.styles)} styles']"
    ),
    "critic": (
        "from model.critic.network import SHIPPED_CRITIC\nfrom safetensors import safe_open\n"
        "told = [str(SHIPPED_CRITIC), f'{len(list(safe_open(SHIPPED_CRITIC, \"pt\").keys()))} tensors']"
    ),
    "index": (
        "import numpy as np\nfrom model.gate.gate import SHIPPED_INDEX\n"
        "told = [str(SHIPPED_INDEX), f'{sum(len(v) for v in np.load(SHIPPED_INDEX).values() if v.ndim):,} rows']"
    ),
}
_WITHOUT = {
    "critic": "takes are chosen by their measures alone",
    "index": "nothing is compared with the music the model was trained on",
}
_CODECS = {"libx264": "video", "aac": "sound of MP4 and RTMP", "libopus": "sound of the web preview", "flac": "FLAC"}
_VP8 = "libvpx"
_SCRIPTS = (
    ("letters", "A", "missing", "apt-get install fonts-dejavu-core"),
    ("Chinese, Japanese, Korean", "音", "note", "apt-get install fonts-noto-cjk"),
    ("emoji", "🎵", "note", "apt-get install fonts-noto-color-emoji"),
)


def python() -> Iterator[Finding]:
    """Python itself."""
    text = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] in _VERSIONS:
        yield Finding("python", "good", text)
    else:
        known = " or ".join(".".join(map(str, version)) for version in _VERSIONS)
        yield Finding("python", "missing", f"{text}; it needs {known}", f"make setup PYTHON=python{known[:4]}")


def torch() -> Iterator[Finding]:
    """What composes."""
    try:
        found = probe(_TORCH)
    except ProbeError as error:
        yield Finding("torch", "missing", f"does not start: {error}", _REINSTALL)
        return
    yield Finding("torch", "good", f"{found['version']}, {found['able']}, {found['threads']} threads")
    if found["cuda"]:
        yield Finding("GPU", "good", str(found["cuda"]))


def decoder() -> Iterator[Finding]:
    """The compiled decoder."""
    try:
        found = probe(_DECODER)
    except ProbeError as error:
        found = {"problem": str(error)}
    if "path" in found:
        yield Finding("decoder", "good", f"compiled for this processor ({found['path']})")
    else:
        text = f"{found['problem']}; torch composes in its place, slower"
        yield Finding("decoder", "note", text, "apt-get install g++, then make setup")


def models() -> Iterator[Finding]:
    """The files that the composer reads."""
    for name, code in _MODELS.items():
        try:
            path, text = probe(f"import json\n{code}\nprint(json.dumps({{'told': told}}))")["told"]
        except ProbeError as error:
            without = _WITHOUT.get(name)
            text = f"cannot be read: {error}" + (f"; {without}" if without else "")
            yield Finding(name, "note" if without else "missing", text, "git checkout model/checkpoints")
        else:
            yield Finding(name, "good", f"{path} ({text})")


def pyo() -> Iterator[Finding]:
    """What sounds."""
    try:
        yield Finding("pyo", "good", str(probe(_PYO)["version"]))
    except ProbeError as error:
        yield Finding("pyo", "missing", f"does not start: {error}", f"apt-get install libasound2, then {_REINSTALL}")


def codecs() -> Iterator[Finding]:
    """What encodes picture and sound."""
    import av

    lacking = [f"{name} ({what})" for name, what in _CODECS.items() if not _writes(name)]
    text = f"PyAV {av.__version__}"
    if lacking:
        yield Finding("codecs", "missing", f"{text} cannot write {', '.join(lacking)}", _REINSTALL)
    else:
        yield Finding("codecs", "good", f"{text}: {', '.join([*_CODECS, *([_VP8] if _writes(_VP8) else [])])}")


def _writes(name: str) -> bool:
    import av

    try:
        av.codec.Codec(name, "w")
    except ValueError:
        return False
    return True


def fonts() -> Iterator[Finding]:
    """What titles are drawn with."""
    import skia

    manager = skia.FontMgr()
    for what, character, state, advice in _SCRIPTS:
        face = manager.matchFamilyStyleCharacter("", skia.FontStyle.Normal(), ["en"], ord(character))
        if face is not None:
            yield Finding("fonts", "good", f"{what}: {face.getFamilyName()}")
        elif state == "missing":
            yield Finding("fonts", "missing", f"{what}: none; titles would not be seen", advice)
        else:
            yield Finding("fonts", "note", f"{what}: none; they are left out of titles", advice)
