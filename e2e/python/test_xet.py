"""The Xet door by hand: tokens, what they open, and what the newest client asks first."""

import time
from urllib.parse import urlsplit

import httpx2
import pytest
from content import noise
from huggingface_hub import get_hf_file_metadata, hf_hub_url

LARGE = noise(2 << 20, 55)


@pytest.fixture(scope="module")
def stocked(api) -> str:
    repo = api.create_repo("alice/xet-door", private=True).repo_id
    api.upload_file(path_or_fileobj=LARGE, path_in_repo="w.bin", repo_id=repo)
    return repo


@pytest.fixture(scope="module")
def file_id(stocked) -> str:
    return get_hf_file_metadata(hf_hub_url(stocked, "w.bin")).xet_file_data.file_hash


def connect(hub, repo, kind="read", revision="main", token=None, query=""):
    reply = hub.request("GET", f"/api/models/{repo}/xet-{kind}-token/{revision}{query}", token=token)
    assert reply.status_code == 200, reply.text
    body = reply.json()
    assert reply.headers["X-Xet-Cas-Url"] == body["casUrl"]
    assert reply.headers["X-Xet-Access-Token"] == body["accessToken"]
    assert int(reply.headers["X-Xet-Token-Expiration"]) == body["exp"] >= time.time() + 900
    assert not body["casUrl"].endswith("/")
    return body["casUrl"], {"Authorization": f"Bearer {body['accessToken']}"}


@pytest.mark.works("Xet tokens")
def test_tokens(api, hub, stocked, new_repo):
    connect(hub, stocked, token=hub.alice.token)
    connect(hub, stocked, token=hub.alice.read_token)
    connect(hub, stocked, "write", token=hub.alice.token)
    public = new_repo()
    connect(hub, public)
    sha = api.model_info(public).sha
    connect(hub, public, revision=sha)
    connect(hub, public, revision="refs%2Fheads%2Fmain")
    for repo, kind, token, status in (
        (stocked, "read", None, (401, 404)),
        (stocked, "read", hub.bob.token, (404,)),
        (stocked, "write", hub.alice.read_token, (403,)),
        (public, "write", hub.bob.token, (403,)),
        (public, "write", None, (401,)),
        ("alice/none", "read", hub.alice.token, (404,)),
    ):
        reply = hub.request("GET", f"/api/models/{repo}/xet-{kind}-token/main", token=token)
        assert reply.status_code in status, (repo, kind, reply.status_code)
        assert "accessToken" not in reply.text


@pytest.mark.works("Xet reconstruction")
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_reconstruction(hub, stocked, file_id, version):
    cas, auth = connect(hub, stocked, token=hub.alice.token)
    url = f"{cas}/{version}/reconstructions/{file_id}"
    whole = httpx2.get(url, headers=auth).json()
    assert sum(t["unpacked_length"] for t in whole["terms"]) == len(LARGE)
    assert whole["offset_into_first_range"] == 0
    part = httpx2.get(url, headers=auth | {"Range": "bytes=1000000-1000009"}).json()
    assert sum(t["unpacked_length"] for t in part["terms"]) >= part["offset_into_first_range"] + 10
    assert httpx2.get(url, headers=auth | {"Range": f"bytes={len(LARGE)}-"}).status_code == 416
    assert httpx2.get(url, headers=auth | {"Range": f"bytes=0-{2**64 - 2}"}).status_code == 200
    assert httpx2.get(f"{cas}/{version}/reconstructions/{'0' * 63}1", headers=auth).status_code == 404
    assert httpx2.get(f"{cas}/{version}/reconstructions/zz", headers=auth).status_code == 400
    assert httpx2.get(url).status_code == 401
    assert httpx2.get(url, headers={"Authorization": "Bearer junk"}).status_code == 401
    # Fetch URLs stand on their own, and give the very ranges.
    fetches = (
        [(f["url"], f["url_range"]) for fs in part["fetch_info"].values() for f in fs]
        if version == "v1"
        else [(f["url"], r["bytes"]) for fs in part["xorbs"].values() for f in fs for r in f["ranges"]]
    )
    for url, span in fetches:
        got = httpx2.get(url, headers={"Range": f"bytes={span['start']}-{span['end']}"})
        assert got.status_code in (200, 206)
        assert len(got.content) == span["end"] - span["start"] + 1
        if urlsplit(url).netloc == urlsplit(hub.url).netloc:
            outside = httpx2.get(url, headers={"Range": f"bytes={span['end'] + 1}-{span['end'] + 2}"})
            assert outside.status_code == 403
            assert httpx2.get(url.split("?")[0], headers={"Range": "bytes=0-9"}).status_code == 403


