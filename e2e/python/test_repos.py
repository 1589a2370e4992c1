"""Repositories: create, delete, move, settings, duplicate."""

import pytest
from content import noise
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

TYPES = ["model", "dataset", "space"]
PREFIX = {"model": "", "dataset": "datasets/", "space": "spaces/", "kernel": "kernels/"}


@pytest.mark.works("HfApi.create_repo", "HfApi.repo_info")
@pytest.mark.parametrize("repo_type", [*TYPES, "kernel"])
def test_create_repo(api, hub, unique, repo_type):
    name = unique()
    url = api.create_repo(f"alice/{name}", repo_type=repo_type, space_sdk="static" if repo_type == "space" else None)
    assert str(url) == f"{hub.url}/{PREFIX[repo_type]}alice/{name}"
    assert (url.repo_id, url.repo_type) == (f"alice/{name}", repo_type)
    info = api.repo_info(url.repo_id, repo_type=repo_type)
    assert info.id == url.repo_id
    assert info.author == "alice"
    assert not info.private
    assert len(info.sha) == 40
    if repo_type == "kernel":
        return
    files = api.list_repo_files(url.repo_id, repo_type=repo_type)
    assert ".gitattributes" in files
    first = api.list_repo_commits(url.repo_id, repo_type=repo_type)
    assert [c.title for c in first] == ["initial commit"]
    assert first[0].authors == ["alice"]
    if repo_type == "space":
        assert "README.md" in files
        assert info.sdk == "static"


@pytest.mark.works("HfApi.create_repo")
def test_create_repo_in_the_own_namespace(api, unique):
    assert api.create_repo(unique()).repo_id.startswith("alice/")


@pytest.mark.works("HfApi.create_repo")
@pytest.mark.parametrize("repo_type", TYPES)
def test_create_repo_that_exists(api, unique, repo_type):
    name = f"alice/{unique()}"
    kwargs = {"repo_type": repo_type, "space_sdk": "static" if repo_type == "space" else None}
    first = api.create_repo(name, **kwargs)
    with pytest.raises(HfHubHTTPError) as e:
        api.create_repo(name, **kwargs)
    assert e.value.response.status_code == 409
    assert e.value.response.json()["url"] == str(first)
    assert api.create_repo(name, exist_ok=True, **kwargs) == first
    # Names are compared without case; the canonical one comes back.
    assert api.create_repo(name.upper().replace("ALICE", "alice"), exist_ok=True, **kwargs) == first


@pytest.mark.works("HfApi.create_repo")
def test_create_repo_private(api, anon, unique):
    url = api.create_repo(f"alice/{unique()}", private=True)
    assert api.model_info(url.repo_id).private
    with pytest.raises(RepositoryNotFoundError):
        anon.model_info(url.repo_id)
    assert api.model_info(api.create_repo(f"alice/{unique()}", visibility="public").repo_id).private is False


@pytest.mark.works("HfApi.create_repo")
def test_create_repo_where_one_may_not(api, anon, unique):
    for who in (api, anon):
        with pytest.raises(HfHubHTTPError) as e:
            who.create_repo(f"bob/{unique()}")
        assert e.value.response.status_code in (401, 403)


@pytest.mark.parametrize("name", ["a b", "a" * 97, "x.git", "-a", "a..b", "a--b", "..", "a%2Fb", "é", "a/b/c", ""])
def test_create_repo_with_a_bad_name(hub, name):
    reply = hub.request("POST", "/api/repos/create", token=hub.alice.token, json={"name": name, "type": "model"})
    assert reply.status_code in (400, 422), name
    assert reply.json()["error"]


