"""What is installed is what is listed; nothing that is loaded can execute itself."""

import ast
import importlib.metadata
import pathlib
import re
import sys

import pytest
from packaging.requirements import Requirement

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

ROOT = pathlib.Path(__file__).parents[1]
PACKAGES = ("hyperml_tf", "data_prep", "run_configs")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT, SETUPTOOLS = PYPROJECT["project"], PYPROJECT["tool"]["setuptools"]
OURS = {"hyperml_tf", "data_prep", "tests"}
#: Listed for the sake of another: see the reason in pyproject.toml; run as commands.
NOT_IMPORTED = {"setuptools"}, {"pytest-xdist", "ruff", "mypy"}
#: What can execute the file that it reads.
UNSAFE = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def listed(requirements):
    """{name: versions that are taken}."""
    parsed = map(Requirement, requirements)
    return {canonical(need.name): need.specifier for need in parsed}


def locked_versions():
    """{name: version} of requirements.txt."""
    text = (ROOT / "requirements.txt").read_text()
    pins = re.findall(r"^([\w.-]+)==([\w.]+)", text, re.MULTILINE)
    return {canonical(name): version for name, version in pins}


DIRECT = listed(PROJECT["dependencies"])
OPTIONAL = {k: listed(v) for k, v in PROJECT["optional-dependencies"].items()}


def trees(*folders):
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT), ast.parse(path.read_text())


def imported(*folders):
    """Top-level names of all imports, those inside functions included."""
    names = set()
    for _, tree in trees(*folders):
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add(node.module.split(".")[0])
    return names


def distributions(names):
    installed = importlib.metadata.packages_distributions()
    foreign = names - OURS - set(sys.stdlib_module_names)
    return {canonical(installed.get(name, [name])[0]) for name in foreign}


def test_the_packages_import_what_they_list_and_nothing_else():
    extras = OPTIONAL["ray"] | OPTIONAL["serve"]
    assert distributions(imported(*PACKAGES)) == (
        DIRECT.keys() - NOT_IMPORTED[0] | extras.keys()
    )


def test_the_tests_import_what_is_listed():
    # The two that this file uses are what pytest itself requires.
    used = distributions(imported("tests")) - {"tomli", "packaging"}
    used -= DIRECT.keys() | OPTIONAL["serve"].keys()
    assert used == OPTIONAL["test"].keys() - NOT_IMPORTED[1]


def test_requirements_are_exact_hashed_and_hold_everything_listed():
    text = (ROOT / "requirements.txt").read_text()
    lines = text.replace("\\\n", " ").strip().splitlines()
    for line in lines:
        _, *hashes = line.split()
        assert hashes, line
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", h) for h in hashes)
    locked = locked_versions()
    assert len(locked) == len(lines)
    for name, versions in (DIRECT | OPTIONAL["test"] | OPTIONAL["serve"]).items():
        assert versions.contains(locked[name]), name


def test_requirements_are_complete():
    """Whatever an installed requirement requires is one too, at a version it takes."""
    locked = locked_versions()
    for name in locked:
        try:
            needs = importlib.metadata.requires(name) or ()
        except importlib.metadata.PackageNotFoundError:
            continue  # of another Python
        for need in map(Requirement, needs):
            if need.marker is None or need.marker.evaluate({"extra": ""}):
                assert need.specifier.contains(locked[canonical(need.name)]), need


def test_the_wheel_carries_every_package_and_run_configs():
    packages = set(SETUPTOOLS["packages"])
    folders = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for package in PACKAGES[:2]
        for path in (ROOT / package).rglob("__init__.py")
    }
    assert packages == folders | {"hyperml_tf.run_configs"}
    assert SETUPTOOLS["package-dir"] == {"hyperml_tf.run_configs": "run_configs"}


@pytest.mark.parametrize("command", ["run_all.sh", ".ci/run"])
def test_what_installs_insists_on_the_hashes(command):
    text = (ROOT / command).read_text()
    installs = [line for line in text.splitlines() if "pip install" in line]
    assert all("--require-hashes -r requirements.txt" in line for line in installs)
    assert installs or "run_all.sh test" in text


def test_nothing_that_could_execute_a_file_is_used_to_read_one():
    assert not imported(*PACKAGES) & UNSAFE
    for path, tree in trees(*PACKAGES):
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            name = ast.unparse(call.func)
            where = f"{path}:{call.lineno}: {name}"
            if name in ("np.load", "np.fromfile", "pd.read_pickle"):
                given = {word.arg: ast.unparse(word.value) for word in call.keywords}
                assert given.get("allow_pickle") == "False", where
            # A Keras file may hold Python code; a SavedModel holds graphs.
            assert not name.endswith("load_model"), where
