"""Everything that writes files."""

import base64
import io
import json
import time
from dataclasses import dataclass

import pytest
from content import card, noise
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationCopy,
    CommitOperationDelete,
    CommitScheduler,
    ModelHubMixin,
    constants,
    get_hf_file_metadata,
    hf_hub_url,
    metadata_update,
)
from huggingface_hub.utils._runtime import is_xet_available
from huggingface_hub.errors import (
    BadRequestError,
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

TYPES = ["model", "dataset", "space"]


@pytest.fixture
def read(api, tmp_path):
    """Reads a file back, in a cache of its own each time."""
    seen = iter(range(1000))

    def read(repo, path, **kwargs):
        got = api.hf_hub_download(repo, path, cache_dir=tmp_path / f"read-{next(seen)}", **kwargs)
        return open(got, "rb").read()

    return read


@pytest.mark.works("HfApi.upload_file")
@pytest.mark.parametrize("repo_type", TYPES)
def test_upload_file(api, hub, new_repo, read, tmp_path, repo_type):
    repo = new_repo(repo_type)
    big = noise(1_500_000)
    (tmp_path / "local.bin").write_bytes(big)
    sources = {
        "text.txt": b"hello",
        "from-bytes.bin": big,
        "sub/from-path.bin": tmp_path / "local.bin",
        "from-buffer.bin": io.BytesIO(big),
        "empty.bin": b"",
        "empty.txt": b"",
    }
    for path, source in sources.items():
        info = api.upload_file(path_or_fileobj=source, path_in_repo=path, repo_id=repo, repo_type=repo_type)
        prefix = "" if repo_type == "model" else repo_type + "s/"
        assert info.commit_url == f"{hub.url}/{prefix}{repo}/commit/{info.oid}"
        assert info.repo_url.repo_id == repo
        want = big if path.endswith(".bin") and path != "empty.bin" else source
        assert read(repo, path, repo_type=repo_type) == want
    large = {f.path for f in api.list_repo_tree(repo, recursive=True, repo_type=repo_type) if getattr(f, "lfs", None)}
    assert large == {"from-bytes.bin", "sub/from-path.bin", "from-buffer.bin"}
    commits = api.list_repo_commits(repo, repo_type=repo_type)
    assert commits[0].title == "Upload empty.txt with huggingface_hub"
    assert len(commits) == len(sources) + 1


@pytest.mark.works("HfApi.upload_file", "HfApi.run_as_future")
def test_upload_in_the_background(api, repo):
    upload = api.upload_file(path_or_fileobj=b"x", path_in_repo="x", repo_id=repo, run_as_future=True)
    assert upload.result().oid
    assert api.run_as_future(api.list_repo_files, repo).result() == [".gitattributes", "x"]


@pytest.mark.works("HfApi.upload_folder", "HfApi.delete_files")
def test_upload_folder(api, repo, read, tmp_path):
    folder = tmp_path / "folder"
    for path, content in {
        "config.json": b"{}",
        "a/b/weights.safetensors": noise(200_000, 1),
        "a/b/more.safetensors": noise(200_000, 2),
        "logs/x.log": b"log",
        ".git/HEAD": b"never",
        ".cache/huggingface/x": b"never",
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    info = api.upload_folder(folder_path=folder, repo_id=repo, ignore_patterns="*.log", commit_message="All of it")
    assert api.list_repo_commits(repo)[0].title == "All of it"
    assert info.oid == api.model_info(repo).sha
    files = [".gitattributes", "a/b/more.safetensors", "a/b/weights.safetensors", "config.json"]
    assert sorted(api.list_repo_files(repo)) == files
    assert read(repo, "a/b/more.safetensors") == noise(200_000, 2)

    # Nothing changed: no commit.
    assert api.upload_folder(folder_path=folder, repo_id=repo, ignore_patterns="*.log").oid == info.oid

    # Delete what matches while adding elsewhere.
    api.upload_folder(
        folder_path=folder, path_in_repo="copy", repo_id=repo, allow_patterns="*.json", delete_patterns="*"
    )
    api.upload_folder(folder_path=folder / "logs", repo_id=repo, delete_patterns=["a/*"])
    assert sorted(api.list_repo_files(repo)) == [".gitattributes", "config.json", "copy/config.json", "x.log"]
    api.delete_files(repo, ["*.json"])
    assert sorted(api.list_repo_files(repo)) == [".gitattributes", "x.log"]


@pytest.mark.works("HfApi.upload_folder")
def test_upload_folder_of_many_files(api, new_repo, tmp_path):
    """More than one preupload batch, more than one page of the tree."""
    repo = new_repo("dataset")
    for i in range(1100):
        path = tmp_path / f"d{i % 7}" / f"{i}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(str(i))
    api.upload_folder(folder_path=tmp_path, repo_id=repo, repo_type="dataset")
    files = api.list_repo_files(repo, repo_type="dataset")
    assert len(files) == len(set(files)) == 1101
    assert len(list(api.list_repo_tree(repo, recursive=True, repo_type="dataset"))) == 1101 + 7


@pytest.mark.works("HfApi.create_commit")
def test_create_commit(api, repo, read):
    large = noise(100_000)
    api.create_commit(
        repo,
        [
            CommitOperationAdd("a.txt", b"a"),
            CommitOperationAdd("dir/b.txt", b"b"),
            CommitOperationAdd("dir/sub/c.txt", b"c"),
            CommitOperationAdd("large.bin", large),
        ],
        commit_message="First",
        commit_description="line one\nline two",
    )
    commit = api.list_repo_commits(repo)[0]
    assert commit.title == "First"
    assert commit.message == "line one\nline two"
    assert commit.authors == ["alice"]

    info = api.create_commit(
        repo,
        [
            CommitOperationDelete("dir/"),
            CommitOperationDelete("a.txt"),
            CommitOperationAdd("dir/new.txt", b"new"),
            CommitOperationCopy("large.bin", "copy/large.bin"),
            CommitOperationCopy("dir/b.txt", "copy/b.txt"),
        ],
        commit_message="Second",
    )
    assert sorted(api.list_repo_files(repo)) == [
        ".gitattributes",
        "copy/b.txt",
        "copy/large.bin",
        "dir/new.txt",
        "large.bin",
    ]
    assert read(repo, "copy/large.bin") == large
    assert read(repo, "copy/b.txt") == b"b"
    assert info.oid == api.model_info(repo).sha


@pytest.mark.works("HfApi.create_commit")
def test_rename_is_copy_and_delete(api, repo, read):
    large = noise(100_000)
    api.upload_file(path_or_fileobj=large, path_in_repo="old.bin", repo_id=repo)
    api.create_commit(
        repo, [CommitOperationCopy("old.bin", "new.bin"), CommitOperationDelete("old.bin")], commit_message="Rename"
    )
    assert sorted(api.list_repo_files(repo)) == [".gitattributes", "new.bin"]
    assert read(repo, "new.bin") == large
    with pytest.raises(Exception, match="file is missing on repo"):
        api.create_commit(repo, [CommitOperationCopy("none.bin", "x.bin")], commit_message="No")


@pytest.mark.works("HfApi.create_commit")
def test_copy_from_another_revision(api, repo, read):
    first = api.upload_file(path_or_fileobj=noise(50_000, 1), path_in_repo="w.bin", repo_id=repo)
    api.upload_file(path_or_fileobj=noise(50_000, 2), path_in_repo="w.bin", repo_id=repo)
    api.create_commit(
        repo, [CommitOperationCopy("w.bin", "old.bin", src_revision=first.oid)], commit_message="Bring back"
    )
    assert read(repo, "old.bin") == noise(50_000, 1)


@pytest.mark.works("HfApi.create_commit", "HfApi.copy_files")
def test_copy_between_repositories(api, bob, new_repo, read, unique):
    source, target = new_repo(), new_repo("dataset")
    api.create_commit(
        source,
        [CommitOperationAdd("w/large.bin", noise(150_000)), CommitOperationAdd("w/small.txt", b"small")],
        commit_message="Source",
    )
    api.copy_files(f"hf://{source}/w", f"hf://datasets/{target}/into/")
    files = sorted(api.list_repo_files(target, repo_type="dataset"))
    assert [f for f in files if f.endswith((".bin", ".txt"))] == ["into/large.bin", "into/small.txt"]
    assert read(target, "into/large.bin", repo_type="dataset") == noise(150_000)

    # From a private repository of somebody else, not even when one knows the hash.
    private = new_repo(private=True)
    api.upload_file(path_or_fileobj=noise(90_000, 9), path_in_repo="secret.bin", repo_id=private)
    mine = bob.create_repo(f"bob/{unique()}").repo_id
    with pytest.raises(RepositoryNotFoundError):
        bob.copy_files(f"hf://{private}/secret.bin", f"hf://{mine}/stolen.bin")


def test_a_hash_is_no_key(api, hub, bob, new_repo, unique):
    """Committing the sha256 of a file that one cannot read does not give the file."""
    private = new_repo(private=True)
    secret = noise(120_000, 77)
    api.upload_file(path_or_fileobj=secret, path_in_repo="secret.bin", repo_id=private)
    oid = api.get_paths_info(private, "secret.bin")[0].lfs.sha256
    mine = bob.create_repo(f"bob/{unique()}").repo_id
    reply = post_commit(
        hub, mine, hub.bob.token, {"key": "lfsFile", "value": {"path": "s.bin", "algo": "sha256", "oid": oid, "size": len(secret)}}
    )
    assert reply.status_code in (400, 403, 404, 422), reply.text


@pytest.mark.works("HfApi.create_commit")
def test_commit_without_changes(api, repo):
    operations = lambda: [CommitOperationAdd("a.txt", b"a"), CommitOperationAdd("w.bin", noise(60_000))]  # noqa: E731
    first = api.create_commit(repo, operations(), commit_message="One")
    again = api.create_commit(repo, operations(), commit_message="Two")
    assert again.oid == first.oid
    assert [c.title for c in api.list_repo_commits(repo)] == ["One", "initial commit"]
    # One of two changed: only that one is sent, one commit is made.
    mixed = api.create_commit(
        repo, [CommitOperationAdd("a.txt", b"b"), CommitOperationAdd("w.bin", noise(60_000))], commit_message="Three"
    )
    assert mixed.oid != first.oid


@pytest.mark.works("HfApi.create_commit")
def test_commit_on_an_old_parent(api, repo):
    parent = api.model_info(repo).sha
    kwargs = {"repo_id": repo, "path_or_fileobj": b"x", "parent_commit": parent}
    api.upload_file(path_in_repo="one", **kwargs)
    with pytest.raises(HfHubHTTPError) as e:
        api.upload_file(path_in_repo="two", **kwargs)
    assert e.value.response.status_code == 412
    assert "The branch was updated since you opened this page. Please refresh and try again." in str(e.value)
    assert sorted(api.list_repo_files(repo)) == [".gitattributes", "one"]


@pytest.mark.works("HfApi.create_commit")
def test_commit_on_a_branch(api, repo, read):
    api.create_branch(repo, branch="feature/x")
    api.upload_file(path_or_fileobj=b"on x", path_in_repo="x.txt", repo_id=repo, revision="feature/x")
    assert read(repo, "x.txt", revision="feature/x") == b"on x"
    assert not api.file_exists(repo, "x.txt")
    with pytest.raises(RevisionNotFoundError):
        api.upload_file(path_or_fileobj=b"x", path_in_repo="x", repo_id=repo, revision="no-such-branch")
    with pytest.raises(RepositoryNotFoundError):
        api.upload_file(path_or_fileobj=b"x", path_in_repo="x", repo_id="alice/no-such-repo")


@pytest.mark.works("HfApi.delete_file", "HfApi.delete_folder")
def test_delete(api, repo):
    api.create_commit(
        repo,
        [CommitOperationAdd(p, b"x") for p in ("a", "d/a", "d/b/c", "dd/a")] + [CommitOperationAdd("w.bin", noise(9000))],
        commit_message="Add",
    )
    api.delete_file("a", repo)
    assert api.list_repo_commits(repo)[0].title == "Delete a with huggingface_hub"
    api.delete_folder("d", repo)
    api.delete_file("w.bin", repo)
    assert sorted(api.list_repo_files(repo)) == [".gitattributes", "dd/a"]
    for absent in (lambda: api.delete_file("none", repo), lambda: api.delete_file("dd", repo)):
        with pytest.raises(RemoteEntryNotFoundError, match="A file with this name doesn't exist"):
            absent()
    with pytest.raises(RemoteEntryNotFoundError):
        api.delete_folder("none", repo)


@pytest.mark.works("HfApi.preupload_lfs_files")
def test_preupload(api, repo, read):
    operations = []
    for i in range(3):
        operation = CommitOperationAdd(f"{i}.bin", noise(80_000, i))
        api.preupload_lfs_files(repo, [operation])
        assert operation._is_uploaded
        operations.append(operation)
    assert api.list_repo_files(repo) == [".gitattributes"]
    api.create_commit(repo, operations, commit_message="At last")
    assert [read(repo, f"{i}.bin") for i in range(3)] == [noise(80_000, i) for i in range(3)]


def preupload(hub, repo, files, **body):
    files = [{"path": p, "size": len(c), "sample": base64.b64encode(c[:512]).decode()} for p, c in files.items()]
    reply = hub.request(
        "POST", f"/api/models/{repo}/preupload/main", token=hub.alice.token, json={"files": files, **body}
    )
    assert reply.status_code == 200, reply.text
    return {f["path"]: f for f in reply.json()["files"]}


def test_preupload_rules(api, hub, repo):
    found = preupload(
        hub,
        repo,
        {
            "README.md": b"# hi",
            "w.safetensors": b"x" * 10,
            "data.parquet": b"PAR1",
            "binary.dat": bytes(range(256)) * 2,
            "text.dat": b"plain words\n",
            "utf8.txt": "héé ☃".encode(),
            "dir/p.bin": b"\0",
            "archive.tar.gz": b"\x1f\x8b",
        },
    )
    modes = {p: f["uploadMode"] for p, f in found.items()}
    assert modes == {
        "README.md": "regular",
        "w.safetensors": "lfs",
        "data.parquet": "lfs",
        "binary.dat": "lfs",
        "text.dat": "regular",
        "utf8.txt": "regular",
        "dir/p.bin": "lfs",
        "archive.tar.gz": "lfs",
    }
    assert not any(f["shouldIgnore"] for f in found.values())
    reply = hub.request(
        "POST",
        f"/api/models/{repo}/preupload/main",
        token=hub.alice.token,
        json={"files": [{"path": "huge.txt", "size": 11 * 1024 * 1024, "sample": "YWE="}]},
    )
    assert reply.json()["files"][0]["uploadMode"] == "lfs"


def test_preupload_follows_gitattributes(api, hub, repo):
    api.upload_file(
        path_or_fileobj=b"*.dat filter=lfs diff=lfs merge=lfs -text\n", path_in_repo=".gitattributes", repo_id=repo
    )
    found = preupload(hub, repo, {"a.dat": b"words", "a.bin": b"words"})
    assert (found["a.dat"]["uploadMode"], found["a.bin"]["uploadMode"]) == ("lfs", "regular")
    found = preupload(hub, repo, {"a.dat": b"words", "a.txt": b"words"}, gitAttributes="*.txt filter=lfs")
    assert (found["a.dat"]["uploadMode"], found["a.txt"]["uploadMode"]) == ("regular", "lfs")


def test_preupload_follows_gitignore(api, hub, repo):
    found = preupload(hub, repo, {"a.log": b"x", "d/b.log": b"x", "keep.log": b"x", "c.txt": b"x"}, gitIgnore="*.log\n!keep.log\n")
    assert {p for p, f in found.items() if f["shouldIgnore"]} == {"a.log", "d/b.log"}
    api.create_commit(
        repo,
        [
            CommitOperationAdd(".gitignore", b"*.tmp\n/build/\n"),
            CommitOperationAdd("a.tmp", b"x"),
            CommitOperationAdd("w.bin.tmp", noise(9000)),
            CommitOperationAdd("build/out.txt", b"x"),
            CommitOperationAdd("kept.txt", b"x"),
        ],
        commit_message="Ignore",
    )
    assert sorted(api.list_repo_files(repo)) == [".gitattributes", ".gitignore", "kept.txt"]
    api.create_commit(
        repo, [CommitOperationAdd("b.tmp", b"x"), CommitOperationAdd("b.txt", b"x")], commit_message="The one in the repo"
    )
    assert "b.tmp" not in api.list_repo_files(repo)


def test_preupload_tells_the_current_oid(api, hub, repo):
    api.create_commit(
        repo, [CommitOperationAdd("a.txt", b"a"), CommitOperationAdd("w.bin", noise(9000))], commit_message="x"
    )
    found = preupload(hub, repo, {"a.txt": b"b", "w.bin": b"\0", "new.txt": b"n"})
    tree = {f.path: f for f in api.list_repo_tree(repo)}
    assert found["a.txt"]["oid"] == tree["a.txt"].blob_id
    assert found["w.bin"]["oid"] == tree["w.bin"].lfs.sha256
    assert found["new.txt"].get("oid") is None


def post_commit(hub, repo, token, *lines, header=None, revision="main", raw=None):
    lines = [{"key": "header", "value": header or {"summary": "raw", "description": ""}}, *lines]
    body = raw if raw is not None else "\n".join(json.dumps(line) for line in lines)
    return hub.request(
        "POST",
        f"/api/models/{repo}/commit/{revision}",
        token=token,
        content=body,
        headers={"Content-Type": "application/x-ndjson"},
    )


def added(path, content="x"):
    return {"key": "file", "value": {"path": path, "content": content}}


@pytest.mark.parametrize(
    "path",
    ["..\\ddd", "../x", "a/../../x", "/x", "a//b", "a/", "", ".", "./x", ".git/config", "a/.git/x", ".GIT/x", "a\0b", "x" * 5000],
)
def test_commit_to_a_bad_path(hub, repo, path):
    reply = post_commit(hub, repo, hub.alice.token, added("good.txt"), added(path))
    assert reply.status_code == 422, reply.text
    assert reply.json()["error"]
    assert hub.request("GET", f"/{repo}/resolve/main/good.txt").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        "",
        "not json",
        '{"key":"file","value":{"path":"x","content":"x"}}',
        '{"key":"header","value":{"summary":"s"}}\n{"key":"unknown","value":{}}',
        '{"key":"header","value":{"summary":"s"}}\n{"key":"file","value":{"path":"x","content":"!!!","encoding":"base64"}}',
        '{"key":"header","value":{"summary":"s"}}\n{"key":"lfsFile","value":{"path":"x","algo":"sha256","oid":"zz","size":1}}',
        '{"key":"header","value":{"summary":"s"}}\n{"key":"lfsFile","value":{"path":"x","algo":"sha256","oid":"%s","size":1}}' % ("ab" * 32),
        '{"key":"header","value":{"summary":"s"}}\n{"key":"fi',
    ],
)
def test_commit_with_a_bad_body(hub, repo, body):
    reply = post_commit(hub, repo, hub.alice.token, raw=body)
    assert reply.status_code in (400, 404, 422), reply.text
    assert reply.json()["error"]