@pytest.mark.works("HfApi.repo_exists", "HfApi.delete_repo")
@pytest.mark.parametrize("repo_type", TYPES)
def test_delete_repo(api, bob, new_repo, repo_type):
    repo = new_repo(repo_type)
    assert api.repo_exists(repo, repo_type=repo_type)
    with pytest.raises(HfHubHTTPError) as e:
        bob.delete_repo(repo, repo_type=repo_type)
    assert e.value.response.status_code == 403
    assert api.repo_exists(repo, repo_type=repo_type)
    api.delete_repo(repo, repo_type=repo_type)
    assert not api.repo_exists(repo, repo_type=repo_type)
    with pytest.raises(RepositoryNotFoundError):
        api.delete_repo(repo, repo_type=repo_type)
    api.delete_repo(repo, repo_type=repo_type, missing_ok=True)
    api.create_repo(repo, repo_type=repo_type, space_sdk="static")  # the name is free again


@pytest.mark.works("HfApi.repo_exists")
def test_repo_exists(api, anon, bob, new_repo):
    private = new_repo(private=True)
    assert api.repo_exists(private)
    assert not bob.repo_exists(private)
    assert not anon.repo_exists(private)
    assert not anon.repo_exists("alice/no-such-repo")
    assert not anon.repo_exists("no-such-user/no-such-repo")


@pytest.mark.works("HfApi.move_repo")
@pytest.mark.parametrize("repo_type", TYPES)
def test_move_repo(api, hub, new_repo, unique, repo_type, tmp_path):
    old, new = new_repo(repo_type), f"alice/{unique('-new')}"
    api.upload_file(path_or_fileobj=b"kept", path_in_repo="a/kept.txt", repo_id=old, repo_type=repo_type)
    sha = api.repo_info(old, repo_type=repo_type).sha
    api.move_repo(old, new, repo_type=repo_type)
    assert api.repo_info(new, repo_type=repo_type).sha == sha

    # The old name leads to the new one everywhere.
    assert api.repo_info(old, repo_type=repo_type).id == new
    assert "a/kept.txt" in api.list_repo_files(old, repo_type=repo_type)
    got = api.hf_hub_download(old, "a/kept.txt", repo_type=repo_type, cache_dir=tmp_path)
    assert open(got, "rb").read() == b"kept"
    api.upload_file(path_or_fileobj=b"more", path_in_repo="more.txt", repo_id=old, repo_type=repo_type)
    assert "more.txt" in api.list_repo_files(new, repo_type=repo_type)
    for path in (
        f"/api/{repo_type}s/{old}?expand[]=likes",
        f"/{PREFIX[repo_type]}{old}/resolve/main/a/kept.txt?download=true",
        f"/{PREFIX[repo_type]}{old}",
    ):
        reply = hub.request("GET", path)
        assert reply.status_code in (301, 302, 307, 308), path
        assert reply.headers["Location"].removeprefix(hub.url) == path.replace(old, new)
    assert hub.request("PUT", f"/api/{repo_type}s/{old}/settings", json={}, token=hub.alice.token).status_code == 307

    # A new repository takes the name over.
    api.create_repo(old, repo_type=repo_type, space_sdk="static")
    assert api.repo_info(old, repo_type=repo_type).id == old


@pytest.mark.works("HfApi.move_repo")
def test_move_repo_where_one_may_not(api, bob, new_repo):
    one, other = new_repo(), new_repo()
    with pytest.raises(HfHubHTTPError, match="already exists"):
        api.move_repo(one, other)
    for who, target in ((bob, "bob/taken-away"), (api, "bob/given")):
        with pytest.raises(HfHubHTTPError) as e:
            who.move_repo(one, target)
        assert e.value.response.status_code in (403, 404)
    assert api.model_info(one).id == one


