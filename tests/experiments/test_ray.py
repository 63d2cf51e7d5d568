"""Runs on a Ray cluster of two workers. Ray is optional: pip install '.[ray]'."""

import json

import pytest

from hyperml_tf.errors import InputError
from hyperml_tf.experiments import executors


def test_without_ray_one_line_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(InputError, match=r"pip install '\.\[ray\]'"):
        executors.make("ray", None, 1, str(tmp_path), str(tmp_path), "auto")


@pytest.mark.slow
def test_two_ray_workers_give_the_metrics_of_local_processes(
    command, data_dir, tmp_path
):
    pytest.importorskip("ray", reason="Ray is optional and not installed")
    flags = [
        *("--datasets=tiny", "--models=hyperml", "--seeds=2", "--epochs=2"),
        *("--eval_every=1", f"--data_dir={data_dir}"),
    ]
    for executor in ("local", "ray"):
        done = command(
            *("hyperml_tf.replicate", *flags, f"--executor={executor}"),
            f"--runs_dir={tmp_path / executor}",
        )
        assert done.returncode == 0, done.stdout + done.stderr
    local, ray = (
        {
            str(path.relative_to(tmp_path / executor)): json.loads(path.read_text())[
                "test"
            ]
            for path in (tmp_path / executor).rglob("metrics.json")
        }
        for executor in ("local", "ray")
    )
    assert local == ray and len(ray) == 2
