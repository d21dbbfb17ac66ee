"""The arrows between the packages: conductor -> {streaming, model} -> kernels, and what stays free of torch and pyo."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("conductor", "model", "kernels", "streaming")
ARROWS = {
    "conductor": {"conductor", "streaming", "model"},
    "streaming": {"streaming", "model", "kernels"},
    "model": {"model", "kernels"},
    "kernels": {"kernels"},
}
# What sound and picture may know of the model: the language of music, not the network.
MODEL_FOR_STREAMING = {"model.controls", "model.notes", "model.instruments"}
# Seconds to load, and threads of their own.
HEAVY = {"torch", "pyo", "pyo64"}
# The process that decides, and what it is made of: if it needed torch it would not be up in a second,
# and if it needed pyo a fault in the sound could end it.
DAEMON = (
    "conductor.chat.room",
    "conductor.cli",
    "conductor.clock",
    "conductor.cues",
    "conductor.library",
    "conductor.logs",
    "conductor.setlist",
    "conductor.show.show",
    "conductor.wire",
    "conductor.workers",
    "conductor.console.server",
    "conductor.commands.show",
    "streaming.obs.director",
)
# A player that waits for torch misses its first note; a feed that loads pyo shares its faults.
WORKERS = {
    "conductor.player": {"torch"},
    "conductor.feed": {"torch", "pyo", "pyo64"},
    "conductor.midi_out": {"torch", "pyo", "pyo64"},
    "conductor.composer": {"pyo"},
}


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path, *, anywhere: bool = True) -> set[str]:
    """Return the full names of the modules a file imports; not `anywhere`: only when it is itself imported."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    skipped: set[ast.AST] = set()
    if not anywhere:
        for node in ast.walk(tree):
            inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            for_types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
            if inside or for_types:
                skipped.update(ast.walk(node))
    found: set[str] = set()
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute in this house"
            assert node.module is not None
            found.add(node.module)
            # `from model import notes` imports a module, `from model.notes import Note` does not.
            found.update(
                f"{node.module}.{alias.name}" for alias in node.names if _is_module(f"{node.module}.{alias.name}")
            )
    return found


def _is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_import_only_along_the_arrows(package: str) -> None:
    files = sources(package)
    assert files
    wrong = [
        f"{name_of(path)} imports {name}"
        for path in files
        for name in imported(path)
        if name.split(".")[0] in PACKAGES and name.split(".")[0] not in ARROWS[package]
    ]
    assert not wrong


def test_streaming_knows_of_the_model_only_notes_controls_and_instruments() -> None:
    used = [(name_of(path), name) for path in sources("streaming") for name in imported(path) if name[:6] == "model."]
    assert used, "streaming plays notes"
    assert not [f"{user} imports {name}" for user, name in used if name not in MODEL_FOR_STREAMING]


def test_nothing_but_the_tests_imports_the_tests() -> None:
    files = [path for package in PACKAGES for path in sources(package)]
    assert not [name_of(path) for path in files if any(n.split(".")[0] == "tests" for n in imported(path))]


def test_no_package_imports_itself_in_a_circle() -> None:
    names = {name_of(path): path for package in PACKAGES for path in sources(package)}
    arrows = {name: imported(path, anywhere=False) & names.keys() - {name} for name, path in names.items()}
    open_, done = list[str](), set[str]()

    def visit(name: str) -> None:
        assert name not in open_, " -> ".join([*open_[open_.index(name) :], name])
        if name in done:
            return
        open_.append(name)
        for other in sorted(arrows[name]):
            visit(other)
        open_.pop()
        done.add(name)

    for name in names:
        visit(name)
    assert done == names.keys()


@pytest.mark.parametrize("module", DAEMON)
def test_the_conductor_imports_neither_torch_nor_pyo(module: str) -> None:
    names = {name_of(path): path for package in PACKAGES for path in sources(package)}
    assert module in names
    waiting, seen = [module], set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        found = imported(names[name], anywhere=False)
        assert not {n.split(".")[0] for n in found} & HEAVY, f"{name}, which {module} needs"
        waiting.extend(found & names.keys())


def loaded(*modules: str) -> set[str]:
    """Return the top-level names that are loaded after an import in a process of its own."""
    code = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, *modules], cwd=ROOT, capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stdout.split()}


def test_a_process_that_imports_the_conductor_has_loaded_neither() -> None:
    assert "aiohttp" in loaded(*DAEMON), "the console is among it"
    assert not loaded(*DAEMON) & HEAVY


@pytest.mark.parametrize("module", WORKERS)
def test_a_worker_loads_only_what_is_its_own(module: str) -> None:
    assert not loaded(module) & WORKERS[module]