@pytest.mark.works("HfApi.update_repo_settings")
@pytest.mark.parametrize("repo_type", TYPES)
def test_update_repo_settings(api, bob, anon, new_repo, repo_type):
    repo = new_repo(repo_type)
    api.update_repo_settings(repo, private=True, repo_type=repo_type)
    assert api.repo_info(repo, repo_type=repo_type).private
    assert not anon.repo_exists(repo, repo_type=repo_type)
    api.update_repo_settings(repo, visibility="public", repo_type=repo_type)
    assert anon.repo_exists(repo, repo_type=repo_type)
    with pytest.raises(HfHubHTTPError) as e:
        bob.update_repo_settings(repo, private=True, repo_type=repo_type)
    assert e.value.response.status_code == 403
    if repo_type == "space":
        return
    for gated in ("auto", "manual", False):
        api.update_repo_settings(repo, gated=gated, repo_type=repo_type)
        assert api.repo_info(repo, repo_type=repo_type).gated == gated


@pytest.mark.works("HfApi.duplicate_repo")
@pytest.mark.parametrize("repo_type", TYPES)
def test_duplicate_repo(api, bob, hub, new_repo, unique, repo_type, tmp_path):
    source = new_repo(repo_type)
    big = noise(300_000)
    api.upload_file(path_or_fileobj=big, path_in_repo="big.bin", repo_id=source, repo_type=repo_type)
    api.upload_file(path_or_fileobj=b"small", path_in_repo="small.txt", repo_id=source, repo_type=repo_type)
    target = f"bob/{unique('-copy')}"
    url = bob.duplicate_repo(source, target, repo_type=repo_type, private=True)
    assert str(url) == f"{hub.url}/{PREFIX[repo_type]}{target}"
    assert bob.repo_info(target, repo_type=repo_type).private
    assert sorted(bob.list_repo_files(target, repo_type=repo_type)) == sorted(
        api.list_repo_files(source, repo_type=repo_type)
    )
    for name, content in (("big.bin", big), ("small.txt", b"small")):
        got = bob.hf_hub_download(target, name, repo_type=repo_type, cache_dir=tmp_path)
        assert open(got, "rb").read() == content
    with pytest.raises(HfHubHTTPError) as e:
        bob.duplicate_repo(source, target, repo_type=repo_type)
    assert e.value.response.status_code == 409
    assert bob.duplicate_repo(source, target, repo_type=repo_type, exist_ok=True) == url
    # The copy is its own: deleting the source leaves it whole.
    api.delete_repo(source, repo_type=repo_type)
    got = bob.hf_hub_download(target, "big.bin", repo_type=repo_type, cache_dir=tmp_path / "again")
    assert open(got, "rb").read() == big


@pytest.mark.works("HfApi.duplicate_repo")
def test_duplicate_repo_of_somebody_private(bob, new_repo):
    with pytest.raises(RepositoryNotFoundError):
        bob.duplicate_repo(new_repo(private=True), "bob/stolen")


@pytest.mark.works("HfApi.list_user_repos", "hf repos ls")
def test_list_user_repos(api, bob, hf, new_repo):
    one, other = new_repo(private=True), new_repo("dataset")
    found = {(r.type, r.id): r for r in api.list_user_repos()}
    assert found["model", one].visibility == "private"
    assert found["dataset", other].visibility == "public"
    assert all(r.id.startswith("alice/") for r in found.values())
    assert ("model", one) not in {(r.type, r.id) for r in bob.list_user_repos()}
    assert one in hf("repos", "ls", "--limit", "0", "-q").stdout


@pytest.mark.partial("HfApi.list_space_templates", note="the list is empty")
def test_space_templates(api):
    assert api.list_space_templates() == []


def test_ids_do_not_depend_on_case(api, hub, repo, tmp_path):
    shouted = repo.upper()
    assert api.model_info(shouted).id == repo
    assert api.list_repo_files(shouted) == [".gitattributes"]
    api.upload_file(path_or_fileobj=b"x", path_in_repo="x.txt", repo_id=shouted)
    assert open(api.hf_hub_download(shouted, "x.txt", cache_dir=tmp_path), "rb").read() == b"x"
    assert api.file_exists(repo, "x.txt")
    assert hub.request("GET", f"/{shouted}/resolve/main/x.txt", follow_redirects=True).content == b"x"


