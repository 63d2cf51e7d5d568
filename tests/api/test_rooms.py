"""Imports go one way through the package's rooms, and no two modules share a name."""

import ast
import collections

import pytest

from tests.conftest import ROOT

#: Room -> the rooms that it may import. Commands stand above them all.
MAY_IMPORT = {
    "errors": set(),
    "files": set(),
    "progress": set(),
    "runtime": set(),
    "geometry": set(),
    "layers": {"geometry"},
    "optimizers": {"geometry"},
    "data": {"errors"},
    "models": {"errors", "geometry", "layers", "optimizers", "data"},
    "kernels": {"errors", "files", "geometry", "optimizers", "data", "models"},
    "evaluation": {"errors", "geometry", "data", "models"},
    "serving": {"errors", "files", "geometry", "data", "models"},
}
_LIBRARY = set(MAY_IMPORT)
MAY_IMPORT["training"] = _LIBRARY
MAY_IMPORT["reproduction"] = _LIBRARY | {"training"}
MAY_IMPORT["command_line"] = {
    "errors",
    "kernels",
    "runtime",
    "training",
    "reproduction",
}
COMMANDS = {
    *("benchmark", "evaluate", "export", "recommend", "replicate", "report"),
    *("reproduce", "search", "serve", "train", "vectors"),
}
PACKAGES = ("hyperml_tf", "data_prep")


def modules(package):
    """(room, path) of every module of a package."""
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT / package).with_suffix("").parts
        yield parts[0], path


def imported(path):
    """Dotted names of what a module imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def rooms_imported(path, package):
    names = (name.split(".") for name in imported(path))
    return {parts[1] for parts in names if parts[0] == package and len(parts) > 1}


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_a_room_imports_only_the_rooms_above_it(room):
    found = [path for name, path in modules("hyperml_tf") if name == room]
    assert found
    for path in found:
        below = rooms_imported(path, "hyperml_tf") - {room} - MAY_IMPORT[room]
        assert not below, f"{path.relative_to(ROOT)} imports {below}"


def test_every_module_is_in_a_room_or_a_command():
    rooms = {room for room, _ in modules("hyperml_tf")}
    assert rooms == MAY_IMPORT.keys() | COMMANDS | {"__init__"}


def test_preparation_never_imports_the_library():
    for _, path in modules("data_prep"):
        assert not any(name.startswith("hyperml_tf") for name in imported(path)), path


def test_the_library_takes_only_the_splitting_of_tables_from_preparation():
    for room, path in modules("hyperml_tf"):
        if any(name.startswith("data_prep") for name in imported(path)):
            assert (room, path.name) == ("data", "frames.py")


def test_only_one_module_imports_tensorflow_recommenders():
    who = [
        path.relative_to(ROOT).as_posix()
        for _, path in modules("hyperml_tf")
        if any(name.startswith("tensorflow_recommenders") for name in imported(path))
    ]
    assert who == ["hyperml_tf/serving/tfrs.py"]


@pytest.mark.parametrize("package", PACKAGES)
def test_no_two_modules_of_a_package_share_a_name(package):
    names = collections.Counter(
        path.stem for _, path in modules(package) if path.stem != "__init__"
    )
    assert not [name for name, count in names.items() if count > 1]