def test_commit_where_a_folder_is_a_file(api, hub, repo):
    assert post_commit(hub, repo, hub.alice.token, added("a/b")).status_code == 200
    for clash in ([added("a/b/c")], [added("x"), added("x/y")]):
        reply = post_commit(hub, repo, hub.alice.token, *clash)
        assert reply.status_code in (200, 422), reply.text
    paths = set(api.list_repo_files(repo))
    assert not any(p + "/" == q[: len(p) + 1] for p in paths for q in paths if p != q)


def test_commit_in_the_older_forms(api, hub, repo):
    """deletedEntry lines, plain utf-8, a body of one JSON object."""
    reply = post_commit(hub, repo, hub.alice.token, added("a", "ä"), added("b"), added("d/c"))
    assert reply.json()["success"] is True
    assert hub.request("GET", f"/{repo}/resolve/main/a").content == "ä".encode()
    post_commit(hub, repo, hub.alice.token, {"key": "deletedEntry", "value": {"path": "b"}})
    reply = hub.request(
        "POST",
        f"/api/models/{repo}/commit/main",
        token=hub.alice.token,
        json={"summary": "old", "files": [{"path": "e", "content": "x"}], "deletedEntries": [{"path": "d/c"}]},
    )
    assert reply.status_code == 200, reply.text
    assert sorted(api.list_repo_files(repo)) == [".gitattributes", "a", "e"]


