"""Lists, filters and the information about one repository."""

import datetime

import pytest
from content import card, gguf, noise, safetensors
from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import BadRequestError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

README = card(
    license="mit",
    language=["en", "fr"],
    library_name="transformers",
    pipeline_tag="text-classification",
    tags=["find-me"],
    datasets=["alice/some-data"],
    base_model="alice/some-base",
)


@pytest.fixture(scope="module")
def shelf(api):
    """Models that differ in one thing each. Ids begin with alice/find-."""
    made = {}

    def model(name, files, **kwargs):
        made[name] = api.create_repo(f"alice/find-{name}", **kwargs).repo_id
        if files:
            api.create_commit(
                made[name], [CommitOperationAdd(p, c) for p, c in files.items()], commit_message="Fill"
            )

    model("full", {"README.md": README, "config.json": b'{"model_type": "bert", "architectures": ["BertModel"]}'})
    model("weights", {"README.md": card(tags=["find-me", "arxiv:1706.03762"]), "model.safetensors": safetensors({"a": ("F32", [10, 10]), "b": ("F16", [50])})})
    model("bare", {})
    model("Secret", {"README.md": card(tags=["find-me"])}, private=True)
    model("gated", {"README.md": card(tags=["find-me"])})
    api.update_repo_settings(made["gated"], gated="auto")
    return made


def ids(items) -> set[str]:
    return {item.id for item in items}


@pytest.mark.works("HfApi.list_models")
def test_list_models(api, anon, bob, shelf):
    public = {shelf[n] for n in ("full", "weights", "bare", "gated")}
    assert ids(api.list_models(search="find-")) == public | {shelf["Secret"]}
    for who in (anon, bob):
        assert ids(who.list_models(search="find-")) == public
    assert ids(api.list_models(search="FIND-SECRET")) == {shelf["Secret"]}
    assert ids(api.list_models(author="alice", search="find-full")) == {shelf["full"]}
    assert ids(api.list_models(author="bob", search="find-")) == set()
    assert ids(api.list_models(author="ali")) == set()


@pytest.mark.works("HfApi.list_models")
@pytest.mark.parametrize(
    "filters,names",
    [
        ({"filter": "find-me"}, {"full", "weights", "gated"}),
        ({"filter": ["find-me", "license:mit"]}, {"full"}),
        ({"filter": "text-classification"}, {"full"}),
        ({"filter": "transformers"}, {"full"}),
        ({"filter": "en"}, {"full"}),
        ({"filter": "base_model:alice/some-base"}, {"full"}),
        ({"filter": "arxiv:1706.03762"}, {"weights"}),
        ({"filter": "safetensors"}, {"weights"}),
        ({"filter": "region:us"}, {"full", "weights", "gated", "bare"}),
        ({"filter": ["find-me", "none"]}, set()),
        ({"trained_dataset": "alice/some-data"}, {"full"}),
        ({"pipeline_tag": "text-classification"}, {"full"}),
        ({"gated": True}, {"gated"}),
        ({"gated": False, "filter": "find-me"}, {"full", "weights"}),
        ({"num_parameters": "min:100,max:200"}, {"weights"}),
        ({"num_parameters": "min:1B"}, set()),
    ],
    ids=str,
)
def test_list_models_filters(anon, shelf, filters, names):
    assert ids(anon.list_models(search="find-", **filters)) == {shelf[n] for n in names}


@pytest.mark.works("HfApi.list_models")
def test_list_models_fields(api, shelf):
    (plain,) = api.list_models(search="find-full")
    assert plain.id == shelf["full"]
    assert plain.private is False and plain.likes == 0 and plain.downloads is not None
    assert plain.pipeline_tag == "text-classification" and plain.library_name == "transformers"
    assert {"find-me", "license:mit", "en", "fr", "dataset:alice/some-data", "base_model:alice/some-base"} <= set(plain.tags)
    assert plain.created_at.tzinfo == datetime.timezone.utc
    assert plain.card_data is None and plain.siblings is None
    (full,) = api.list_models(search="find-full", full=True, cardData=True, fetch_config=True)
    assert full.author == "alice" and len(full.sha) == 40 and full.last_modified and full.gated is False
    assert {s.rfilename for s in full.siblings} == {".gitattributes", "README.md", "config.json"}
    assert full.card_data.license == "mit"
    assert full.config["model_type"] == "bert" and full.config["architectures"] == ["BertModel"]
    (only,) = api.list_models(search="find-full", expand=["likes", "sha"])
    assert only.sha == full.sha and only.likes == 0
    assert only.tags is None and only.private is None
    with pytest.raises((BadRequestError, HfHubHTTPError)) as e:
        list(api.list_models(expand=["nonsense"]))
    assert e.value.response.status_code == 400


