"""HfFileSystem."""

import pytest
from content import noise
from huggingface_hub import CommitOperationAdd, HfFileSystem

LARGE = noise(400_000, 5)


@pytest.fixture
def fs(hub):
    return HfFileSystem(token=hub.alice.token, skip_instance_cache=True)


@pytest.fixture(scope="module")
def stocked(api) -> str:
    repo = api.create_repo("alice/file-system", repo_type="dataset").repo_id
    api.create_commit(
        repo,
        [
            CommitOperationAdd("a.txt", b"line 1\nline 2\n"),
            CommitOperationAdd("data/train/0.csv", b"a,b\n1,2\n"),
            CommitOperationAdd("data/train/1.csv", b"a,b\n3,4\n"),
            CommitOperationAdd("data/large.bin", LARGE),
            CommitOperationAdd("data/ünï code/x?.txt", b"odd"),
        ],
        commit_message="Stock",
        repo_type="dataset",
    )
    return f"datasets/{repo}"


@pytest.mark.works("HfFileSystem.ls", "HfFileSystem.find", "HfFileSystem.glob", "HfFileSystem.walk")
def test_list(fs, stocked):
    names = lambda found: sorted(n.removeprefix(stocked + "/") for n in found)  # noqa: E731
    assert names(fs.ls(stocked, detail=False)) == [".gitattributes", "a.txt", "data"]
    (large,) = [f for f in fs.ls(f"{stocked}/data", detail=True) if f["name"].endswith("large.bin")]
    assert large["type"] == "file" and large["size"] == len(LARGE) and large["lfs"]["size"] == len(LARGE)
    assert names(fs.find(f"{stocked}/data")) == ["data/large.bin", "data/train/0.csv", "data/train/1.csv", "data/ünï code/x?.txt"]
    assert names(fs.glob(f"{stocked}/**/*.csv")) == ["data/train/0.csv", "data/train/1.csv"]
    assert names(fs.glob(f"{stocked}/data/tr*/1.csv")) == ["data/train/1.csv"]
    assert len(list(fs.walk(stocked))) == 4
    with pytest.raises(FileNotFoundError):
        fs.ls(f"{stocked}/none")
    with pytest.raises(FileNotFoundError):
        fs.ls("datasets/alice/none")


@pytest.mark.works("HfFileSystem.info", "HfFileSystem.exists", "HfFileSystem.modified", "HfFileSystem.isdir")
def test_info(fs, stocked, api):
    info = fs.info(f"{stocked}/a.txt")
    assert (info["type"], info["size"]) == ("file", 14)
    assert fs.info(f"{stocked}/data")["type"] == "directory"
    assert fs.info(stocked)["type"] == "directory"
    assert fs.isdir(f"{stocked}/data") and fs.isfile(f"{stocked}/a.txt")
    assert fs.exists(f"{stocked}/a.txt") and not fs.exists(f"{stocked}/none")
    assert not fs.exists("datasets/alice/none")
    assert fs.modified(f"{stocked}/a.txt").tzinfo
    sha = api.dataset_info(stocked.removeprefix("datasets/")).sha
    assert fs.exists(f"{stocked}@{sha}/a.txt")
    assert fs.exists(f"{stocked}@main/data/train")


@pytest.mark.works("HfFileSystem.open", "HfFileSystem.read_block", "HfFileSystem.cat", "HfFileSystem.get", "HfFileSystem.url")
def test_read(fs, stocked, tmp_path, hub):
    with fs.open(f"{stocked}/a.txt", "r") as f:
        assert f.readlines() == ["line 1\n", "line 2\n"]
    assert fs.read_bytes(f"{stocked}/data/ünï code/x?.txt") == b"odd"
    with fs.open(f"{stocked}/data/large.bin", "rb", block_size=50_000) as f:
        f.seek(123_456)
        assert f.read(1000) == LARGE[123_456:124_456]
        f.seek(-10, 2)
        assert f.read() == LARGE[-10:]
        f.seek(0)
        assert f.read() == LARGE
    with fs.open(f"{stocked}/data/large.bin", "rb", block_size=0) as f:
        assert f.read(10) + f.read() == LARGE
    assert fs.read_block(f"{stocked}/data/large.bin", 7, 13) == LARGE[7:20]
    assert fs.cat_file(f"{stocked}/data/large.bin", start=-20, end=-10) == LARGE[-20:-10]
    fs.get_file(f"{stocked}/data/large.bin", str(tmp_path / "got.bin"))
    assert (tmp_path / "got.bin").read_bytes() == LARGE
    fs.get(f"{stocked}/data/train", str(tmp_path / "train"), recursive=True)
    assert sorted(p.name for p in (tmp_path / "train").rglob("*.csv")) == ["0.csv", "1.csv"]
    assert fs.url(f"{stocked}/a.txt") == f"{hub.url}/{stocked}/resolve/main/a.txt"
    with pytest.raises(FileNotFoundError):
        fs.open(f"{stocked}/none", "rb")


@pytest.mark.works("HfFileSystem.open", "HfFileSystem.cp_file", "HfFileSystem.rm", "HfFileSystem.put")
def test_write(fs, api, new_repo, tmp_path):
    repo = new_repo("dataset")
    root = f"datasets/{repo}"
    with fs.open(f"{root}/new.txt", "w") as f:
        f.write("hello")
    with fs.open(f"{root}/new.bin", "wb") as f:
        f.write(LARGE)
    assert fs.cat_file(f"{root}/new.txt") == b"hello"
    fs.cp_file(f"{root}/new.bin", f"{root}/copy/new.bin")
    fs.cp_file(f"{root}/new.txt", f"{root}/copy/new.txt")
    assert fs.cat_file(f"{root}/copy/new.bin") == LARGE
    (tmp_path / "up.txt").write_text("up")
    fs.put_file(str(tmp_path / "up.txt"), f"{root}/up.txt")
    fs.rm_file(f"{root}/new.txt")
    fs.rm(f"{root}/copy", recursive=True)
    assert sorted(api.list_repo_files(repo, repo_type="dataset")) == [".gitattributes", "new.bin", "up.txt"]
    with pytest.raises(FileNotFoundError):
        with fs.open("datasets/bob/nothing/x.txt", "w") as f:
            f.write("x")


@pytest.mark.works("HfFileSystem.open")
def test_pandas(stocked):
    """What people write: a path that begins with hf://."""
    import pandas

    assert pandas.read_csv(f"hf://{stocked}/data/train/1.csv").to_dict("list") == {"a": [3], "b": [4]}