def test_commit_of_100_mb_in_one_body(api, hub, repo):
    """Regular files of 5 MB each, as base64 lines."""
    content = base64.b64encode(b"text that is not binary\n" * 220_000).decode()
    lines = [
        {"key": "file", "value": {"path": f"{i}.txt", "content": content, "encoding": "base64"}} for i in range(15)
    ]
    reply = post_commit(hub, repo, hub.alice.token, *lines)
    assert reply.status_code == 200, reply.text
    assert len(api.list_repo_files(repo)) == 16
    got = hub.request("GET", f"/{repo}/resolve/main/14.txt", follow_redirects=True)
    assert len(got.content) == 24 * 220_000


@pytest.mark.works("HfApi.create_commit")
def test_commit_of_20_000_operations(api, new_repo):
    repo = new_repo("dataset")
    before = time.monotonic()
    api.create_commit(
        repo,
        [CommitOperationAdd(f"d{i % 100}/{i}.txt", str(i).encode()) for i in range(20_000)],
        commit_message="Many",
        repo_type="dataset",
    )
    assert len(api.list_repo_files(repo, repo_type="dataset")) == 20_001
    assert time.monotonic() - before < 60
    api.create_commit(
        repo,
        [CommitOperationDelete(f"d{i}/") for i in range(99)],
        commit_message="Fewer",
        repo_type="dataset",
    )
    assert len(api.list_repo_files(repo, repo_type="dataset")) == 201