@pytest.mark.works("HfApi.list_models")
@pytest.mark.parametrize("sort", ["created_at", "last_modified", "downloads", "likes", "trending_score"])
def test_list_models_sorts(api, shelf, sort):
    found = list(api.list_models(search="find-", sort=sort, full=True))
    assert len(found) == 5
    if sort in ("created_at", "last_modified"):
        times = [getattr(m, sort) for m in found]
        assert times == sorted(times, reverse=True)
    assert [m.id for m in api.list_models(search="find-", sort=sort, limit=2)] == [m.id for m in found][:2]


@pytest.mark.works("HfApi.list_models")
def test_list_models_over_pages(hub, api, bob):
    for i in range(12):
        bob.create_repo(f"bob/paged-{i:02}")
    path, seen = "/api/models?author=bob&search=paged-&limit=5", []
    while path:
        reply = hub.request("GET", path)
        seen += [m["id"] for m in reply.json()]
        assert len(reply.json()) <= 5
        link = reply.headers.get("Link", "")
        assert not link or link.endswith('>; rel="next"')
        path = link.removeprefix("<" + hub.url).removesuffix('>; rel="next"')
    assert len(seen) == len(set(seen)) == 12
    assert len(list(api.list_models(author="bob", search="paged-"))) == 12


@pytest.mark.works("HfApi.list_models", "HfApi.list_datasets", "HfApi.list_spaces")
def test_more_repositories_than_a_page(hub, bob):
    """A thousand and some: every one is listed, once."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: bob.create_repo(f"bob/many-{i:04}", repo_type="dataset"), range(1050)))
    found = [d.id for d in bob.list_datasets(author="bob", search="many-")]
    assert len(found) == len(set(found)) == 1050
    assert len(list(bob.list_datasets(author="bob", search="many-", limit=1020))) == 1020


@pytest.mark.works("HfApi.list_datasets", "HfApi.dataset_info")
def test_list_datasets(api, anon):
    repo = api.create_repo("alice/find-data", repo_type="dataset", exist_ok=True).repo_id
    api.create_repo("alice/find-hidden-data", repo_type="dataset", private=True, exist_ok=True)
    readme = card(
        license="cc-by-4.0",
        language="de",
        task_categories=["question-answering"],
        size_categories=["n<1K"],
        multilinguality=["monolingual"],
        language_creators=["found"],
        task_ids=["extractive-qa"],
        pretty_name="Data to find",
    )
    api.upload_file(path_or_fileobj=readme, path_in_repo="README.md", repo_id=repo, repo_type="dataset")
    for filters in (
        {"search": "find-data"},
        {"dataset_name": "find-data"},
        {"filter": "license:cc-by-4.0"},
        {"language": "de"},
        {"task_categories": "question-answering"},
        {"size_categories": "n<1K"},
        {"multilinguality": "monolingual"},
        {"language_creators": "found"},
        {"task_ids": "extractive-qa"},
        {"author": "alice", "search": "find-"},
    ):
        assert ids(anon.list_datasets(**filters)) == {repo}, filters
    assert ids(anon.list_datasets(language="xx")) == set()
    info = api.dataset_info(repo)
    assert info.card_data.pretty_name == "Data to find"
    assert "task_categories:question-answering" in info.tags
    (full,) = anon.list_datasets(search="find-data", full=True)
    assert {s.rfilename for s in full.siblings} == {".gitattributes", "README.md"}
    (only,) = anon.list_datasets(search="find-data", expand=["cardData"])
    assert only.card_data.language == "de" and only.tags is None


@pytest.mark.works("HfApi.list_spaces", "HfApi.space_info")
def test_list_spaces(api, anon):
    repo = api.create_repo("alice/find-space", repo_type="space", space_sdk="gradio", exist_ok=True).repo_id
    api.create_repo("alice/find-hidden-space", repo_type="space", space_sdk="static", private=True, exist_ok=True)
    readme = card(title="A Space", sdk="gradio", models=["alice/some-model"], datasets=["alice/some-data"], tags=["toy"])
    api.upload_file(path_or_fileobj=readme, path_in_repo="README.md", repo_id=repo, repo_type="space")
    for filters in (
        {"search": "find-"},
        {"filter": "gradio"},
        {"filter": "toy"},
        {"models": "alice/some-model"},
        {"datasets": "alice/some-data"},
        {"author": "alice", "search": "find-"},
    ):
        assert ids(anon.list_spaces(**filters)) == {repo}, filters
    info = anon.space_info(repo)
    assert info.sdk == "gradio"
    assert info.card_data.title == "A Space"
    assert info.models == ["alice/some-model"] and info.datasets == ["alice/some-data"]
    (only,) = anon.list_spaces(search="find-space", expand=["sdk"])
    assert only.sdk == "gradio" and only.tags is None


@pytest.mark.works("HfApi.model_info")
def test_model_info(api, anon, bob, shelf):
    info = api.model_info(shelf["full"])
    assert info.id == shelf["full"] and info.author == "alice"
    assert info.private is False and info.disabled is False and info.gated is False
    assert info.pipeline_tag == "text-classification" and info.library_name == "transformers"
    assert info.config["model_type"] == "bert"
    assert info.card_data.datasets == ["alice/some-data"]
    assert info.likes == 0 and info.used_storage is not None
    assert info.last_modified > info.created_at - datetime.timedelta(seconds=1)  # git counts in seconds
    assert {s.rfilename for s in info.siblings} == {".gitattributes", "README.md", "config.json"}
    assert all(s.size is None for s in info.siblings)
    assert anon.model_info(shelf["full"]).id == shelf["full"]

    first = api.list_repo_commits(shelf["full"])[-1].commit_id
    then = api.model_info(shelf["full"], revision=first)
    assert then.sha == first and [s.rfilename for s in then.siblings] == [".gitattributes"]
    assert api.model_info(shelf["full"], revision="main").sha == info.sha
    with pytest.raises(RevisionNotFoundError):
        api.model_info(shelf["full"], revision="none")
    for who in (anon, bob):
        with pytest.raises(RepositoryNotFoundError):
            who.model_info(shelf["Secret"])


@pytest.mark.works("HfApi.model_info")
def test_model_info_with_sizes(api, repo):
    api.create_commit(
        repo, [CommitOperationAdd("a.txt", b"abc"), CommitOperationAdd("w.bin", noise(50_000))], commit_message="x"
    )
    found = {s.rfilename: s for s in api.model_info(repo, files_metadata=True).siblings}
    assert (found["a.txt"].size, found["a.txt"].lfs) == (3, None)
    assert len(found["a.txt"].blob_id) == 40
    assert found["w.bin"].size == found["w.bin"].lfs.size == 50_000
    assert len(found["w.bin"].lfs.sha256) == 64 and found["w.bin"].lfs.pointer_size
    assert api.model_info(repo, expand=["usedStorage"]).used_storage >= 50_000
    api.model_info(repo, securityStatus=True)


@pytest.mark.works("HfApi.model_info")
def test_model_info_expand(api, shelf):
    every = [
        *("author", "baseModels", "cardData", "childrenModelCount", "config", "createdAt", "disabled", "downloads"),
        *("downloadsAllTime", "evalResults", "gated", "gguf", "inference", "inferenceProviderMapping", "lastModified"),
        *("library_name", "likes", "mask_token", "model-index", "pipeline_tag", "private", "resourceGroup"),
        *("safetensors", "sha", "siblings", "spaces", "tags", "transformersInfo", "trendingScore", "usedStorage"),
        "widgetData",
    ]
    for name in every:
        assert api.model_info(shelf["full"], expand=[name]).id == shelf["full"], name
    everything = api.model_info(shelf["full"], expand=every)
    assert everything.author == "alice" and everything.downloads_all_time == 0
    only = api.model_info(shelf["full"], expand=["sha"])
    assert len(only.sha) == 40 and only.tags is None and only.siblings is None and only.author is None
    with pytest.raises(BadRequestError, match="must be one of"):
        api.model_info(shelf["full"], expand=["nonsense"])


@pytest.mark.works("HfApi.model_info")
def test_metadata_from_the_files(api, repo, shelf):
    """safetensors and GGUF headers are read at commit time."""
    info = api.model_info(shelf["weights"])
    assert (info.safetensors.parameters, info.safetensors.total) == ({"F32": 100, "F16": 50}, 150)
    api.upload_file(path_or_fileobj=gguf("llama", "tiny") + bytes(64), path_in_repo="m.gguf", repo_id=repo)
    found = api.model_info(repo)
    assert found.gguf["architecture"] == "llama" and found.gguf["context_length"] == 2048
    assert "gguf" in found.tags
    # The catalog follows the files.
    api.delete_file("m.gguf", repo)
    found = api.model_info(repo)
    assert found.gguf is None and "gguf" not in found.tags


@pytest.mark.works("HfApi.model_info")
def test_hostile_metadata_is_no_obstacle(api, repo):
    """A commit stands whatever its metadata are; they are just not shown."""
    for i, (path, content) in enumerate(
        {
            "model.safetensors": b"\xff" * 8 + b"{}",
            "x.gguf": b"GGUF" + b"\xff" * 60,
            "config.json": b'{"a": ' * 500,
            "README.md": b"---\ntags: [" + b"x," * 100 + b"]\n---\n",
        }.items()
    ):
        api.upload_file(path_or_fileobj=content, path_in_repo=path, repo_id=repo, commit_message=str(i))
    info = api.model_info(repo)
    assert info.safetensors is None and info.config in (None, {})
    assert {s.rfilename for s in info.siblings} >= {"model.safetensors", "x.gguf", "config.json", "README.md"}


@pytest.mark.works("HfApi.kernel_info")
def test_kernel_info(api, new_repo):
    repo = new_repo("kernel")
    info = api.kernel_info(repo)
    assert (info.id, info.author, info.private, info.gated) == (repo, "alice", False, False)
    assert api.kernel_info(repo, revision="main").sha == info.sha
    with pytest.raises(RepositoryNotFoundError):
        api.kernel_info("alice/none")


@pytest.mark.works("HfApi.repo_info")
def test_types_are_apart(api, unique):
    """One name may be a model and a dataset; each answers for itself."""
    name = f"alice/{unique()}"
    api.create_repo(name)
    with pytest.raises(RepositoryNotFoundError):
        api.dataset_info(name)
    api.create_repo(name, repo_type="dataset")
    assert api.dataset_info(name).sha and api.model_info(name).sha


@pytest.mark.works("HfApi.list_models")
def test_lists_of_a_signed_in_reader(hub, shelf):
    reader = HfApi(token=hub.alice.read_token)
    assert shelf["Secret"] in ids(reader.list_models(search="find-"))


@pytest.mark.works("HfApi.get_model_tags", "HfApi.get_dataset_tags")
def test_tags_by_type(api, bob, shelf):
    found = api.get_model_tags()
    assert {"id": "license:mit", "label": "mit", "type": "license"}.items() <= found["license"][0].items()
    assert isinstance(api.get_dataset_tags(), dict)


def test_private_repositories_do_not_count(hub, shelf):
    for path in ("/api/models?search=find-&limit=1", "/models?search=find-", "/alice", "/"):
        reply = hub.request("GET", path, follow_redirects=True)
        assert reply.status_code == 200, path
        assert "find-Secret" not in reply.text, path
        assert reply.headers.get("X-Total-Count") in (None, "4"), path


def test_pages(api, hub, repo):
    """A plain page for the list, the card and the files; what is foreign is sanitised."""
    readme = b"---\nlicense: mit\n---\n# Hello <script>alert(1)</script>\n\n<img src=x onerror=alert(2)>\n\n[x](javascript:alert(3))\n\n| a | b |\n|--|--|\n| 1 | 2 |\n"
    api.upload_file(path_or_fileobj=readme, path_in_repo="README.md", repo_id=repo)
    assert repo in hub.request("GET", f"/models?search={repo.split('/')[1]}").text
    page = hub.request("GET", f"/{repo}").text
    assert "<table" in page and "Hello" in page and "license" not in page.split("Hello")[1][:200]
    for bad in ("alert(1)</script>", "onerror", "javascript:alert"):
        assert bad not in page
    files = hub.request("GET", f"/{repo}/tree/main").text
    assert ".gitattributes" in files and "README.md" in files
    for path in ("/datasets", "/spaces", f"/{repo}/blob/main/README.md", f"/{repo}/commits/main", "/login", "/join"):
        assert hub.request("GET", path, follow_redirects=True).status_code == 200, path
    assert hub.request("GET", "/alice/none").status_code in (401, 404)
