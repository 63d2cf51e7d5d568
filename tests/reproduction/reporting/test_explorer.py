"""The explorer: its data against slow arithmetic, its page in a real browser."""

import dataclasses
import html
import json
import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

from hyperml_tf.reproduction.reporting import compose, disk, embeddings, explorer
from hyperml_tf.reproduction.reporting.embeddings import Embedding

USERS, ITEMS = 12, 40
NASTY = '</script><!--<script><img src=x onerror="window.broken=1">'
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture
def embedding(rng, make_interactions):
    histories = [rng.permutation(ITEMS)[: 5 + user] for user in range(USERS)]
    free = [np.setdiff1d(np.arange(ITEMS), history) for history in histories]
    interactions = make_interactions(
        histories, ITEMS, valid=[f[0] for f in free], test=[f[1] for f in free]
    )
    titles = [f"Film {item} & <b>sons</b>" for item in range(ITEMS)]
    titles[int(histories[0][-1])] = NASTY
    interactions.__dict__["items"] = pd.DataFrame({"title": titles})
    points = rng.uniform(-0.4, 0.4, (USERS + ITEMS, 3))
    return Embedding(None, interactions, points[:USERS], points[USERS:], True)


@pytest.fixture
def placed(embedding, rng):
    users, items = disk.sample(embedding)
    points = np.concatenate([embedding.users[users], embedding.items[items]])
    plane = rng.normal(size=(len(points), 2))
    both = disk.on_disk(plane, np.linalg.norm(points, axis=1))
    return both[: len(users)], both[len(users) :]


def slow_ranking(embedding, user):
    """All items but training and validation ones, (distance, item), nearest first."""
    data = embedding.interactions
    seen = {*data.train_item[data.train_user == user], data.valid_item[user]}
    found = []
    for item in set(range(ITEMS)) - seen:
        u, v = embedding.users[user], embedding.items[item]
        room = (1 - u @ u) * (1 - v @ v)
        found.append((np.arccosh(1 + 2 * (u - v) @ (u - v) / room), item))
    return sorted(found)


def test_recommendations_equal_a_slow_ranking(embedding, placed, monkeypatch):
    monkeypatch.setattr(explorer, "_ROWS", 5)  # blocks of 5, 5 and 2 users
    data = explorer.run_data(embedding, placed, "Games")
    users, ids = data["users"], data["items"]["id"]
    assert users["id"] == [f"u{user}" for user in range(USERS)]
    for user in range(USERS):
        expected = slow_ranking(embedding, user)
        top = [ids[item] for item in users["top"][user]]
        assert top == [f"i{item}" for _, item in expected[:10]]
        assert users["distances"][user] == pytest.approx(
            [distance for distance, _ in expected[:10]], abs=5.1e-4
        )
        held = embedding.interactions.test_item[user]
        assert ids[users["held"][user]] == f"i{held}"
        rank = [item for _, item in expected].index(held)
        assert users["held_rank"][user] == rank + 1
        assert users["held_distance"][user] == pytest.approx(
            expected[rank][0], abs=5.1e-4
        )


def test_history_is_the_latest_training_items_newest_first(
    embedding, placed, monkeypatch
):
    monkeypatch.setattr(explorer, "MAX_HISTORY", 6)
    data = explorer.run_data(embedding, placed, "Games")
    train = embedding.interactions
    for user, history in enumerate(data["users"]["history"]):
        own = train.train_item[train.train_user == user].tolist()
        expected = [f"i{item}" for item in reversed(own)][:6]
        assert [data["items"]["id"][place] for place in history] == expected
        assert data["users"]["interactions"][user] == len(own)


def test_users_with_few_unseen_items_get_what_there_is(make_interactions, rng):
    interactions = make_interactions([[0, 1, 2], [3, 0, 0]], 6, test=[4, 5])
    points = rng.uniform(-0.4, 0.4, (8, 2))
    small = Embedding(None, interactions, points[:2], points[2:], True)
    first, second = explorer.rankings(small, np.array([0, 1]))
    assert sorted(first.items) == [3, 4, 5] and sorted(second.items) == [1, 2, 4, 5]
    data = explorer.run_data(small, (points[:2], points[6:8]), "Games")
    assert data["users"]["history"][1] == [0, 3]
    assert data["items"]["title"] is None


def test_the_sample_is_bounded_and_holds_the_popular_items(
    embedding, placed, monkeypatch
):
    monkeypatch.setattr(explorer, "MAX_USERS", 3)
    monkeypatch.setattr(explorer, "POPULAR_ITEMS", 4)
    data = explorer.run_data(embedding, placed, "Games")
    assert len(data["users"]["id"]) == 3
    assert data == explorer.run_data(embedding, placed, "Games")
    counts = np.bincount(embedding.interactions.train_item, minlength=ITEMS)
    popular = sorted(range(ITEMS), key=lambda item: -counts[item])[:4]
    assert {f"i{item}" for item in popular} <= set(data["items"]["id"])