@pytest.mark.works(
    "hf repos create",
    "hf repos settings",
    "hf repos move",
    "hf repos duplicate",
    "hf repos delete",
    "hf repos branch create",
    "hf repos branch delete",
    "hf repos tag create",
    "hf repos tag list",
    "hf repos tag delete",
    "hf repos delete-files",
)
def test_hf_repos(hf, api, unique):
    name, moved, copy = (f"alice/{unique(s)}" for s in ("-a", "-b", "-c"))
    hf("repos", "create", name, "--repo-type", "dataset", "--private")
    hf("repos", "create", name, "--repo-type", "dataset", "--exist-ok")
    assert api.dataset_info(name).private
    hf("repos", "settings", name, "--repo-type", "dataset", "--public")
    assert not api.dataset_info(name).private
    hf("repos", "branch", "create", name, "dev", "--repo-type", "dataset")
    hf("repos", "tag", "create", name, "v1", "--repo-type", "dataset", "-m", "first")
    assert "v1" in hf("repos", "tag", "list", name, "--repo-type", "dataset", "-q").stdout
    refs = api.list_repo_refs(name, repo_type="dataset")
    assert [b.name for b in refs.branches] == ["main", "dev"]
    hf("repos", "branch", "delete", name, "dev", "--repo-type", "dataset")
    hf("repos", "tag", "delete", name, "v1", "--repo-type", "dataset", "-y")
    refs = api.list_repo_refs(name, repo_type="dataset")
    assert ([b.name for b in refs.branches], refs.tags) == (["main"], [])
    api.upload_file(path_or_fileobj=b"x", path_in_repo="x.txt", repo_id=name, repo_type="dataset")
    hf("repos", "delete-files", name, "*.txt", "--repo-type", "dataset")
    assert api.list_repo_files(name, repo_type="dataset") == [".gitattributes"]
    hf("repos", "move", name, moved, "--repo-type", "dataset")
    hf("repos", "duplicate", moved, copy, "--repo-type", "dataset")
    for repo in (moved, copy):
        hf("repos", "delete", repo, "--repo-type", "dataset", "-y")
        assert not api.repo_exists(repo, repo_type="dataset")


def test_private_repos_answer_as_missing_ones(hub, new_repo):
    """Status, code and message do not tell a private repository from none."""
    private = new_repo(private=True)
    for token in (None, hub.bob.token):
        for path in (
            "/api/models/{}",
            "/api/models/{}/tree/main",
            "/api/models/{}/refs",
            "/api/models/{}/commits/main",
            "/api/models/{}/xet-read-token/main",
            "/{}/resolve/main/.gitattributes",
            "/{}/raw/main/.gitattributes",
            "/{}",
        ):
            got = hub.request("GET", path.format(private), token=token)
            want = hub.request("GET", path.format("alice/no-such-repo"), token=token)
            assert got.status_code == want.status_code
            assert got.status_code in (401, 404)
            assert got.headers.get("X-Error-Code") == want.headers.get("X-Error-Code") == "RepoNotFound"
            assert got.headers.get("X-Error-Message") == want.headers.get("X-Error-Message")
    for method, path, body in (
        ("POST", "/api/models/{}/preupload/main", {"files": []}),
        ("POST", "/api/models/{}/branch/b", {}),
        ("PUT", "/api/models/{}/settings", {"private": False}),
        ("GET", "/api/models/{}/xet-write-token/main", None),
    ):
        got = hub.request(method, path.format(private), token=hub.bob.token, json=body)
        assert (got.status_code, got.headers.get("X-Error-Code")) == (404, "RepoNotFound"), path


def test_every_reply_has_a_request_id(hub):
    for path in ("/", "/api/models", "/api/no-such-route", "/alice/none/resolve/main/x", "/healthz"):
        assert hub.request("GET", path).headers["X-Request-Id"]
    reply = hub.request("GET", "/api/no-such-route")
    assert reply.status_code == 404
    assert reply.json()["error"]
