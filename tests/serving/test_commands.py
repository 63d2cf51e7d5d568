"""`export` and `recommend` from the command line, on a run made for the purpose."""

import json
import shutil
import subprocess
import sys

import pytest

from hyperml_tf.training import configuration as configs
from hyperml_tf.training import runs, trainer

pytestmark = pytest.mark.slow


def command(name, *flags):
    return subprocess.run(
        [sys.executable, "-m", f"hyperml_tf.{name}", *map(str, flags)],
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def folder(interactions, prepared_dir, tmp_path_factory):
    """A finished CML run on the dataset, and its export."""
    root = tmp_path_factory.mktemp("commands")
    config = configs.for_model("cml", "tiny")
    config.epochs, config.eval_every, config.dim = 1, 1, 8
    config = configs.resolve(config)
    run = runs.locate(root / "runs", config, interactions.fingerprint, 0)
    trainer.train(config, interactions, run)
    output = root / "export"
    done = command(
        *("export", f"--run={run.folder}", f"--output={output}"),
        f"--data_dir={prepared_dir}",
    )
    assert done.returncode == 0, done.stderr
    assert "cml on tiny, 40 users, 300 items, index: exact" in done.stdout
    return root


def test_one_user_gets_a_readable_list(folder):
    done = command("recommend", f"--model={folder}/export", "--user=u3é", "--k=4")
    assert done.returncode == 0, done.stderr
    head, columns, *lines = done.stdout.strip().split("\n")
    assert head == "user u3é: CML on tiny, seen items left out"
    assert columns.split() == ["rank", "item", "distance", "title", "genres"]
    assert [line.split()[0] for line in lines] == ["1", "2", "3", "4"]
    distances = [float(line.split()[2]) for line in lines]
    assert distances == sorted(distances)
    item = lines[0].split()[1]
    assert f"Title, no. {item[1:]}  A|B" in lines[0]


def test_a_file_of_users_gets_a_list_each_and_unknown_ones_are_named(folder):
    (folder / "users.txt").write_text("u3é\nnobody\n\nu0é\n")
    done = command(
        "recommend", f"--model={folder}/export", f"--users={folder}/users.txt"
    )
    assert done.returncode == 0, done.stderr
    known, unknown, full = done.stdout.strip().split("\n\n")
    assert len(known.split("\n")) == 12
    assert unknown.startswith("user nobody is unknown to CML on tiny: the most popular")
    assert full.startswith("user u0é") and len(full.split("\n")) == 4


def test_new_users_are_served_by_what_they_touched(folder):
    (folder / "new.csv").write_text("user,item\nann,i3\nann,i9\nann,gone\n")
    done = command(
        *("recommend", f"--model={folder}/export", f"--history={folder}/new.csv"),
        "--k=3",
    )
    assert done.returncode == 0, done.stderr
    head, _, *lines = done.stdout.strip().split("\n")
    assert head.startswith("user ann: CML on tiny, seen items left out; known by 2 of")
    assert len(lines) == 3
    both = command("recommend", "--model=x", "--user=u", "--history=new.csv")
    assert (both.returncode, both.stderr.count("\n")) == (2, 1)


def test_tensorflows_own_command_shows_and_runs_an_export(folder):
    program = shutil.which("saved_model_cli", path=f"{sys.prefix}/bin")
    where = ["--dir", folder / "export", "--tag_set=serve", "--signature_def=score"]
    request = r"user_ids=[b'u3\xc3\xa9'];item_ids=[b'i5']"
    shown = subprocess.run(
        [program, "run", *where, "--input_exprs", request],
        capture_output=True,
        text=True,
    )
    assert "Result for output key distances" in shown.stdout, shown.stderr
    described = subprocess.run(
        [program, "show", *where], capture_output=True, text=True
    )
    assert "inputs['item_ids'] tensor_info" in described.stdout, described.stderr
    assert "outputs['scores'] tensor_info" in described.stdout


def test_the_benchmark_says_whether_a_runs_exact_retrieval_is_exact(
    folder, prepared_dir
):
    (run,) = folder.glob("runs/tiny/cml/*/seed-0")
    done = command(
        *("benchmark", "--here=exactness", f"--run={run}"),
        f"--data_dir={prepared_dir}",
    )
    assert done.returncode == 0, done.stderr
    line = json.loads(done.stdout)
    assert (line["model"], line["dataset"], line["users"]) == ("CML", "tiny", 40)
    assert line["lists_wrong"] == 0


@pytest.mark.parametrize(
    "name, flags, complaint",
    [
        ("export", ["--output=x"], "--run=FOLDER is missing"),
        ("export", ["--run=x"], "--output=FOLDER is missing"),
        ("recommend", ["--user=u"], "--model=FOLDER is missing"),
        ("recommend", ["--model=/nowhere", "--user=u"], "not an exported model"),
        ("recommend", ["--model=x"], "give one of --user=RAW_ID, --users="),
        ("recommend", ["--model=x", "--users=/nowhere"], "cannot read --users"),
    ],
)
def test_bad_usage_gets_one_line_and_code_2(name, flags, complaint):
    done = command(name, *flags)
    assert done.returncode == 2
    assert complaint in done.stderr and done.stderr.count("\n") == 1


def test_as_many_items_as_32_bits_count_are_all_that_are_left(folder):
    lists = [
        command("recommend", f"--model={folder}/export", "--user=u3é", f"--k={k}")
        for k in (1_000_000, 2**31 - 1)
    ]
    assert lists[1].returncode == 0, lists[1].stderr
    assert lists[1].stdout == lists[0].stdout
    done = command("recommend", f"--model={folder}/export", "--user=u", f"--k={2**31}")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "--k" in done.stderr and str(2**31) in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "gbk"])
def test_what_the_terminal_cannot_show_is_escaped(folder, encoding, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "hyperml_tf.recommend"),
            *(f"--model={folder}/export", b"--user=u3\xc3\xa9", b"--k=4"),
        ],
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    head, *lines = done.stdout.decode(encoding).strip().splitlines()
    shown = "u3é".encode(encoding, "backslashreplace").decode(encoding)
    assert head.startswith(f"user {shown}: CML on tiny")
    assert len(lines) == 5


def test_a_user_that_is_not_utf_8_is_unknown(folder):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "hyperml_tf.recommend"),
            *(f"--model={folder}/export", b"--user=u3\xe9"),
        ],
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    assert b"is unknown to CML on tiny" in done.stdout
    assert done.stderr == b""