def test_points_keep_their_norm_and_their_place_of_figure_2(embedding, placed):
    data = explorer.run_data(embedding, placed, "Games")
    users = data["users"]
    norms = np.linalg.norm(embedding.users, axis=1)
    assert users["norm"] == pytest.approx(norms, abs=1e-5)
    angle = np.array(users["angle"])
    there = np.stack([np.cos(angle), np.sin(angle)], axis=1) * norms[:, None]
    assert there == pytest.approx(placed[0], abs=1e-3)
    _, laid_out = disk.sample(embedding)
    found = explorer.directions(embedding, placed, laid_out)
    assert found == pytest.approx(np.arctan2(placed[1][:, 1], placed[1][:, 0]))


def test_an_item_outside_the_layout_points_where_its_neighbours_do(make_interactions):
    # Five users around angle 2, five around -1; item 1 lies among the latter.
    sides = np.repeat([[0.5, 0.0], [0.0, 0.5]], 5, axis=0)
    interactions = make_interactions([[1]] * 10, 2, test=[0] * 10)
    far = Embedding(
        None, interactions, sides, np.array([[-0.5, 0.0], [0.0, 0.4]]), True
    )
    angles = np.concatenate([2 + np.linspace(-0.2, 0.2, 5), [-1.0] * 5, [0.5]])
    layout = 0.5 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    found = explorer.directions(far, (layout[:10], layout[10:]), np.array([0, 1]))
    assert found == pytest.approx([0.5, -1.0])


@pytest.mark.parametrize(
    "text", [NASTY, "</SCRIPT >", "<!--", "]]>", '"\\', "\u2028\u2029", "日本 é \x00"]
)
def test_encoded_json_cannot_leave_its_script(text):
    found = explorer.encoded({"title": text})
    assert "<" not in found
    assert json.loads(found) == {"title": text}


def test_without_runs_the_section_is_left_out():
    assert explorer.section([], []).empty


@pytest.fixture
def page(embedding, make_run, monkeypatch, tmp_path):
    """`report.html` of two datasets whose restored points are `embedding`."""
    restored = []

    def load(run, data_dir):
        restored.append(run.seed)
        return dataclasses.replace(embedding, run=run)

    monkeypatch.setattr(embeddings, "load", load)
    for dataset in ("games", "yelp"):
        for seed in (1, 0):
            make_run(dataset, seed=seed)
    compose.report(tmp_path / "runs", tmp_path / "data", tmp_path / "report")
    assert restored == [0, 0]  # once each, the lowest seed
    return tmp_path / "report" / "report.html"


def test_the_report_holds_the_explorer_unless_embeddings_are_off(page, tmp_path):
    text = page.read_text()
    assert '<a href="#explorer">' in text and "fixed random sample" in text
    assert "HyperML on Games, seed 0, epoch 2" in text
    assert text.count("<script") == text.count("</script>") == 2
    assert not re.search(r"https?://(?!www\.w3\.org)", text)
    compose.report(
        tmp_path / "runs", tmp_path / "data", tmp_path / "second", embeddings=False
    )
    assert "<script" not in (tmp_path / "second" / "report.html").read_text()


_WATCH = """<script>
const problems = [];
addEventListener("error", (event) => problems.push(event.message));
for (const level of ["error", "warn"])
  console[level] = (...words) => problems.push(words.join(" "));
</script>"""

