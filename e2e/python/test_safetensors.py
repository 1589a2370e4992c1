"""Headers of safetensors files, read by ranges."""

import json

import pytest
from content import safetensors
from huggingface_hub import CommitOperationAdd
from huggingface_hub.errors import NotASafetensorsRepoError, SafetensorsParsingError


@pytest.mark.works("HfApi.get_safetensors_metadata", "HfApi.parse_safetensors_file_metadata")
def test_one_file(api, repo):
    api.upload_file(
        path_or_fileobj=safetensors({"w": ("F32", [100, 10]), "b": ("F16", [10])}, {"format": "pt"}),
        path_in_repo="model.safetensors",
        repo_id=repo,
    )
    found = api.get_safetensors_metadata(repo)
    assert not found.sharded
    assert found.parameter_count == {"F32": 1000, "F16": 10}
    assert found.files_metadata["model.safetensors"].metadata == {"format": "pt"}
    one = api.parse_safetensors_file_metadata(repo, "model.safetensors")
    assert one.tensors["w"].shape == [100, 10]


@pytest.mark.works("HfApi.get_safetensors_metadata")
def test_a_header_longer_than_the_first_read(api, repo):
    many = {f"layer.{i}.with.a.long.name": ("F32", [2]) for i in range(2000)}
    api.upload_file(path_or_fileobj=safetensors(many), path_in_repo="model.safetensors", repo_id=repo)
    assert api.get_safetensors_metadata(repo).parameter_count == {"F32": 4000}


def shards(api, repo):
    index = {
        "metadata": {"total_size": 480},
        "weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"},
    }
    api.create_commit(
        repo,
        [
            CommitOperationAdd("model.safetensors.index.json", json.dumps(index).encode()),
            CommitOperationAdd("model-00001-of-00002.safetensors", safetensors({"a": ("F32", [100])})),
            CommitOperationAdd("model-00002-of-00002.safetensors", safetensors({"b": ("BF16", [40])})),
        ],
        commit_message="Shards",
    )


@pytest.mark.works("HfApi.get_safetensors_metadata")
def test_shards(api, repo):
    shards(api, repo)
    found = api.get_safetensors_metadata(repo)
    assert found.sharded and found.metadata == {"total_size": 480}
    assert found.parameter_count == {"F32": 100, "BF16": 40}
    info = api.model_info(repo)
    assert (info.safetensors.parameters, info.safetensors.total) == ({"F32": 100, "BF16": 40}, 140)


@pytest.mark.works("HfApi.get_sharded_safetensors_metadata")
def test_shards_in_one_call(api, repo):
    shards(api, repo)
    found = api.get_sharded_safetensors_metadata(repo)
    assert found.parameter_count == {"F32": 100, "BF16": 40}
    assert found.weight_map["b"] == "model-00002-of-00002.safetensors"


@pytest.mark.works("HfApi.get_safetensors_metadata")
def test_no_safetensors(api, repo):
    with pytest.raises(NotASafetensorsRepoError):
        api.get_safetensors_metadata(repo)
    api.upload_file(path_or_fileobj=b"short", path_in_repo="bad.safetensors", repo_id=repo)
    with pytest.raises(SafetensorsParsingError):
        api.parse_safetensors_file_metadata(repo, "bad.safetensors")
