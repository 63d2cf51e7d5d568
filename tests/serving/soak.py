"""Asks a server for long, from many clients, bad requests among them.

python -m tests.serving.soak EXPORT [REQUESTS] [SECONDS]

Starts the server, asks the export itself for the truth, then has 8 clients ask the
server, each over a connection that it keeps. Every answer is compared. Prints how many
requests there were, how long they took, and the server's memory before and after.
"""

import http.client
import itertools
import json
import random
import re
import socket
import subprocess
import sys
import threading
import time
from collections import Counter

import numpy as np
import tensorflow as tf

from hyperml_tf.serving.exported import Exported
from tests.conftest import ROOT

CLIENTS, DISTINCT = 8, 400


def plain(value):
    """An output as JSON has it."""
    if value.dtype == object:
        return np.vectorize(bytes.decode, otypes=[object])(value).tolist()
    if value.dtype.kind == "f":
        return np.where(np.isnan(value), None, value.astype(object)).tolist()
    return value.tolist()


def good(exported, rng):
    """(body, status 200, answer) of requests to every signature."""
    users = [*exported.users[:300], "nobody", "é,\n"]
    some = exported.signatures["recommend"](
        user_ids=tf.constant([""]), exclude_seen=tf.constant(True), k=tf.constant(300)
    )
    items = [item.decode() for item in some["item_ids"].numpy()[0]]
    for _ in range(DISTINCT):
        size, k = rng.choice([1, 1, 1, 4, 16]), rng.choice([5, 10, 10, 50])
        people, things = rng.choices(users, k=size), rng.choices(items, k=size)
        feeds = {
            "recommend": {"user_ids": people, "k": k, "exclude_seen": size > 1},
            "recommend_filtered": {
                **{"user_ids": people, "k": k, "exclude_seen": True},
                **{"exclude_items": [things], "allowed_items": [items[:100]]},
            },
            "score": {"user_ids": people, "item_ids": things},
        }
        if "similar_items" in exported.signatures:
            feeds["similar_items"] = {"item_ids": things, "k": k}
        name = rng.choice(["recommend", *feeds])
        feed = {key: tf.constant(value) for key, value in feeds[name].items()}
        answer = exported.signatures[name](**feed)
        outputs = {key: plain(value.numpy()) for key, value in answer.items()}
        body = json.dumps({"signature_name": name, "inputs": feeds[name]})
        yield body.encode(), 200, {"outputs": outputs}


def bad():
    """(body, status, None) of requests that are refused."""
    yield b"{", 400, None
    yield b'{"inputs": {"user_ids": 3}}', 400, None
    yield b'{"inputs": {"user_ids": ["a"], "k": 0}}', 400, None
    yield b'{"inputs": {"user_ids": ["a"], "k": 100000}}', 400, None
    yield b'{"inputs": ["' + b"a" * (1 << 20) + b'"]}', 413, None
    yield b'{"signature_name": "none", "inputs": ["a"]}', 400, None
    score = {"user_ids": ["a"], "item_ids": ["no such item"]}
    yield json.dumps({"signature_name": "score", "inputs": score}).encode(), 400, None


class Soak:
    """Clients of a server at `port`."""

    def __init__(self, port, path, requests, until, count):
        self.port, self.path, self.until = port, path, until
        self.requests, self.left = requests, itertools.count()
        self.count, self.wrong, self.seconds = count, [], []
        self.statuses = Counter()

    def client(self, seed):
        rng, connection = random.Random(seed), None
        while next(self.left) < self.count and time.monotonic() < self.until:
            if rng.random() < 0.01:  # goes away in the middle
                with socket.create_connection(("127.0.0.1", self.port)) as gone:
                    gone.sendall(b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n{")
                self.statuses["went away"] += 1
                continue
            body, status, answer = rng.choice(self.requests)
            connection = connection or http.client.HTTPConnection(
                "127.0.0.1", self.port, timeout=60
            )
            began = time.perf_counter()
            try:
                connection.request("POST", self.path, body)
                got = connection.getresponse()
                said = json.loads(got.read())
            except (BrokenPipeError, ConnectionResetError, http.client.HTTPException):
                connection.close()
                connection = None
                # The server hangs up on who sends too much, as it may.
                self.statuses["hung up"] += 1
                if status != 413:
                    self.wrong.append((body, "hung up"))
                continue
            self.seconds.append(time.perf_counter() - began)
            self.statuses[got.status] += 1
            right = said == answer if answer else said.keys() == {"error"}
            if got.status != status or not right:
                self.wrong.append((body[:200], got.status, said))
            if got.will_close:
                connection.close()
                connection = None

    def run(self):
        clients = [
            threading.Thread(target=self.client, args=(seed,))
            for seed in range(CLIENTS)
        ]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        return self


def memory(process):
    """Resident megabytes of a process."""
    with open(f"/proc/{process.pid}/status", encoding="utf-8") as file:
        return int(re.search(r"VmRSS:\s+(\d+) kB", file.read())[1]) / 1024


def main(folder, count=100_000, seconds=180):
    """Soaks a server of the export; returns the client and the memory, in MB."""
    server = subprocess.Popen(
        [sys.executable, "-m", "hyperml_tf.serve", f"--model={folder}", "--port=0"],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        port, path = re.search(
            r":(\d+)(/v1/models/\S+)", server.stdout.readline()
        ).groups()
        exported = Exported(folder)
        requests = list(good(exported, random.Random(0)))
        requests += list(bad()) * (len(requests) // 70)  # a tenth of all
        where = int(port), f"{path}:predict", requests
        Soak(*where, time.monotonic() + seconds, count // 25).run()  # a warm-up
        before, began = memory(server), time.monotonic()
        soak = Soak(*where, began + seconds, count).run()
        spent, after = time.monotonic() - began, memory(server)
    finally:
        server.terminate()
        ended = server.wait(60)
    took = np.array(soak.seconds) * 1000
    done = sum(soak.statuses.values())
    print(f"{done} requests in {spent:.0f} s, {done / spent:.0f} a second")
    print(f"p50 {np.median(took):.1f} ms, p99 {np.quantile(took, 0.99):.1f} ms")
    print(f"memory {before:.0f} MB before, {after:.0f} MB after")
    print(f"answers {dict(soak.statuses)}, wrong: {len(soak.wrong)}, exit code {ended}")
    print(*soak.wrong[:5], sep="\n")
    return soak, before, after


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
