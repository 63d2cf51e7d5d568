"""Every publisher's format, junk lines included, against arrays worked by hand.

Each file has the same small story: A saw q, r, p in this order (the files
tell it out of order where they have times), B saw q and p, C saw r, p, q, s all
at one time. With users A, B, C = 0, 1, 2 and items p, q, r, s = 0, 1, 2, 3:

    train   A q | B q p | C r p        valid  A r, C q        test  A p, C s
"""

import json

import numpy as np
import pytest

from data_prep.sources import DATASETS
from tests.data_prep import publishers
from tests.data_prep.conftest import held_out, load, raw_pairs

TRAIN_USER = [0, 1, 1, 2, 2]
TRAIN_ITEM = [1, 1, 0, 2, 0]
VALID_ITEM = [2, -1, 1]
TEST_ITEM = [0, -1, 3]

STORY = (
    ("C", "r", 5),
    ("A", "p", 30),
    ("C", "p", 5),
    ("B", "q", 5),
    ("A", "q", 10),
    ("C", "q", 5),
    ("A", "r", 20),
    ("B", "p", 5),
    ("C", "s", 5),
)
NUMBERS = {"A": 7, "B": 12, "C": 100, "p": 1, "q": 9, "r": 10, "s": 200}
DAY = 86_400

AMAZON = {
    "clothing": "Clothing_Shoes_and_Jewelry",
    "sports": "Sports_and_Outdoors",
    "cellphones": "Cell_Phones_and_Accessories",
    "games": "Toys_and_Games",
    "automotive": "Automotive",
}


def numbered(between: str, rating: str = "4") -> list[bytes]:
    return [
        between.join(
            (str(NUMBERS[u]), str(NUMBERS[i]), rating, str(978_300_000 + t))
        ).encode()
        for u, i, t in STORY
    ]


def with_junk(lines: list[bytes], *junk: bytes) -> bytes:
    """Junk before, between and after the lines; an empty line hurts nobody."""
    mixed = []
    for n, line in enumerate(lines):
        mixed += [line, junk[n % len(junk)]] if n < len(junk) else [line]
    return b"\n".join([*mixed, b"", *junk]) + b"\n"


def prepare(command, tmp_path, key: str):
    result = command(
        f"--dataset={key}", "--allow_count_mismatch", "--allow_checksum_mismatch"
    )
    assert result.code == 0, result.err
    return load(tmp_path / "data" / key)


def assert_story(prepared) -> None:
    assert prepared.train_user.tolist() == TRAIN_USER
    assert prepared.train_item.tolist() == TRAIN_ITEM
    assert prepared.valid_item.tolist() == VALID_ITEM
    assert prepared.test_item.tolist() == TEST_ITEM
    # A has touched all but s, B all but r and s; B has nothing held out, C no rest.
    assert prepared.valid_negatives[0].tolist() == [3] + [-1] * 99
    assert (prepared.valid_negatives[1:] == -1).all()
    assert prepared.stats["interactions"] == 9
    assert prepared.stats["interactions_table1"] == 15
    assert prepared.stats["held_out_users"] == 2
    assert prepared.stats["short_negative_lists"] == 2


def test_movielens_100k(command, tmp_path):
    flags = ["0"] * 19
    flags[1] = flags[5] = "1"
    genres = "\n".join(f"g{n}|{n}" for n in range(19)) + "\n\n"
    item = "|".join(["9", "Misérables, Les (1995)", "01-Jan-1995", "", "u", *flags])
    publishers.zip_of(
        tmp_path / "raw/ml-100k.zip",
        {
            "ml-100k/u.data": with_junk(
                numbered("\t"), b"7\t9\t4", b"x\t1\t4\t5", b"\xff\xfe\t\t\t"
            ),
            "ml-100k/u.item": f"{item}\njunk|line\n".encode("latin-1"),
            "ml-100k/u.genre": genres.encode(),
        },
    )
    prepared = prepare(command, tmp_path, "ml100k")
    assert_story(prepared)
    assert prepared.user_ids == ["7", "12", "100"]
    assert prepared.item_ids == ["1", "9", "10", "200"]
    assert prepared.stats["rows_dropped"] == {
        "wrong number of fields": 2,
        "not whole numbers": 4,
    }
    assert (tmp_path / "data/ml100k/items.csv").read_text(encoding="utf-8") == (
        'item,title,genres\n1,,\n9,"Misérables, Les (1995)",g1|g5\n10,,\n200,,\n'
    )


