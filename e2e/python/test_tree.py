"""Trees, refs, commits, branches, tags, large files."""

import datetime

import pytest
from content import noise
from huggingface_hub import CommitOperationAdd
from huggingface_hub.errors import (
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoFile, RepoFolder

TYPES = ["model", "dataset", "space"]


@pytest.fixture(scope="module")
def tree(api) -> str:
    repo = api.create_repo("alice/a-tree").repo_id
    api.create_commit(
        repo,
        [
            CommitOperationAdd("b.txt", b"b"),
            CommitOperationAdd("d/e/f.txt", b"f"),
            CommitOperationAdd("d/w.bin", noise(80_000)),
        ],
        commit_message="Trees",
    )
    return repo


@pytest.mark.works("HfApi.list_repo_tree", "HfApi.list_repo_files")
def test_list_repo_tree(api, tree):
    top = {f.path: f for f in api.list_repo_tree(tree)}
    assert set(top) == {".gitattributes", "b.txt", "d"}
    assert isinstance(top["d"], RepoFolder) and len(top["d"].tree_id) == 40
    assert isinstance(top["b.txt"], RepoFile) and top["b.txt"].size == 1
    assert top["b.txt"].blob_id == "63d8dbd40c23542e740659a7168a0ce3138ea748"
    assert top["b.txt"].lfs is None and top["b.txt"].last_commit is None

    everything = {f.path: f for f in api.list_repo_tree(tree, recursive=True)}
    assert set(everything) == {".gitattributes", "b.txt", "d", "d/e", "d/e/f.txt", "d/w.bin"}
    large = everything["d/w.bin"]
    assert large.size == large.lfs.size == 80_000
    assert len(large.lfs.sha256) == 64 and len(large.xet_hash) == 64 and large.lfs.pointer_size > 100

    assert [f.path for f in api.list_repo_tree(tree, "d/e")] == ["d/e/f.txt"]
    assert {f.path for f in api.list_repo_tree(tree, "d", recursive=True)} == {"d/e", "d/e/f.txt", "d/w.bin"}
    assert sorted(api.list_repo_files(tree)) == [".gitattributes", "b.txt", "d/e/f.txt", "d/w.bin"]


@pytest.mark.works("HfApi.list_repo_tree")
def test_list_repo_tree_with_last_commits(api, tree):
    api.upload_file(path_or_fileobj=b"g", path_in_repo="d/e/g.txt", repo_id=tree, commit_message="Only g")
    found = {f.path: f.last_commit for f in api.list_repo_tree(tree, recursive=True, expand=True)}
    assert found["b.txt"].title == "Trees"
    assert found["d/e/g.txt"].title == found["d/e"].title == found["d"].title == "Only g"
    assert found[".gitattributes"].title == "initial commit"
    assert found["d"].oid == api.model_info(tree).sha
    assert found["d"].date.tzinfo == datetime.timezone.utc
    api.delete_file("d/e/g.txt", tree)


@pytest.mark.works("HfApi.list_repo_tree")
def test_list_repo_tree_of_what_is_not_there(api, tree):
    with pytest.raises(RemoteEntryNotFoundError):
        list(api.list_repo_tree(tree, "none"))
    with pytest.raises(RemoteEntryNotFoundError):
        list(api.list_repo_tree(tree, "b.txt"))
    with pytest.raises(RevisionNotFoundError):
        list(api.list_repo_tree(tree, revision="none"))
    with pytest.raises(RepositoryNotFoundError):
        list(api.list_repo_tree("alice/none"))


@pytest.mark.works("HfApi.list_repo_tree")
def test_list_repo_tree_over_pages(api, hub, new_repo):
    repo = new_repo("dataset")
    api.create_commit(
        repo,
        [CommitOperationAdd(f"d{i % 3}/{i:04}.txt", str(i).encode()) for i in range(2500)],
        commit_message="Pages",
        repo_type="dataset",
    )
    paths = [f.path for f in api.list_repo_tree(repo, recursive=True, repo_type="dataset")]
    assert len(paths) == len(set(paths)) == 2500 + 3 + 1
    expanded = list(api.list_repo_tree(repo, "d0", expand=True, repo_type="dataset"))
    assert len({f.path for f in expanded}) == 834
    assert all(f.last_commit.title == "Pages" for f in expanded)
    first = hub.request("GET", f"/api/datasets/{repo}/tree/main?recursive=true&limit=10")
    assert len(first.json()) == 10
    assert first.headers["Link"].startswith(f"<{hub.url}/api/datasets/{repo}/tree/main?")
    assert first.headers["Link"].endswith('>; rel="next"')


@pytest.mark.works("HfApi.get_paths_info")
def test_get_paths_info(api, tree):
    found = {f.path: f for f in api.get_paths_info(tree, ["b.txt", "d", "d/e/f.txt", "none", "d/w.bin"])}
    assert set(found) == {"b.txt", "d", "d/e/f.txt", "d/w.bin"}
    assert isinstance(found["d"], RepoFolder)
    assert found["d/w.bin"].lfs.size == 80_000
    (expanded,) = api.get_paths_info(tree, "b.txt", expand=True)
    assert expanded.last_commit.title == "Trees"
    assert api.get_paths_info(tree, ["none"]) == []
    with pytest.raises(RevisionNotFoundError):
        api.get_paths_info(tree, "b.txt", revision="none")


@pytest.mark.works("HfApi.get_paths_info")
def test_get_paths_info_as_json(hub, tree):
    reply = hub.request("POST", f"/api/models/{tree}/paths-info/main", json={"paths": ["b.txt"], "expand": True})
    assert [f["path"] for f in reply.json()] == ["b.txt"]


@pytest.mark.works("HfApi.create_branch", "HfApi.delete_branch", "HfApi.list_repo_refs")
@pytest.mark.parametrize("repo_type", TYPES)
def test_branches(api, bob, new_repo, repo_type):
    repo = new_repo(repo_type)
    kwargs = {"repo_type": repo_type}
    first = api.repo_info(repo, **kwargs).sha
    second = api.upload_file(path_or_fileobj=b"x", path_in_repo="x", repo_id=repo, **kwargs).oid
    api.create_branch(repo, branch="old", revision=first, **kwargs)
    api.create_branch(repo, branch="also/old", revision="old", **kwargs)
    api.create_branch(repo, branch="new", **kwargs)
    refs = api.list_repo_refs(repo, **kwargs)
    assert refs.branches[0].name == "main"
    assert {b.name: (b.ref, b.target_commit) for b in refs.branches} == {
        "main": ("refs/heads/main", second),
        "new": ("refs/heads/new", second),
        "old": ("refs/heads/old", first),
        "also/old": ("refs/heads/also/old", first),
    }
    assert (refs.tags, refs.converts, refs.pull_requests) == ([], [], None)
    assert api.list_repo_refs(repo, include_pull_requests=True, **kwargs).pull_requests == []

    with pytest.raises(HfHubHTTPError, match="Reference refs/heads/new already exists") as e:
        api.create_branch(repo, branch="new", **kwargs)
    assert e.value.response.status_code == 409
    api.create_branch(repo, branch="new", exist_ok=True, **kwargs)
    with pytest.raises(RevisionNotFoundError):
        api.create_branch(repo, branch="b", revision="none", **kwargs)
    for bad in ("a..b", "a b~", "/a", "a.lock", "x:y"):
        with pytest.raises(HfHubHTTPError) as e:
            api.create_branch(repo, branch=bad, **kwargs)
        assert e.value.response.status_code in (400, 422), bad
    with pytest.raises(HfHubHTTPError) as e:
        bob.create_branch(repo, branch="bobs", **kwargs)
    assert e.value.response.status_code == 403

    api.delete_branch(repo, branch="also/old", **kwargs)
    with pytest.raises(HfHubHTTPError, match="Cannot delete refs/heads/main"):
        api.delete_branch(repo, branch="main", **kwargs)
    with pytest.raises(HfHubHTTPError) as e:
        api.delete_branch(repo, branch="none", **kwargs)
    assert e.value.response.status_code == 404
    assert {b.name for b in api.list_repo_refs(repo, **kwargs).branches} == {"main", "new", "old"}


@pytest.mark.works("HfApi.create_tag", "HfApi.delete_tag", "HfApi.list_repo_refs")
@pytest.mark.parametrize("repo_type", TYPES)
def test_tags(api, new_repo, repo_type):
    repo = new_repo(repo_type)
    kwargs = {"repo_type": repo_type}
    first = api.repo_info(repo, **kwargs).sha
    api.upload_file(path_or_fileobj=b"x", path_in_repo="x", repo_id=repo, **kwargs)
    api.create_tag(repo, tag="v1", revision=first, tag_message="the first", **kwargs)
    api.create_tag(repo, tag="v2", **kwargs)
    assert {t.name for t in api.list_repo_refs(repo, **kwargs).tags} == {"v1", "v2"}
    assert all(t.ref == f"refs/tags/{t.name}" for t in api.list_repo_refs(repo, **kwargs).tags)
    # A tag with a message is an object of its own, but it resolves to the commit.
    assert api.repo_info(repo, revision="v1", **kwargs).sha == first
    with pytest.raises(HfHubHTTPError) as e:
        api.create_tag(repo, tag="v1", **kwargs)
    assert e.value.response.status_code == 409
    api.create_tag(repo, tag="v1", exist_ok=True, **kwargs)
    with pytest.raises(RevisionNotFoundError):
        api.create_tag(repo, tag="v3", revision="none", **kwargs)
    api.delete_tag(repo, tag="v1", **kwargs)
    assert [t.name for t in api.list_repo_refs(repo, **kwargs).tags] == ["v2"]
    with pytest.raises(RevisionNotFoundError):
        api.delete_tag(repo, tag="v1", **kwargs)


@pytest.mark.works("HfApi.revision_exists")
def test_revision_exists(api, repo):
    sha = api.model_info(repo).sha
    for revision in ("main", "refs/heads/main", sha, sha[:8], "HEAD"):
        assert api.revision_exists(repo, revision), revision
    for revision in ("none", "refs/pr/1", "0" * 40, "refs/convert/parquet"):
        assert not api.revision_exists(repo, revision), revision
    assert not api.revision_exists("alice/none", "main")


@pytest.mark.works("HfApi.list_repo_commits")
def test_list_repo_commits(api, hub, repo):
    for i in range(60):
        api.upload_file(
            path_or_fileobj=str(i).encode(), path_in_repo="n", repo_id=repo, commit_message=f"No. {i}", commit_description="*why*"
        )
    commits = api.list_repo_commits(repo, formatted=True)
    assert [c.title for c in commits] == [f"No. {i}" for i in reversed(range(60))] + ["initial commit"]
    assert commits[0].commit_id == api.model_info(repo).sha
    assert commits[0].message == "*why*"
    assert "<em>why</em>" in commits[0].formatted_message
    assert commits[0].authors == ["alice"]
    assert commits[0].created_at.tzinfo == datetime.timezone.utc
    middle = api.list_repo_commits(repo, revision=commits[30].commit_id)
    assert [c.commit_id for c in middle] == [c.commit_id for c in commits[30:]]
    assert hub.request("GET", f"/api/models/{repo}/commits/main?limit=1").headers["X-Total-Count"] == "61"
    with pytest.raises(RevisionNotFoundError):
        api.list_repo_commits(repo, revision="none")


@pytest.mark.works("HfApi.super_squash_history")
def test_super_squash_history(api, repo, tmp_path):
    for i in range(3):
        api.upload_file(path_or_fileobj=noise(20_000, i), path_in_repo=f"{i}.bin", repo_id=repo)
    api.create_tag(repo, tag="before")
    api.create_branch(repo, branch="side")
    api.super_squash_history(repo, commit_message="One commit")
    assert [c.title for c in api.list_repo_commits(repo)] == ["One commit"]
    assert len(api.list_repo_commits(repo, revision="before")) == 4
    assert sorted(api.list_repo_files(repo)) == [".gitattributes", "0.bin", "1.bin", "2.bin"]
    assert open(api.hf_hub_download(repo, "2.bin", cache_dir=tmp_path), "rb").read() == noise(20_000, 2)
    api.super_squash_history(repo, branch="side")
    assert [c.title for c in api.list_repo_commits(repo, revision="side")] == [
        "Super-squash branch 'side' using huggingface_hub"
    ]
    with pytest.raises(RevisionNotFoundError):
        api.super_squash_history(repo, branch="none")


@pytest.mark.works("HfApi.list_lfs_files", "HfApi.permanently_delete_lfs_files")
def test_lfs_files(api, repo, tmp_path):
    for name, seed in (("kept.bin", 1), ("purged.bin", 2), ("old.bin", 3)):
        api.upload_file(path_or_fileobj=noise(60_000, seed), path_in_repo=name, repo_id=repo)
    api.delete_file("old.bin", repo)
    found = {f.filename: f for f in api.list_lfs_files(repo)}
    assert set(found) == {"kept.bin", "purged.bin", "old.bin"}
    kept = api.get_paths_info(repo, "kept.bin")[0]
    assert (found["kept.bin"].oid, found["kept.bin"].size) == (kept.lfs.sha256, 60_000)
    assert found["kept.bin"].pushed_at.tzinfo == datetime.timezone.utc
    api.permanently_delete_lfs_files(repo, [found["purged.bin"], found["old.bin"]])
    assert [f.filename for f in api.list_lfs_files(repo)] == ["kept.bin"]
    assert sorted(api.list_repo_files(repo)) == [".gitattributes", "kept.bin"]
    assert open(api.hf_hub_download(repo, "kept.bin", cache_dir=tmp_path), "rb").read() == noise(60_000, 1)


def test_compare(api, hub, repo):
    first = api.upload_file(path_or_fileobj=b"one\n", path_in_repo="a.txt", repo_id=repo).oid
    second = api.upload_file(path_or_fileobj=b"two\n", path_in_repo="a.txt", repo_id=repo).oid
    reply = hub.request("GET", f"/api/models/{repo}/compare/{first}..{second}")
    assert reply.status_code == 200
    assert [(c["path"], c["type"]) for c in reply.json()] == [("a.txt", "modified")]
    raw = hub.request("GET", f"/api/models/{repo}/compare/{first}..{second}?raw=true").text
    assert "-one\n+two\n" in raw and "+++ b/a.txt" in raw
    assert hub.request("GET", f"/api/models/{repo}/compare/{first}..none").status_code == 404


def test_treesize(api, hub, tree):
    reply = hub.request("GET", f"/api/models/{tree}/treesize/main/d")
    assert reply.json()["size"] == 80_001