# Points at and clicks what the test names, and writes what the page then shows.
_DRIVE = """<script>
addEventListener("load", () => {
  const found = {};
  const one = (selector) => document.querySelector(selector);
  const texts = (selector) =>
    [...document.querySelectorAll(selector)].map((node) => node.textContent);
  const canvas = one("#explorer-disk");
  const at = (type, pointerType, [x, y]) => {
    const box = canvas.getBoundingClientRect();
    const scale = (box.width / 2 - 10) / TARGET.extent;
    canvas.dispatchEvent(new PointerEvent(type, { pointerType, bubbles: true,
      clientX: box.left + box.width / 2 + scale * x,
      clientY: box.top + box.width / 2 - scale * y }));
  };
  const panel = () => ({
    status: one("#explorer-status").textContent,
    top: texts("#explorer-top span"),
    distances: texts("#explorer-top b"),
    history: texts("#explorer-history span"),
  });
  found.first = panel();
  at("pointermove", "mouse", TARGET.user);
  found.hover = texts("#explorer-tip > *");
  const before = canvas.toDataURL();
  at("click", "mouse", TARGET.user);
  found.clicked = panel();
  found.redrawn = canvas.toDataURL() !== before;
  at("click", "touch", [0.99 * TARGET.extent, 0.99 * TARGET.extent]);
  found.cleared = panel();
  at("click", "touch", TARGET.user);
  found.tapped = panel();
  const list = one("#explorer-user");
  list.value = 0;
  list.dispatchEvent(new Event("change"));
  found.listed = panel();
  one("#explorer-top button").focus();
  found.focused = texts("#explorer-tip > *");
  const find = one("#explorer-find");
  find.value = " U7 ";
  find.dispatchEvent(new Event("input"));
  found.options = texts("#explorer-user option");
  find.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" }));
  found.sought = panel();
  find.value = "no such title";
  find.dispatchEvent(new Event("input"));
  found.none = texts("#explorer-user option");
  one("#explorer-whole").click();
  const runs = one("#explorer-run");
  found.runs = texts("#explorer-run option");
  runs.value = 1;
  runs.dispatchEvent(new Event("change"));
  found.switched = panel();
  found.images = document.images.length;
  found.broken = window.broken || 0;
  found.overflow = document.documentElement.scrollWidth - innerWidth;
  const out = document.createElement("pre");
  out.id = "found";
  out.textContent = JSON.stringify({ ...found, problems });
  document.body.append(out);
});
</script>"""


def in_chromium(path, tmp_path):
    """What the page's own script wrote into it, and the browser's log."""
    flags = [
        "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
        "--disable-background-networking", "--disable-component-update",
        "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}",
        "--enable-logging=stderr", "--window-size=500,900",
        "--virtual-time-budget=3000", "--dump-dom",
    ]  # fmt: skip
    done = subprocess.run(
        [CHROMIUM, *flags, path.as_uri()], capture_output=True, text=True, timeout=120
    )
    match = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)
    assert match, done.stderr[-2000:]
    return json.loads(html.unescape(match[1])), done.stderr


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH")
def test_hover_click_tap_and_keys_work_in_a_browser(page, embedding, tmp_path):
    text = page.read_text()
    script = re.search(r"id=explorer-data>(.*?)</script>", text, re.DOTALL)[1]
    run = json.loads(script)[0]
    angle, norm = (
        np.array(run["items"][key] + run["users"][key]) for key in ("angle", "norm")
    )
    points = np.stack([norm * np.cos(angle), norm * np.sin(angle)], axis=1)
    apart = np.linalg.norm(points[:, None] - points, axis=2)
    np.fill_diagonal(apart, np.inf)
    nearest = apart[-USERS:].min(axis=1)
    user = int(nearest.argmax())  # the one that no other point hides
    target = {
        "user": points[-USERS:][user].tolist(),
        "extent": min(1.0, 1.05 * norm.max()),
    }
    drive = _DRIVE.replace("<script>", f"<script>const TARGET={json.dumps(target)};")
    driven = tmp_path / "driven.html"
    driven.write_text(
        text.replace("<head>", f"<head>{_WATCH}").replace("</body>", f"{drive}</body>")
    )
    found, log = in_chromium(driven, tmp_path)

    def norm_of(row):
        return f"{np.linalg.norm(embedding.users[row]):.3f}"

    def panel(row):
        data, titles = embedding.interactions, embedding.interactions.items["title"]
        expected = slow_ranking(embedding, row)[:10]
        history = data.train_item[data.train_user == row][::-1]
        return {
            "status": f"User u{row}, norm {norm_of(row)}",
            "top": [titles[item] for _, item in expected],
            "distances": [f"{distance:.3f}" for distance, _ in expected],
            "history": [titles[item] for item in history],
        }

    assert found["first"] == found["cleared"] == found["switched"]
    assert found["first"]["status"] == "No user chosen"
    assert found["first"]["top"] == found["first"]["history"] == []
    assert sorted(found["runs"]) == ["Games", "Yelp"]
    assert found["hover"] == [f"user u{user}", f"user, norm {norm_of(user)}"]
    assert found["clicked"] == found["tapped"] == panel(user)
    assert found["redrawn"]
    assert found["listed"] == panel(0) and NASTY in found["listed"]["history"]
    assert found["focused"][0] == panel(0)["top"][0]
    assert found["focused"][1].startswith("recommended, norm 0.")
    assert found["options"] == ["choose one of 1", "u7"]
    assert found["sought"] == panel(7)
    assert found["none"] == ["choose one of 0"]
    assert found["broken"] == 0 and found["images"] == text.count("<img alt")
    assert found["overflow"] <= 0
    assert found["problems"] == [] and "CONSOLE" not in log
