"""Two sides that take turns at the same work, and what is said of it."""
import json
import os
import pathlib
import statistics
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
THREADS = 2


class Peer:
    """A process that does a round of work for each line."""

    def __init__(self, *command, env=None):
        self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, **(env or {})})
        self.read()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.process.args} ended")
        return json.loads(line)

    def round(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.read()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def interleave(rounds, *sides):
    """Runs the sides in turn, once to warm up and then rounds times: a list of results for each."""
    results = [[] for _ in sides]
    for r in range(rounds + 1):
        for i, side in enumerate(sides):
            value = side()
            if r > 0:
                results[i].append(value)
    return results


def median(values):
    return statistics.median(values)


def verdict(ratio, target):
    return "met" if ratio >= target else "**not met**"


def table(title, words, head, rows):
    lines = [f"## {title}", words, "", "| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(c) for c in row) + " |" for row in rows]) + "\n"


def sentences(n, seed):
    """Sentences of 8 to 128 tokens: short words that a vocabulary has."""
    import random
    rng = random.Random(seed)
    words = "the a of to in is that it was for on are with as his they be at one have this from or had by hot but some what there".split()
    return [" ".join(rng.choice(words) for _ in range(rng.choice([6, 10, 14, 20, 30, 46, 62, 94, 126]))) for _ in range(n)]