def test_many_writers_on_one_branch(api, repo):
    """Every acknowledged commit is there."""
    from concurrent.futures import ThreadPoolExecutor

    def write(i):
        api.upload_file(path_or_fileobj=str(i).encode(), path_in_repo=f"{i}.txt", repo_id=repo)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(24)))
    assert sorted(api.list_repo_files(repo)) == sorted([".gitattributes", *(f"{i}.txt" for i in range(24))])
    assert len(api.list_repo_commits(repo)) == 25


@pytest.mark.works("CommitScheduler")
def test_commit_scheduler(api, unique, tmp_path, read):
    (tmp_path / "watched").mkdir()
    name = f"alice/{unique()}"
    scheduler = CommitScheduler(
        repo_id=name, folder_path=tmp_path / "watched", repo_type="dataset", every=60, hf_api=api, path_in_repo="log"
    )
    with scheduler.lock:
        (tmp_path / "watched" / "a.jsonl").write_text('{"a": 1}\n')
    scheduler.trigger().result()
    with scheduler.lock, (tmp_path / "watched" / "a.jsonl").open("a") as f:
        f.write('{"a": 2}\n')
    scheduler.trigger().result()
    scheduler.stop()
    assert read(name, "log/a.jsonl", repo_type="dataset") == b'{"a": 1}\n{"a": 2}\n'