def test_movielens_1m(command, tmp_path):
    publishers.zip_of(
        tmp_path / "raw/ml-1m.zip",
        {
            "ml-1m/README": b"text",
            "ml-1m/ratings.dat": with_junk(
                numbered("::"), b"7:9:4:5", b"7::9::4::late", b"\xe9\xe8::1::4::5"
            ),
            "ml-1m/movies.dat": "10::Amélie (2001)::Comedy|Romance\n9::x\n".encode(
                "latin-1"
            ),
        },
    )
    prepared = prepare(command, tmp_path, "ml1m")
    assert_story(prepared)
    assert prepared.stats["matches_paper"] is False
    items = (tmp_path / "data/ml1m/items.csv").read_text(encoding="utf-8")
    assert items.splitlines()[3] == "10,Amélie (2001),Comedy|Romance"


def test_movielens_1m_unpacked(command, tmp_path):
    folder = tmp_path / "raw/ml-1m"
    folder.mkdir(parents=True)
    (folder / "ratings.dat").write_bytes(b"\n".join(numbered("::")))
    assert_story(prepare(command, tmp_path, "ml1m"))


def test_movielens_20m_keeps_users_with_100_ratings(command, tmp_path):
    # 5 rates films 1 … 100 backwards in time, 6 only 99 films, 7 the even ones
    # of 1 … 202 at one time; film 500 is seen by 6 alone and goes with 6.
    lines = [f"5,{film},0.5,{1000 - film}" for film in range(1, 101)]
    lines += [f"6,{film},5.0,{film}" for film in [*range(1, 99), 500]]
    lines += [f"7,{film},3.0,77" for film in range(2, 203, 2)]
    text = "userId,movieId,rating,timestamp\r\n" + "\r\n".join(lines)
    text += "\r\n5,7,0.5\r\nfive,7,0.5,1\r\n,7,0.5,1\r\n"
    movies = 'movieId,title,genres\n2,"Net, The (1995)",Action|Drama\n'
    movies += "4,Ünï,(no genres listed)\n"
    publishers.zip_of(
        tmp_path / "raw/ml-20m.zip",
        {"ml-20m/ratings.csv": text.encode(), "ml-20m/movies.csv": movies.encode()},
    )
    prepared = prepare(command, tmp_path, "ml20m")
    assert prepared.user_ids == ["5", "7"]
    films = sorted({*range(1, 101), *range(2, 203, 2)})
    assert prepared.item_ids == [str(film) for film in films]
    assert held_out(prepared) == {"5": ("2", "1"), "7": ("200", "202")}
    assert raw_pairs(prepared) == [
        *(("5", str(film)) for film in range(100, 2, -1)),
        *(("7", str(film)) for film in range(2, 199, 2)),
    ]
    assert prepared.stats["rows_dropped"] == {
        "wrong number of fields": 1,
        "not whole numbers": 1,
        "no user or no item": 1,
        "user with fewer than 100 interactions": 99,
    }
    items = (tmp_path / "data/ml20m/items.csv").read_text(encoding="utf-8")
    assert '2,"Net, The (1995)",Action|Drama\n3,,\n4,Ünï,\n' in items