def test_batch_of_reconstructions(hub, stocked, file_id):
    cas, auth = connect(hub, stocked, token=hub.alice.token)
    for url in (f"{cas}/v1/reconstructions?file_id={file_id}", f"{cas}/reconstructions?file_id={file_id}"):
        assert list(httpx2.get(url, headers=auth).json()["files"]) == [file_id]


def test_a_token_is_good_for_its_repository(hub, stocked, file_id, new_repo):
    """Who may read one repository cannot rebuild the files of another."""
    cas, auth = connect(hub, new_repo())
    for version in ("v1", "v2"):
        assert httpx2.get(f"{cas}/{version}/reconstructions/{file_id}", headers=auth).status_code in (403, 404)


def test_a_read_token_writes_nothing(hub, stocked):
    cas, auth = connect(hub, stocked, token=hub.alice.token)
    assert httpx2.post(f"{cas}/v1/shards", headers=auth, content=b"x").status_code == 403
    assert httpx2.post(f"{cas}/v1/xorbs/default/{'ab' * 32}", headers=auth, content=b"x").status_code == 403


@pytest.mark.works("Xet uploads are verified")
def test_nothing_is_believed(hub, stocked):
    cas, auth = connect(hub, stocked, "write", token=hub.alice.token)
    for content in (b"", b"junk", noise(100_000)):
        assert httpx2.post(f"{cas}/v1/xorbs/default/{'ab' * 32}", headers=auth, content=content).status_code == 400
        assert httpx2.post(f"{cas}/v1/shards", headers=auth, content=content).status_code == 400
    assert httpx2.head(f"{cas}/v1/xorbs/default/{'ab' * 32}", headers=auth).status_code == 404
    assert httpx2.get(f"{cas}/v1/chunks/default/{'ab' * 32}", headers=auth).status_code == 404


def test_grants(hub, stocked):
    """hf_xet 1.8 asks for a grant before each xorb; all but 404, 200 and 201 fails its upload."""
    cas, auth = connect(hub, stocked, "write", token=hub.alice.token)
    body = {"length": 300_032, "checksum": {"algo": "crc64nvme", "value": "17704889513266123082"}}
    reply = httpx2.post(f"{cas}/v1/xorb-grants/default/{'ab' * 32}", headers=auth, json=body)
    assert reply.status_code in (404, 201)
    if reply.status_code == 201:
        assert {"id", "method", "url", "headers"} <= set(reply.json())


def test_telemetry(hub, stocked):
    cas, auth = connect(hub, stocked, token=hub.alice.token)
    for url in (cas, hub.url):
        reply = httpx2.post(f"{url}/v1/telemetry", headers=auth, json={"event": "xet_upload_summary"})
        assert reply.status_code < 500, url


@pytest.mark.works("Xet deduplication")
def test_dedup(api, hub, stocked, file_id, new_repo):
    """A file that begins like another is told with the other's xorbs; the same file again adds nothing."""
    repo = new_repo()
    for name in ("longer.bin", "again.bin"):
        api.upload_file(path_or_fileobj=LARGE + noise(1 << 20, 57), path_in_repo=name, repo_id=repo)
    got = hub.request("GET", f"/{repo}/resolve/main/longer.bin", follow_redirects=True).content
    assert got == LARGE + noise(1 << 20, 57)

    def xorbs(repo, file_id):
        cas, auth = connect(hub, repo, token=hub.alice.token)
        return [t["hash"] for t in httpx2.get(f"{cas}/v1/reconstructions/{file_id}", headers=auth).json()["terms"]]

    longer, again = api.get_paths_info(repo, ["again.bin", "longer.bin"])
    assert longer.xet_hash == again.xet_hash
    assert set(xorbs(repo, longer.xet_hash)) & set(xorbs(stocked, file_id))