@dataclass
class Tiny(ModelHubMixin, library_name="tiny", tags=["toy"], repo_url="http://example.org"):
    size: int = 3

    def _save_pretrained(self, folder):
        (folder / "weights.bin").write_bytes(noise(50_000, self.size))

    @classmethod
    def _from_pretrained(cls, *, model_id, **kwargs):
        from huggingface_hub import hf_hub_download

        download = {k: kwargs[k] for k in ("revision", "cache_dir", "token", "local_files_only", "force_download")}
        path = hf_hub_download(model_id, "weights.bin", **download)
        loaded = cls(size=kwargs.get("size", 3))
        loaded.weights = open(path, "rb").read()
        return loaded


@pytest.mark.works("ModelHubMixin.push_to_hub", "ModelHubMixin.from_pretrained")
def test_push_to_hub(api, unique, tmp_path):
    name = f"alice/{unique()}"
    Tiny(size=5).push_to_hub(name)
    assert sorted(api.list_repo_files(name)) == [".gitattributes", "README.md", "config.json", "weights.bin"]
    info = api.model_info(name)
    assert info.library_name == "tiny"
    assert "toy" in info.tags
    loaded = Tiny.from_pretrained(name, cache_dir=tmp_path)
    assert (loaded.size, loaded.weights) == (5, noise(50_000, 5))