GOODBOOKS_ROWS = "qA qB rC pC rA pB qC pA sC qA".split()


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("swapped", [True, False])
def test_goodbooks_in_row_order(command, tmp_path, zipped, swapped):
    rows = [f"{NUMBERS[u]},{NUMBERS[i]},5" for i, u in GOODBOOKS_ROWS]
    header = "user_id,book_id,rating"
    if swapped:  # another copy has the columns the other way round
        rows = [f"{NUMBERS[i]},{NUMBERS[u]},5" for i, u in GOODBOOKS_ROWS]
        header = "book_id,user_id,rating"
    ratings = f"{header}\n".encode() + with_junk(
        [row.encode() for row in rows], b"1,2", b'"7",9,5'
    )
    books = b'book_id,title,authors\n9,"Harry, ""P""",x\n'
    if zipped:
        samples = b"user_id,book_id,rating\n1,1,1\n"
        publishers.zip_of(
            tmp_path / "raw/goodbooks-10k.zip",
            {
                "samples/ratings.csv": samples,
                "ratings.csv": ratings,
                "books.csv": books,
            },
        )
    else:
        folder = tmp_path / "raw/goodbooks-10k"
        folder.mkdir(parents=True)
        (folder / "ratings.csv").write_bytes(ratings)
        (folder / "books.csv").write_bytes(books)
    prepared = prepare(command, tmp_path, "goodbooks")
    assert_story(prepared)
    assert prepared.stats["duplicates_dropped"] == 1
    items = (tmp_path / "data/goodbooks/items.csv").read_text(encoding="utf-8")
    assert items.splitlines()[2] == '9,"Harry, ""P""",'


def amazon_lines(literal: bool) -> list[bytes]:
    write = repr if literal else json.dumps
    return [
        write(
            {
                "reviewerID": f"A{u}",
                "asin": f"00{i}",
                "helpful": [1, 2],
                "reviewText": 'it\'s "so", ünï\n\\d {',
                "unixReviewTime": t * DAY,
            }
        ).encode()
        for u, i, t in STORY
    ]


AMAZON_JUNK = (
    b'{"reviewerID": "AA", "asin": "00p"',
    b'{"reviewerID": 7, "asin": "00p", "unixReviewTime": 1}',
    b'{"asin": "00p", "unixReviewTime": 1}',
    b"__import__('os').system('touch /tmp/never')",
    b'{"reviewerID": "\xff", "asin": "00p", "unixReviewTime": 1}',
    b"[" * 5000,
    b'["AA", "00p", 1]',
)


@pytest.mark.parametrize("key", AMAZON)
@pytest.mark.parametrize("literal", [False, True], ids=["json", "literal"])
@pytest.mark.parametrize("zipped", [True, False], ids=["gz", "plain"])
def test_amazon(command, tmp_path, key, literal, zipped):
    content = with_junk(amazon_lines(literal), *AMAZON_JUNK)
    name = tmp_path / "raw" / f"reviews_{AMAZON[key]}_5.json"
    publishers.gzip_of(name.with_name(f"{name.name}.gz"), content)
    if not zipped:
        name.with_name(f"{name.name}.gz").unlink()
        name.write_bytes(content)
    prepared = prepare(command, tmp_path, key)
    assert_story(prepared)
    assert prepared.user_ids == ["AA", "AB", "AC"]
    assert prepared.item_ids == ["00p", "00q", "00r", "00s"]
    assert prepared.stats["rows_dropped"] == {
        "line that is no review": 12,
        "no user or no item": 2,
    }


def test_clean_amazon_lines_give_the_same_by_either_parser(command, tmp_path):
    path = tmp_path / "raw/reviews_Automotive_5.json.gz"
    publishers.gzip_of(path, b"\n".join(amazon_lines(literal=False)))
    fast = prepare(command, tmp_path, "automotive")
    publishers.gzip_of(path, b"\n".join(amazon_lines(literal=True)))
    slow = prepare(command, tmp_path, "automotive")
    assert_story(fast)
    assert fast.stats["fingerprint"] == slow.stats["fingerprint"]


