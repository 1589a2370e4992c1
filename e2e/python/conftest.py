"""Fixtures of the suite, and its report.

The suite is started by e2e/clients_test.go with HF_ENDPOINT, HF_HOME and
HF_TOKEN (alice's write token) set. A test says with a marker which rows of
docs/compatibility.md it backs:

    @pytest.mark.works("HfApi.create_repo", "HfApi.delete_repo")
    @pytest.mark.partial("HfApi.list_models", note="no full-text search")
    @pytest.mark.missing("HfApi.list_papers")
"""

import itertools
import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from huggingface_hub import HfApi, constants
from huggingface_hub.utils import disable_progress_bars

CLAIMS = ("works", "partial", "missing")

disable_progress_bars()


def pytest_addoption(parser):
    parser.addoption("--hub", required=True, help="JSON file that describes the running hub")
    parser.addoption("--report", help="JSON file to write the results to")


def pytest_configure(config):
    for claim in CLAIMS:
        config.addinivalue_line("markers", f"{claim}(*rows, note=''): rows of docs/compatibility.md that the test backs")
    config.stash[RESULTS] = []


RESULTS = pytest.StashKey[list]()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    # A test is judged by its call, or by the set-up or tear-down that failed.
    if report.when != "call" and report.passed:
        return
    name = f"python/{Path(item.fspath).name}::{item.originalname}"
    for claim in CLAIMS:
        for mark in item.iter_markers(claim):
            item.config.stash[RESULTS].append(
                {
                    "test": name,
                    "rows": list(mark.args),
                    "claim": claim,
                    "note": mark.kwargs.get("note", ""),
                    "passed": not report.failed,
                }
            )


def pytest_sessionfinish(session):
    path = session.config.getoption("--report")
    if path:
        Path(path).write_text(json.dumps(session.config.stash[RESULTS]))


@dataclass
class Account:
    name: str
    password: str
    token: str
    read_token: str

    @property
    def api(self) -> HfApi:
        return HfApi(token=self.token)


@dataclass
class Hub:
    url: str
    alice: Account
    bob: Account
    carol: Account  # an administrator

    def request(self, method, path, *, token=None, follow_redirects=False, **kwargs) -> httpx2.Response:
        """A plain HTTP request; token=None is anonymous."""
        headers = dict(kwargs.pop("headers", {}))
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return httpx2.request(
            method, self.url + path, headers=headers, follow_redirects=follow_redirects, timeout=60, **kwargs
        )


@pytest.fixture(scope="session")
def hub(pytestconfig) -> Hub:
    described = json.loads(Path(pytestconfig.getoption("--hub")).read_text())
    assert described["url"] == constants.ENDPOINT
    users = {name: Account(**user) for name, user in described["users"].items()}
    return Hub(url=described["url"], **users)


@pytest.fixture(scope="session")
def api() -> HfApi:
    """Alice, signed in by HF_TOKEN alone."""
    return HfApi()


@pytest.fixture(scope="session")
def bob(hub) -> HfApi:
    return hub.bob.api


@pytest.fixture(scope="session")
def anon() -> HfApi:
    return HfApi(token=False)


_numbers = itertools.count(1)


@pytest.fixture
def unique(request):
    """Makes names that no other test uses."""
    stem = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower()).strip("-")[:40].strip("-")
    return lambda suffix="": f"{stem}-{next(_numbers)}{suffix}"


@pytest.fixture
def new_repo(api, unique):
    """Creates a repository of alice's and returns its id."""

    def create(repo_type="model", **kwargs):
        if repo_type == "space":
            kwargs.setdefault("space_sdk", "static")
        return api.create_repo(f"alice/{unique()}", repo_type=repo_type, **kwargs).repo_id

    return create


@pytest.fixture
def repo(new_repo):
    return new_repo()


@pytest.fixture
def hf(hub, tmp_path):
    """Runs the hf command as alice, in a home of its own."""

    def run(*args, token=hub.alice.token, check=True, cwd=tmp_path, input=None):
        env = client_env(tmp_path, token)
        done = subprocess.run(["hf", *args], env=env, cwd=cwd, input=input, capture_output=True, text=True, timeout=120)
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
        return done

    return run


def client_env(home: Path, token: str | None) -> dict[str, str]:
    """The environment of a client process: this one's, with another home."""
    env = {k: v for k, v in os.environ.items() if k != "HF_TOKEN"}
    env |= {"HOME": str(home), "HF_HOME": str(home / "hf")}
    if token:
        env["HF_TOKEN"] = token
    return env