@pytest.mark.works("ModelCard.push_to_hub", "ModelCard.load", "metadata_update")
def test_model_card(api, repo, tmp_path):
    from huggingface_hub import ModelCard

    model_card = ModelCard(card(license="mit", tags=["one"]).decode())
    model_card.validate()
    model_card.push_to_hub(repo)
    assert ModelCard.load(repo).data.license == "mit"
    metadata_update(repo, {"license": "apache-2.0", "tags": ["one", "two"]}, overwrite=True)
    loaded = api.model_info(repo)
    assert loaded.card_data.license == "apache-2.0"
    assert "license:apache-2.0" in loaded.tags and "two" in loaded.tags


def test_validate_yaml(api, hub, repo):
    def validate(content, repo_type="model"):
        return hub.request("POST", "/api/validate-yaml", json={"content": content, "repoType": repo_type})

    good = validate(card(license="mit").decode())
    assert (good.status_code, good.json()["errors"]) == (200, [])
    bare = validate("# no metadata")
    assert (bare.status_code, bare.json()["errors"]) == (200, [])
    assert bare.json()["warnings"]
    bad = validate("---\nlicense: [mit\n---\n")
    assert bad.status_code == 400
    assert bad.json()["errors"][0]["message"]
    with pytest.raises(ValueError, match="Invalid metadata in README.md"):
        api.upload_file(path_or_fileobj=b"---\nlicense: [mit\n---\n", path_in_repo="README.md", repo_id=repo)
    with pytest.warns(UserWarning, match="metadata"):
        api.upload_file(path_or_fileobj=b"# none", path_in_repo="README.md", repo_id=repo)


