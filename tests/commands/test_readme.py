"""The README's own words, run as printed."""

import collections
import os
import pathlib
import re
import shlex
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

ROOT = pathlib.Path(__file__).parents[2]


def commands():
    """The commands of "Your own clicks", each as a list of words."""
    text = (ROOT / "README.md").read_text()
    section = text.split("## Your own clicks")[1].split("\n## ")[0]
    blocks = "".join(re.findall(r"```bash\n(.*?)```", section, flags=re.DOTALL))
    lines = blocks.replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines]


def shop(folder):
    """A shop with the columns that the README names."""
    rng = np.random.default_rng(0)
    users, items = np.repeat(np.arange(40), 8), rng.integers(0, 30, 320)
    times = pd.date_range("2024-01-01", periods=320, freq="h")
    clicks = {
        "customer": [f"c{user:05d}" for user in users],
        "article": [f"SKU-{item:04d}" for item in items],
        "event_time": rng.permutation(times.strftime("%Y-%m-%dT%H:%M:%S")),
    }
    pd.DataFrame(clicks).to_csv(folder / "clicks.csv", index=False)
    names = {
        "article": [f"SKU-{item:04d}" for item in range(30)],
        "name": [f"Lamp {item}" for item in range(30)],
        "category": ["lights"] * 30,
    }
    pd.DataFrame(names).to_csv(folder / "products.csv", index=False)
    (folder / "basket.txt").write_text("SKU-0003\nSKU-0007\n")


@pytest.mark.slow
def test_the_commands_for_ones_own_clicks_work_as_printed(tmp_path):
    shop(tmp_path)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    run_folder, answers = "", collections.defaultdict(str)
    for words in commands():
        assert words[:2] == ["python", "-m"]
        if words[2] in ("hyperml_tf.search", "hyperml_tf.train"):
            # "For later": tests/commands/test_search.py runs such a search, and
            # tests/training/test_all_data.py and test_start_from.py such runs.
            continue
        words = [re.sub("^--run=.*", f"--run={run_folder}", word) for word in words]
        done = subprocess.run(
            [sys.executable, *words[1:]], cwd=tmp_path, env=environment,
            capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        answers[words[2]] += done.stdout + done.stderr
        for found in re.findall(r"hyperml_tf.export --run=(\S+)", answers[words[2]]):
            run_folder = found
    assert len(answers) == 5
    prepared = answers["data_prep.prepare"]
    assert "time from column 'event_time'" in prepared
    assert "is the best model on shop by validation" in answers["hyperml_tf.report"]
    for_user, for_basket = answers["hyperml_tf.recommend"].strip().split("\n\n")
    assert "user c00016" in for_user and "user basket" in for_basket
    assert "Lamp" in for_user and "Lamp" in for_basket
    assert "SKU-0003 " not in for_basket
