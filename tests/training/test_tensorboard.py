"""What a real TensorBoard server finds in a run's folder."""

import json
import re
import subprocess
import sys
import urllib.parse
import urllib.request

import pytest

RUN_TAGS = {
    *("loss/total", "loss/pull_push", "loss/distortion"),
    *("valid/hr10", "valid/ndcg10", "ball/max_norm", "ball/fraction_projected"),
}


@pytest.fixture(scope="module")
def runs_dir(command, data_dir, tmp_path_factory):
    """Two finished runs, a sweep over the margin."""
    folder = tmp_path_factory.mktemp("runs")
    for margin in ("0.2", "0.5"):
        done = command(
            *("hyperml_tf.train", "--config=run_configs/own_table.py"),
            *("--config.dataset=tiny", "--config.epochs=4", "--config.eval_every=2"),
            *("--config.dim=8", f"--config.margin={margin}"),
            *(f"--data_dir={data_dir}", f"--runs_dir={folder}"),
        )
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def board(runs_dir):
    """The address of a TensorBoard that serves the runs."""
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "tensorboard.main", f"--logdir={runs_dir}"),
            *("--port=0", "--load_fast=false", "--host=127.0.0.1"),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in server.stderr:
        if found := re.search(r"http://[\d.]+:\d+", line):
            break
    else:
        pytest.fail("TensorBoard did not start")
    yield found.group()
    server.kill()
    server.wait()


def get(address, route, **query):
    words = urllib.parse.urlencode(query)
    with urllib.request.urlopen(f"{address}/data/plugin/{route}?{words}") as reply:
        return json.load(reply)


@pytest.mark.slow
def test_scalars_and_histograms_have_the_tags_of_the_readme(board, runs_dir):
    scalars = get(board, "scalars/tags")
    folders = [path.parent for path in runs_dir.rglob("metrics.json")]
    assert set(scalars) == {str(folder.relative_to(runs_dir)) for folder in folders}
    for tags in scalars.values():
        assert set(tags) >= RUN_TAGS
    for tags in get(board, "histograms/tags").values():
        assert set(tags) == {"norm/users", "norm/items"}
    run = next(iter(scalars))
    losses = get(board, "scalars/scalars", run=run, tag="loss/total")
    assert [step for _, step, _ in losses] == [1, 2, 3, 4]
    validated = get(board, "scalars/scalars", run=run, tag="valid/ndcg10")
    assert [step for _, step, _ in validated] == [2, 4]


@pytest.mark.slow
def test_the_disk_is_pictured_at_every_validation(board):
    for run, tags in get(board, "images/tags").items():
        assert list(tags) == ["disk"]
        pictures = get(board, "images/images", run=run, tag="disk", sample=0)
        assert [picture["step"] for picture in pictures] == [2, 4]


@pytest.mark.slow
def test_hparams_tell_the_two_runs_apart_and_show_what_they_reached(board, runs_dir):
    request = urllib.request.Request(
        f"{board}/data/plugin/hparams/session_groups",
        data=json.dumps(
            {
                "experimentName": "",
                "allowedStatuses": [f"STATUS_{s}" for s in ("SUCCESS", "UNKNOWN")],
                "colParams": [],
                "startIndex": 0,
                "sliceSize": 10,
            }
        ).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as reply:
        groups = json.load(reply)["sessionGroups"]
    shown = {
        group["hparams"]["margin"]: {
            metric["name"]["tag"]: (metric["value"], metric["trainingStep"])
            for metric in group["metricValues"]
        }
        for group in groups
    }
    assert set(shown) == {0.2, 0.5}
    for path in runs_dir.rglob("metrics.json"):
        metrics = json.loads(path.read_text())
        config = json.loads(path.with_name("config.json").read_text())
        values = shown[config["margin"]]
        # The table opens with the first in this order.
        chosen = ["Chosen/valid_hr10", "Chosen/valid_ndcg10"]
        assert [tag for tag in sorted(values) if tag < "a"] == chosen
        assert not any("test" in tag for tag in values)
        for tag in values:
            if tag.startswith("Chosen/"):
                split, name = tag.removeprefix("Chosen/").split("_")
                value = pytest.approx(metrics[split][name], rel=1e-6)
                assert values[tag] == (value, metrics["best_epoch"])


@pytest.mark.slow
def test_the_projector_has_items_on_the_ball_and_in_the_tangent_space(board):
    run = next(r for r in get(board, "projector/runs"))
    info = get(board, "projector/info", run=run)
    names = {entry["tensorName"] for entry in info["embeddings"]}
    assert names == {"items", "items_log0"}