@pytest.mark.works("hf upload")
def test_hf_upload(hf, api, unique, tmp_path, read):
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "w.bin").write_bytes(noise(70_000))
    (folder / "a.txt").write_text("a")
    (folder / "README.md").write_bytes(card(license="mit"))
    name = f"alice/{unique()}"
    hf("upload", name, str(folder), "--exclude", "*.md")  # creates the repository
    assert sorted(api.list_repo_files(name)) == [".gitattributes", "a.txt", "sub/w.bin"]
    assert read(name, "sub/w.bin") == noise(70_000)
    hf("upload", name, str(folder / "a.txt"), "renamed.txt", "--commit-message", "One file")
    assert api.list_repo_commits(name)[0].title == "One file"
    hf("upload", name, str(folder), "--revision", "new-branch", "--delete", "*.txt", "--include", "*.md")
    assert sorted(api.list_repo_files(name, revision="new-branch")) == [".gitattributes", "README.md", "sub/w.bin"]
    data = f"alice/{unique()}"
    hf("upload", data, str(folder), ".", "--repo-type", "dataset", "--private")
    assert api.dataset_info(data).private


@pytest.mark.works("LFS batch upload", "LFS multipart upload", "LFS download")
def test_lfs(api, hub, repo, read):
    """The LFS protocol by hand: batch, single and multipart PUT, verify, download."""
    import hashlib

    headers = {"Accept": "application/vnd.git-lfs+json", "Content-Type": "application/vnd.git-lfs+json"}

    def batch(operation, *contents, size=None, token=hub.alice.token):
        objects = [{"oid": hashlib.sha256(c).hexdigest(), "size": size or len(c)} for c in contents]
        return hub.request(
            "POST",
            f"/{repo}.git/info/lfs/objects/batch",
            token=token,
            headers=headers,
            json={"operation": operation, "transfers": ["basic", "multipart"], "objects": objects, "hash_algo": "sha256"},
        )

    def put(content):
        reply = batch("upload", content)
        assert reply.status_code == 200, reply.text
        assert reply.headers["Content-Type"].startswith("application/vnd.git-lfs+json")
        (described,) = reply.json()["objects"]
        upload = described["actions"]["upload"]
        chunk = upload.get("header", {}).get("chunk_size")
        client = hub.request
        if chunk is None:
            assert client("PUT", upload["href"].removeprefix(hub.url), content=content).status_code == 200
        else:
            numbers = sorted(k for k in upload["header"] if k.isdigit())
            parts = []
            for i, number in enumerate(numbers):
                part = content[i * int(chunk) : (i + 1) * int(chunk)]
                done = client("PUT", upload["header"][number].removeprefix(hub.url), content=part)
                assert done.status_code == 200 and done.headers["ETag"]
                parts.append({"partNumber": int(number), "etag": done.headers["ETag"]})
            # No Authorization: the completion URL carries its own right.
            done = client("POST", upload["href"].removeprefix(hub.url), headers=headers, json={"oid": described["oid"], "parts": parts})
            assert done.status_code == 200, done.text
        if verify := described["actions"].get("verify"):
            done = client(
                "POST",
                verify["href"].removeprefix(hub.url),
                token=hub.alice.token,
                json={"oid": described["oid"], "size": described["size"]},
            )
            assert done.status_code == 200, done.text
        return described["oid"]

    small = noise(200_000, 21)
    oid = put(small)
    large = noise(13_000_000, 24)
    (described,) = batch("upload", large).json()["objects"]
    assert {k for k in described["actions"]["upload"]["header"] if k.isdigit()} == {"1", "2", "3"}
    line = {"key": "lfsFile", "value": {"path": "l.bin", "algo": "sha256", "oid": put(large), "size": len(large)}}
    assert post_commit(hub, repo, hub.alice.token, line).status_code == 200
    assert read(repo, "l.bin") == large
    (again,) = batch("upload", small).json()["objects"]
    assert again.get("actions", "absent") == "absent"  # present already: the key is not there at all
    line = {"key": "lfsFile", "value": {"path": "s.bin", "algo": "sha256", "oid": oid, "size": len(small)}}
    assert post_commit(hub, repo, hub.alice.token, line).status_code == 200
    assert read(repo, "s.bin") == small

    (down,) = batch("download", small).json()["objects"]
    got = hub.request("GET", down["actions"]["download"]["href"].removeprefix(hub.url), headers=down["actions"]["download"].get("header", {}))
    assert got.content == small
    (absent,) = batch("download", b"never stored").json()["objects"]
    assert absent["error"]["code"] == 404
    assert batch("upload", small, token=hub.bob.token).status_code == 403
    assert batch("upload", small, token=None).status_code == 401

    # A body that is not what it claims is refused.
    other = noise(5000, 22)
    (described,) = batch("upload", other).json()["objects"]
    href = described["actions"]["upload"]["href"].removeprefix(hub.url)
    assert hub.request("PUT", href, content=noise(5000, 23)).status_code in (400, 422)
    assert hub.request("PUT", href, content=other[:-1]).status_code in (400, 422)


