"""Everything that reads files, and the cache that it leaves behind."""

import hashlib
import os
import re
import subprocess

import pytest
from content import noise
from huggingface_hub import (
    CommitOperationAdd,
    HfApi,
    ModelCard,
    constants,
    get_hf_file_metadata,
    hf_hub_download,
    hf_hub_url,
    scan_cache_dir,
    snapshot_download,
    try_to_load_from_cache,
)
from huggingface_hub.errors import (
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.file_download import _CACHED_NO_EXIST

LARGE = noise(700_000, 3)
CONFIG = b'{"model_type": "tiny"}'


def git_sha1(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@pytest.fixture(scope="module")
def stocked(api) -> str:
    repo = api.create_repo("alice/download-stocked").repo_id
    api.create_commit(
        repo,
        [
            CommitOperationAdd("config.json", CONFIG),
            CommitOperationAdd("a/b/large.bin", LARGE),
            CommitOperationAdd("empty.txt", b""),
            CommitOperationAdd("text.txt", b"0123456789" * 100),
        ],
        commit_message="Stock",
    )
    return repo


@pytest.mark.works("HfApi.hf_hub_download")
def test_hf_hub_download_and_the_cache(api, stocked, tmp_path):
    sha = api.model_info(stocked).sha
    for path, content, etag in (
        ("config.json", CONFIG, git_sha1(CONFIG)),
        ("a/b/large.bin", LARGE, hashlib.sha256(LARGE).hexdigest()),
        ("empty.txt", b"", git_sha1(b"")),
    ):
        got = api.hf_hub_download(stocked, path, cache_dir=tmp_path)
        folder = tmp_path / "models--alice--download-stocked"
        assert got == str(folder / "snapshots" / sha / path)
        assert open(got, "rb").read() == content
        assert os.path.islink(got)
        # Blobs are named by ETag. (A Xet blob may itself link to the shared store.)
        assert os.path.normpath(os.path.join(os.path.dirname(got), os.readlink(got))) == str(folder / "blobs" / etag)
    assert (folder / "refs" / "main").read_text() == sha
    assert try_to_load_from_cache(stocked, "config.json", cache_dir=tmp_path) == str(folder / "snapshots" / sha / "config.json")
    # A second time, by commit, without the network.
    assert HfApi(endpoint="http://127.0.0.1:9").hf_hub_download(
        stocked, "a/b/large.bin", revision=sha, cache_dir=tmp_path
    ) == str(folder / "snapshots" / sha / "a/b/large.bin")
    (scanned,) = scan_cache_dir(tmp_path).repos
    assert (scanned.repo_id, scanned.nb_files) == (stocked, 3)


@pytest.mark.works("HfApi.hf_hub_download")
def test_the_same_content_keeps_its_blob(api, repo, tmp_path):
    for i in range(2):
        api.create_commit(
            repo,
            [CommitOperationAdd("same.bin", LARGE), CommitOperationAdd(f"{i}.txt", b"x")],
            commit_message=str(i),
        )
        api.hf_hub_download(repo, "same.bin", cache_dir=tmp_path)
    folder = tmp_path / ("models--" + repo.replace("/", "--"))
    assert len(os.listdir(folder / "blobs")) == 1
    assert len(os.listdir(folder / "snapshots")) == 2


@pytest.mark.works("HfApi.hf_hub_download", "HfApi.file_exists")
def test_what_is_not_there(api, anon, stocked, tmp_path):
    sha = api.model_info(stocked).sha
    with pytest.raises(RemoteEntryNotFoundError) as e:
        api.hf_hub_download(stocked, "no/such.file", cache_dir=tmp_path)
    assert e.value.response.headers["X-Repo-Commit"] == sha
    folder = tmp_path / "models--alice--download-stocked"
    assert (folder / ".no_exist" / sha / "no" / "such.file").is_file()
    assert (folder / "refs" / "main").read_text() == sha
    assert try_to_load_from_cache(stocked, "no/such.file", cache_dir=tmp_path) is _CACHED_NO_EXIST
    with pytest.raises(RevisionNotFoundError):
        api.hf_hub_download(stocked, "config.json", revision="no-such-branch", cache_dir=tmp_path)
    with pytest.raises(RevisionNotFoundError):
        api.hf_hub_download(stocked, "config.json", revision="0" * 40, cache_dir=tmp_path)
    for who in (api, anon):
        with pytest.raises(RepositoryNotFoundError):
            who.hf_hub_download("alice/no-such-repo", "config.json", cache_dir=tmp_path)
    with pytest.raises(RemoteEntryNotFoundError):
        api.hf_hub_download(stocked, "a/b", cache_dir=tmp_path)  # a folder is no file
    with pytest.raises(LocalEntryNotFoundError):
        api.hf_hub_download(stocked, "text.txt", cache_dir=tmp_path, local_files_only=True)
    assert api.file_exists(stocked, "config.json")
    assert not api.file_exists(stocked, "none.json")
    assert not api.file_exists(stocked, "config.json", revision="none")
    assert not api.file_exists("alice/none", "config.json")


@pytest.mark.works("HfApi.hf_hub_download")
def test_private_files(api, bob, anon, new_repo, tmp_path):
    private = new_repo("dataset", private=True)
    api.upload_file(path_or_fileobj=LARGE, path_in_repo="w.bin", repo_id=private, repo_type="dataset")
    got = api.hf_hub_download(private, "w.bin", repo_type="dataset", cache_dir=tmp_path)
    assert open(got, "rb").read() == LARGE
    for who in (bob, anon):
        with pytest.raises(RepositoryNotFoundError):
            who.hf_hub_download(private, "w.bin", repo_type="dataset", cache_dir=tmp_path / "other")


@pytest.mark.works("HfApi.hf_hub_download")
def test_by_every_kind_of_revision(api, repo, tmp_path):
    first = api.upload_file(path_or_fileobj=b"1", path_in_repo="v", repo_id=repo).oid
    api.create_tag(repo, tag="v1.0", tag_message="annotated")
    api.create_tag(repo, tag="light")
    api.create_branch(repo, branch="some/branch")
    api.upload_file(path_or_fileobj=b"2", path_in_repo="v", repo_id=repo)
    for revision in ("v1.0", "light", "some/branch", "refs/heads/some/branch", first, first[:7]):
        got = api.hf_hub_download(repo, "v", revision=revision, cache_dir=tmp_path / revision.replace("/", "_"))
        assert open(got).read() == "1", revision
        assert f"/snapshots/{first}/" in got
    assert open(api.hf_hub_download(repo, "v", cache_dir=tmp_path / "main")).read() == "2"


@pytest.mark.works("HfApi.hf_hub_download", "HfApi.verify_repo_checksums")
def test_into_a_local_folder(api, stocked, tmp_path):
    got = api.snapshot_download(stocked, local_dir=tmp_path / "here")
    assert open(got + "/a/b/large.bin", "rb").read() == LARGE
    seen = os.stat(got + "/a/b/large.bin").st_mtime_ns
    assert api.hf_hub_download(stocked, "a/b/large.bin", local_dir=tmp_path / "here") == got + "/a/b/large.bin"
    assert os.stat(got + "/a/b/large.bin").st_mtime_ns == seen
    verified = api.verify_repo_checksums(stocked, local_dir=tmp_path / "here")
    assert (verified.checked_count, verified.mismatches, verified.missing_paths) == (5, [], [])
    with open(got + "/config.json", "a") as f:
        f.write("x")
    verified = api.verify_repo_checksums(stocked, local_dir=tmp_path / "here")
    assert [m["path"] for m in verified.mismatches] == ["config.json"]


@pytest.mark.works("HfApi.snapshot_download")
@pytest.mark.parametrize("repo_type", ["model", "dataset", "space", "kernel"])
def test_snapshot_download(api, new_repo, tmp_path, repo_type):
    repo = new_repo(repo_type)
    files = {"a.txt": b"a", "d/w.bin": LARGE, "d/e/x.json": b"{}", "empty": b""}
    api.create_commit(
        repo, [CommitOperationAdd(p, c) for p, c in files.items()], commit_message="Files", repo_type=repo_type
    )
    sha = api.repo_info(repo, repo_type=repo_type).sha
    got = api.snapshot_download(repo, repo_type=repo_type, cache_dir=tmp_path)
    assert got.endswith(f"{repo_type}s--{repo.replace('/', '--')}/snapshots/{sha}")
    for path, content in files.items():
        assert open(os.path.join(got, path), "rb").read() == content
    only = api.snapshot_download(repo, repo_type=repo_type, cache_dir=tmp_path / "only", allow_patterns="d/*")
    assert sorted(os.listdir(only)) == ["d"]
    planned = api.snapshot_download(repo, repo_type=repo_type, cache_dir=tmp_path / "dry", dry_run=True)
    assert {p.filename: p.file_size for p in planned if p.filename in files} == {p: len(c) for p, c in files.items()}
    # By commit, without the network.
    assert HfApi(endpoint="http://127.0.0.1:9").snapshot_download(
        repo, repo_type=repo_type, revision=sha, cache_dir=tmp_path
    ) == got
    with pytest.raises(RevisionNotFoundError):
        api.snapshot_download(repo, repo_type=repo_type, revision="none", cache_dir=tmp_path)
    with pytest.raises(RepositoryNotFoundError):
        api.snapshot_download("alice/no-such-repo", repo_type=repo_type, cache_dir=tmp_path)


@pytest.mark.works("HfApi.get_hf_file_metadata")
def test_file_metadata(api, stocked):
    sha = api.model_info(stocked).sha
    small = api.get_hf_file_metadata(url=hf_hub_url(stocked, "config.json"))
    assert (small.commit_hash, small.etag, small.size) == (sha, git_sha1(CONFIG), len(CONFIG))
    assert small.xet_file_data is None
    large = api.get_hf_file_metadata(url=hf_hub_url(stocked, "a/b/large.bin"))
    assert (large.commit_hash, large.etag, large.size) == (sha, hashlib.sha256(LARGE).hexdigest(), len(LARGE))
    assert len(large.xet_file_data.file_hash) == 64
    assert f"/api/models/{stocked}/xet-read-token/{sha}" in large.xet_file_data.refresh_route


@pytest.mark.works("HfApi.resolve_revision")
def test_resolve_revision(api, stocked, tmp_path):
    sha = api.model_info(stocked).sha
    assert api.resolve_revision(stocked, cache_dir=tmp_path).resolved == sha
    assert api.resolve_revision(stocked, revision=sha, cache_dir=tmp_path).resolved == sha
    with pytest.raises(RevisionNotFoundError):
        api.resolve_revision(stocked, revision="none", cache_dir=tmp_path)


@pytest.mark.works("hf download", "hf models info", "hf models ls", "hf models card", "hf datasets ls", "hf spaces ls")
def test_hf_download(hf, api, stocked, new_repo, tmp_path):
    got = hf("download", stocked).stdout
    folder = re.search(r"/\S+/snapshots/[0-9a-f]{40}", got).group()
    assert open(os.path.join(folder, "a/b/large.bin"), "rb").read() == LARGE
    hf("download", stocked, "config.json", "--local-dir", str(tmp_path / "here"))
    assert (tmp_path / "here" / "config.json").read_bytes() == CONFIG
    hf("download", stocked, "--include", "*.json", "--revision", "main", "--local-dir", str(tmp_path / "some"))
    assert [p.name for p in (tmp_path / "some").iterdir() if p.is_file()] == ["config.json"]
    assert stocked in hf("models", "info", stocked).stdout
    assert stocked in hf("models", "ls", "--author", "alice", "--limit", "1000", "-q").stdout
    assert "large.bin" in hf("models", "ls", stocked, "-R").stdout
    for kind, repo_type in (("datasets", "dataset"), ("spaces", "space")):
        repo = new_repo(repo_type)
        assert repo in hf(kind, "ls", "--author", "alice", "--limit", "1000", "-q").stdout
    missing = hf("download", stocked, "none.json", check=False)
    assert missing.returncode != 0 and "none.json" in missing.stdout + missing.stderr
    missing = hf("download", "alice/no-such-repo", check=False)
    assert missing.returncode != 0 and "not found" in (missing.stdout + missing.stderr).lower()
    api.upload_file(path_or_fileobj=b"---\nlicense: mit\n---\n# Card\n", path_in_repo="README.md", repo_id=stocked)
    assert "# Card" in hf("models", "card", stocked).stdout
    assert ModelCard.load(stocked).data.license == "mit"


def resolve(hub, repo, path, *, method="GET", query="", **headers):
    return hub.request(method, f"/{repo}/resolve/main/{path}{query}", headers=headers, follow_redirects=True)


@pytest.mark.works("Range requests")
@pytest.mark.parametrize("path,content", [("text.txt", b"0123456789" * 100), ("a/b/large.bin", LARGE)])
def test_ranges(hub, stocked, path, content):
    n = len(content)
    whole = resolve(hub, stocked, path)
    assert (whole.status_code, whole.content, int(whole.headers["Content-Length"])) == (200, content, n)
    assert whole.headers["Accept-Ranges"] == "bytes"
    for spec, part in {
        "bytes=0-0": content[:1],
        "bytes=0-99": content[:100],
        "bytes=10-": content[10:],
        f"bytes={n - 1}-": content[-1:],
        "bytes=-5": content[-5:],
        f"bytes=5-{n + 1000}": content[5:],
    }.items():
        got = resolve(hub, stocked, path, Range=spec)
        assert (got.status_code, got.content) == (206, part), spec
        start = n - len(part) if spec.startswith("bytes=-") else int(spec[6:].split("-")[0])
        assert got.headers["Content-Range"] == f"bytes {start}-{start + len(part) - 1}/{n}"
        assert int(got.headers["Content-Length"]) == len(part)
    past = resolve(hub, stocked, path, Range=f"bytes={n}-")
    assert past.status_code == 416
    assert past.headers["Content-Range"] == f"bytes */{n}"


@pytest.mark.works("HEAD and GET of resolve")
@pytest.mark.parametrize("path,content", [("text.txt", b"0123456789" * 100), ("a/b/large.bin", LARGE), ("empty.txt", b"")])
def test_head_says_what_get_says(api, hub, stocked, path, content):
    sha = api.model_info(stocked).sha
    head = resolve(hub, stocked, path, method="HEAD", **{"Accept-Encoding": "identity"})
    got = resolve(hub, stocked, path, **{"Accept-Encoding": "gzip, deflate, br"})
    assert got.content == content and head.content == b""
    assert "Content-Encoding" not in got.headers
    for reply in (head, got):
        assert reply.status_code == 200
        assert reply.headers["Content-Length"] == str(len(content))
    # The metadata are on the first reply, whether it redirects or not.
    for method in ("HEAD", "GET"):
        first = hub.request(method, f"/{stocked}/resolve/main/{path}")
        assert first.status_code in (200, 302, 307)
        assert first.headers["X-Repo-Commit"] == sha
        etag = (first.headers.get("X-Linked-Etag") or first.headers["ETag"]).removeprefix("W/")
        assert etag == f'"{(hashlib.sha256(content).hexdigest() if path.endswith(".bin") else git_sha1(content))}"'
        if first.status_code != 200:
            assert first.headers["X-Linked-Size"] == str(len(content))
            assert first.headers["Location"].startswith("http")


def test_content_disposition(hub, stocked):
    assert resolve(hub, stocked, "text.txt", query="?download=true").headers["Content-Disposition"].startswith("attachment")
    assert "text.txt" in resolve(hub, stocked, "text.txt").headers.get("Content-Disposition", "text.txt")
    assert "Content-Disposition" not in resolve(hub, stocked, "a/b/large.bin", query="?noContentDisposition=1").headers


def test_untrusted_content_is_not_rendered(api, hub, repo):
    """A file of a repository never runs with the hub's authority."""
    api.upload_file(path_or_fileobj=b"<script>alert(1)</script>", path_in_repo="x.html", repo_id=repo)
    api.upload_file(path_or_fileobj=b"<svg xmlns='http://www.w3.org/2000/svg'/>", path_in_repo="x.svg", repo_id=repo)
    for name in ("x.html", "x.svg"):
        for verb in ("resolve", "raw"):
            got = hub.request("GET", f"/{repo}/{verb}/main/{name}", follow_redirects=True)
            assert got.headers["X-Content-Type-Options"] == "nosniff"
            policy = got.headers.get("Content-Security-Policy", "")
            assert "sandbox" in policy or got.headers["Content-Type"].startswith("text/plain"), dict(got.headers)


@pytest.mark.works("raw")
def test_raw(api, hub, stocked):
    got = hub.request("GET", f"/{stocked}/raw/main/config.json")
    assert (got.status_code, got.content) == (200, CONFIG)
    pointer = hub.request("GET", f"/{stocked}/raw/main/a/b/large.bin").text
    assert pointer == (
        "version https://git-lfs.github.com/spec/v1\n"
        f"oid sha256:{hashlib.sha256(LARGE).hexdigest()}\nsize {len(LARGE)}\n"
    )
    entry = api.get_paths_info(stocked, "a/b/large.bin")[0]
    assert entry.blob_id == git_sha1(pointer.encode())
    assert entry.lfs.pointer_size == len(pointer)
    assert hub.request("HEAD", f"/{stocked}/raw/main/none").status_code == 404


@pytest.mark.works("curl with resume")
def test_curl_resumes(hub, stocked, tmp_path):
    url = f"{hub.url}/{stocked}/resolve/main/a/b/large.bin"
    out = tmp_path / "large.bin"
    out.write_bytes(LARGE[:300_000])
    subprocess.run(["curl", "-fsSL", "-C", "-", "-o", str(out), url], check=True)
    assert out.read_bytes() == LARGE
    done = subprocess.run(["curl", "-fsSL", "-o", "/dev/null", "-w", "%{http_code}", "-r", "5-9", url], capture_output=True)
    assert done.stdout == b"206"


@pytest.mark.works("hf_hub_download")
def test_resumes_after_a_broken_download(api, stocked, tmp_path, monkeypatch):
    """The bytes that have come are kept: the client asks for the rest."""
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    from huggingface_hub.file_download import http_get

    path = tmp_path / "partial"
    with path.open("wb") as f:
        f.write(LARGE[:123_456])
        http_get(hf_hub_url(stocked, "a/b/large.bin"), f, resume_size=123_456, expected_size=len(LARGE))
    assert path.read_bytes() == LARGE


@pytest.mark.works("hf_hub_download", "snapshot_download")
def test_the_functions_of_the_module(stocked, tmp_path):
    """What transformers and diffusers call."""
    assert open(hf_hub_download(stocked, "config.json", cache_dir=tmp_path), "rb").read() == CONFIG
    assert os.path.isdir(snapshot_download(stocked, cache_dir=tmp_path))
    with pytest.raises(HfHubHTTPError):
        get_hf_file_metadata(hf_hub_url(stocked, "none"))
