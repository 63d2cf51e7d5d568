"""The commit that a run records is that of the code, or unknown."""

import subprocess

import pytest

from hyperml_tf.training import environment


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with one commit; git and the file that it is asked about."""

    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        command = ["git", *identity, *arguments]
        return subprocess.run(
            command, cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout.strip()

    file = tmp_path / "lib/package/environment.py"
    file.parent.mkdir(parents=True)
    file.write_text("")
    (tmp_path / ".gitignore").write_text(".venv\n")
    monkeypatch.setattr(environment, "__file__", str(file))
    git("init", "--quiet")
    git("add", ".gitignore")
    git("commit", "--quiet", "--message=One")
    return git, file


@pytest.mark.parametrize("ignored", [True, False])
def test_a_repository_that_only_lies_above_the_package_is_not_meant(
    repository, ignored
):
    _, file = repository
    if ignored:
        (file.parents[2] / ".gitignore").write_text("lib\n")
    assert environment._commit() == "unknown"


def test_the_packages_own_repository_is_meant(repository):
    git, file = repository
    git("add", ".")
    git("commit", "--quiet", "--message=Two")
    commit = git("rev-parse", "--short=12", "HEAD")
    assert environment._commit() == commit
    file.write_text("changed")
    assert environment._commit() == f"{commit}-dirty"


def test_outside_git_it_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "__file__", str(tmp_path / "environment.py"))
    assert environment._commit() == "unknown"