@pytest.mark.works("HfApi.upload_file")
def test_multipart_by_the_client(api, repo, read):
    """A buffer goes by LFS even with Xet on; this one is large enough for parts."""
    content = noise(16 << 20, 31)
    api.upload_file(path_or_fileobj=io.BytesIO(content), path_in_repo="parts.bin", repo_id=repo)
    assert read(repo, "parts.bin") == content


def test_every_door_leads_to_the_same_bytes(api, hub, new_repo, read):
    """Xet or LFS in; plain HTTP, Xet and LFS out; stored once."""
    one, other = new_repo(), new_repo()
    content = noise(3 << 20, 41)
    api.upload_file(path_or_fileobj=content, path_in_repo="w.bin", repo_id=one)
    api.upload_file(path_or_fileobj=io.BytesIO(content), path_in_repo="w.bin", repo_id=other)
    for repo in (one, other):
        assert read(repo, "w.bin") == content
        assert hub.request("GET", f"/{repo}/resolve/main/w.bin", follow_redirects=True).content == content
    a, b = (api.get_paths_info(r, "w.bin")[0] for r in (one, other))
    assert (a.lfs.sha256, a.blob_id) == (b.lfs.sha256, b.blob_id)
    assert a.xet_hash and b.xet_hash
    head = get_hf_file_metadata(hf_hub_url(other, "w.bin"))
    assert head.xet_file_data.file_hash == b.xet_hash
    assert head.etag == b.lfs.sha256 and head.size == len(content)
    assert constants.ENDPOINT in head.xet_file_data.refresh_route


def test_xet_is_off_when_asked(pytestconfig):
    """Says which arm this is, so that a run with the variable lost would show."""
    assert is_xet_available() != constants.HF_HUB_DISABLE_XET


def test_bad_request_is_shown(api, repo):
    with pytest.raises((BadRequestError, HfHubHTTPError)) as e:
        api.create_tag(repo, tag="bad..name")
    assert e.value.response.json()["error"]
