"""File names that break routers."""

import os
from urllib.parse import quote

import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete

NAMES = [
    "question?.txt",
    "percent%20.txt",
    "percent%2F.txt",
    "percent%.txt",
    "colon:name.txt",
    "comma,name.txt",
    "semi;colon&and=equals.txt",
    "plus+plus.txt",
    "hash#tag.txt",
    "at@sign.txt",
    "space in name.txt",
    " leading space.txt",
    "quote'\"double.txt",
    "brackets [1] {2} (3).txt",
    "back\\slash.txt",
    "emoji 🤗.txt",
    "ünïcödé.txt",
    "日本語.txt",
    "e\u0301 decomposed.txt",
    "tilde~.txt",
    "dollar$.txt",
    "star*.txt",
    "pipe|.txt",
    "lt<gt>.txt",
    "caret^back`tick.txt",
    "..dots..txt",
    "trailing dot.",
    ".hidden",
    "dir with space/näme?.txt",
    "resolve/main/tree/blob.txt",
    "refs/pr/1",
    "a/.b/c",
    "tree",
    "UPPER.txt",
    "upper.txt",
]


@pytest.fixture(scope="module")
def odd(api) -> str:
    repo = api.create_repo("alice/odd-names").repo_id
    api.create_commit(repo, [CommitOperationAdd(n, n.encode()) for n in NAMES], commit_message="Odd")
    return repo


@pytest.mark.works("odd file names")
@pytest.mark.parametrize("name", NAMES)
def test_a_file_survives_its_name(api, hub, odd, tmp_path, name):
    got = api.hf_hub_download(odd, name, cache_dir=tmp_path)
    assert open(got).read() == name
    assert api.file_exists(odd, name)
    assert [f.path for f in api.get_paths_info(odd, name)] == [name]
    assert hub.request("GET", f"/{odd}/raw/main/{quote(name)}").text == name
    assert hub.request("GET", f"/{odd}/blob/main/{quote(name)}").status_code == 200


@pytest.mark.works("odd file names")
def test_all_of_them_at_once(api, odd, tmp_path):
    files = api.list_repo_files(odd)
    assert sorted(files) == sorted([".gitattributes", *NAMES])
    folder = api.snapshot_download(odd, cache_dir=tmp_path)
    for name in NAMES:
        assert open(os.path.join(folder, name)).read() == name
    assert [f.path for f in api.list_repo_tree(odd, "dir with space")] == ["dir with space/näme?.txt"]
    assert len(api.get_paths_info(odd, NAMES)) == len(NAMES)


@pytest.mark.works("odd file names")
def test_delete_one_by_one(api, repo):
    names = NAMES[:12]
    api.create_commit(repo, [CommitOperationAdd(n, b"x") for n in names], commit_message="Odd")
    api.create_commit(repo, [CommitOperationDelete(n) for n in names], commit_message="Gone")
    assert api.list_repo_files(repo) == [".gitattributes"]


@pytest.mark.parametrize("path", ["a//b.txt", "/a.txt", "./a.txt", "x/../a.txt", "a.txt/"])
def test_urls_are_never_tidied(api, hub, path):
    """A path that is not a file's is none, and no redirect to one that is."""
    repo = api.create_repo("alice/never-tidied", exist_ok=True).repo_id
    api.upload_file(path_or_fileobj=b"a", path_in_repo="a.txt", repo_id=repo)
    reply = raw_get(hub, f"/{repo}/resolve/main/{path}")
    assert b" 404 " in reply.splitlines()[0] or b" 400 " in reply.splitlines()[0], reply[:200]


def raw_get(hub, target):
    """A GET whose target no client library has touched."""
    import socket
    from urllib.parse import urlsplit

    address = urlsplit(hub.url)
    with socket.create_connection((address.hostname, address.port), timeout=30) as s:
        s.sendall(f"GET {target} HTTP/1.1\r\nHost: {address.netloc}\r\nConnection: close\r\n\r\n".encode())
        reply = b""
        while chunk := s.recv(65536):
            reply += chunk
    return reply


@pytest.mark.works("odd revision names")
def test_branches(api, repo, tmp_path):
    for name in ("feature/x", "percent%2F", "a#b", "日本", "v1.0", "a+b", "a=b&c"):
        api.create_branch(repo, branch=name)
        api.upload_file(path_or_fileobj=name.encode(), path_in_repo="f", repo_id=repo, revision=name)
        assert open(api.hf_hub_download(repo, "f", revision=name, cache_dir=tmp_path)).read() == name
        assert api.revision_exists(repo, name)
        assert "f" in api.list_repo_files(repo, revision=name)
        assert len(api.list_repo_commits(repo, revision=name)) == 2
        api.delete_branch(repo, branch=name)
        assert not api.revision_exists(repo, name)