@pytest.mark.parametrize("clock", ["", " 10:00:00"])
def test_yelp(command, tmp_path, clock):
    lines = [
        json.dumps(
            {
                "review_id": "x",
                "user_id": f"u{u}",
                "business_id": f"b{i}",
                "stars": 5,
                "date": f"2017-01-{t:02d}{clock}",
                "text": "a\nb",
            }
        ).encode()
        for u, i, t in STORY
    ]
    undated = b'{"user_id": "uB", "business_id": "bp", "date": "no day"}'
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "yelp_academic_dataset_review.json").write_bytes(
        with_junk(lines, b"{", b'{"user_id": "uA"}', b"null")
    )
    prepared = prepare(command, tmp_path, "yelp")
    assert_story(prepared)
    assert prepared.stats["filter"]["k"] == 1
    assert prepared.stats["matches_paper"] is False

    (raw / "yelp_academic_dataset_review.json").write_bytes(
        b"\n".join([*lines, undated])
    )
    prepared = prepare(command, tmp_path, "yelp")
    # B's second visit to p has no day: it counts as the earlier, and is undated.
    assert raw_pairs(prepared)[1:3] == [("uB", "bp"), ("uB", "bq")]
    assert prepared.stats["undated"] == prepared.stats["duplicates_dropped"] == 1


def test_meetup(command, tmp_path):
    # E_1 … E_3 fell on days 30, 10, 20; E_4 has no time. U_3 went to all four:
    # the undated one comes first and is never held out.
    files = {
        "train/event_users.txt": b"E_1 U_1 U_2 U_3\nE_2 U_3 U_1 X_1\nnoise\n\xff\xff\n",
        "test/event_users.txt": b"E_3 U_1 U_3\nE_2 U_2 U_1\nE_4 U_3\n",
        "train/events.txt": b"E_1 V_2 20120130000000 G_3\nE_2 V_2 20120110000000 G_3\n"
        b"E_4 V_2 20121399000000 G_3\nE_4\n",
        "test/events.txt": b"E_3 V_2 20120120000000 G_3\nE_1 V_2 19990130000000 G_3\n",
    }
    for name, content in files.items():
        path = tmp_path / "raw/NYC" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    prepared = prepare(command, tmp_path, "meetup")
    assert prepared.user_ids == ["U_1", "U_2", "U_3"]
    assert prepared.item_ids == ["E_1", "E_2", "E_3", "E_4"]
    assert prepared.train_user.tolist() == [0, 1, 1, 2, 2]
    assert prepared.train_item.tolist() == [1, 1, 0, 3, 1]
    assert prepared.valid_item.tolist() == [2, -1, 2]
    assert prepared.test_item.tolist() == [0, -1, 0]
    assert prepared.stats["undated"] == 1
    assert prepared.stats["duplicates_dropped"] == 1
    assert prepared.stats["rows_dropped"] == {
        "line of events.txt that is no event": 2,
        "line of event_users.txt that is no event": 2,
        "word in event_users.txt that is no user": 1,
    }
    assert sorted(prepared.stats["checksums"]) == sorted(files)


def test_the_ten_of_the_paper_are_registered():
    paper = [key for key, dataset in DATASETS.items() if dataset.paper]
    assert sorted(paper) == sorted(
        [*AMAZON, "ml20m", "ml1m", "goodbooks", "yelp", "meetup"]
    )
    for key in paper:
        dataset = DATASETS[key]
        # What is known exactly agrees with what the paper prints, by N + 2U.
        if dataset.counts:
            counts = dataset.counts
            table1 = counts.interactions + 2 * counts.users
            unit = dataset.paper.interactions_unit
            assert abs(table1 - dataset.paper.interactions) <= unit
            density = 100 * table1 / (counts.users * counts.items)
            # Printed with two digits, cut or rounded.
            assert np.isclose(density, dataset.paper.density_percent, atol=0.011)
