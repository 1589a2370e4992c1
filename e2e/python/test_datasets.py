"""datasets.load_dataset and push_to_hub."""

import io
import json

import pytest
from huggingface_hub import CommitOperationAdd

datasets = pytest.importorskip("datasets")

ROWS = [{"text": f"row {i}", "label": i % 2} for i in range(20)]


def csv(rows) -> bytes:
    return ("text,label\n" + "".join(f"{r['text']},{r['label']}\n" for r in rows)).encode()


def jsonl(rows) -> bytes:
    return "".join(json.dumps(r) + "\n" for r in rows).encode()


def parquet(rows) -> bytes:
    import pyarrow
    import pyarrow.parquet

    out = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), out)
    return out.getvalue()


@pytest.mark.works("datasets.load_dataset")
@pytest.mark.parametrize("form,encode", [("csv", csv), ("jsonl", jsonl), ("parquet", parquet)])
def test_load_dataset(api, new_repo, tmp_path, form, encode):
    repo = new_repo("dataset", private=True)
    api.create_commit(
        repo,
        [
            CommitOperationAdd(f"data/train-0.{form}", encode(ROWS[:8])),
            CommitOperationAdd(f"data/train-1.{form}", encode(ROWS[8:15])),
            CommitOperationAdd(f"data/test.{form}", encode(ROWS[15:])),
        ],
        commit_message="Data",
        repo_type="dataset",
    )
    loaded = datasets.load_dataset(repo, cache_dir=str(tmp_path))
    assert loaded["train"].to_list() == ROWS[:15]
    assert loaded["test"].to_list() == ROWS[15:]
    streamed = datasets.load_dataset(repo, split="train", streaming=True)
    assert list(streamed) == ROWS[:15]


@pytest.mark.works("datasets.load_dataset")
def test_load_dataset_with_configs(api, new_repo, tmp_path):
    repo = new_repo("dataset")
    readme = b"---\nconfigs:\n- config_name: one\n  data_files: one.csv\n- config_name: two\n  data_files: two.csv\n---\n"
    api.create_commit(
        repo,
        [
            CommitOperationAdd("README.md", readme),
            CommitOperationAdd("one.csv", csv(ROWS[:2])),
            CommitOperationAdd("two.csv", csv(ROWS[2:5])),
        ],
        commit_message="Data",
        repo_type="dataset",
    )
    sha = api.dataset_info(repo).sha
    assert datasets.get_dataset_config_names(repo) == ["one", "two"]
    assert datasets.load_dataset(repo, "one", split="train", cache_dir=str(tmp_path)).to_list() == ROWS[:2]
    assert datasets.load_dataset(repo, "two", revision=sha, split="train", cache_dir=str(tmp_path)).to_list() == ROWS[2:5]
    files = datasets.load_dataset("csv", data_files=f"hf://datasets/{repo}/one.csv", split="train", cache_dir=str(tmp_path))
    assert files.to_list() == ROWS[:2]


@pytest.mark.works("datasets.Dataset.push_to_hub")
def test_push_to_hub(api, unique, tmp_path):
    name = f"alice/{unique()}"
    datasets.Dataset.from_list(ROWS).push_to_hub(name, private=True)
    datasets.Dataset.from_list(ROWS[:3]).push_to_hub(name, split="tiny")
    assert api.dataset_info(name).private
    loaded = datasets.load_dataset(name, cache_dir=str(tmp_path))
    assert loaded["train"].to_list() == ROWS and loaded["tiny"].to_list() == ROWS[:3]
