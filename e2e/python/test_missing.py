"""What the hub does not do yet: it says so, in JSON, with a status that no client retries."""

from types import GeneratorType

import pytest
from huggingface_hub import Volume, constants
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

SLUG = "alice/a-collection-0123456789abcdef01234567"
ID = "0123456789abcdef01234567"
DISCUSSION = dict(discussion_num=1)

# method -> arguments; REPO stands for a model of alice's, SPACE for a Space.
REPO, SPACE = object(), object()
CALLS = {
    "search_spaces": dict(query="x"),
    "unlike": dict(repo_id=REPO),
    "list_liked_repos": {},
    "list_repo_likers": dict(repo_id=REPO),
    "get_dataset_leaderboard": dict(repo_id="alice/none"),
    "get_repo_discussions": dict(repo_id=REPO),
    "get_discussion_details": dict(repo_id=REPO, **DISCUSSION),
    "create_discussion": dict(repo_id=REPO, title="Title"),
    "create_pull_request": dict(repo_id=REPO, title="Title"),
    "comment_discussion": dict(repo_id=REPO, comment="x", **DISCUSSION),
    "rename_discussion": dict(repo_id=REPO, new_title="Title", **DISCUSSION),
    "change_discussion_status": dict(repo_id=REPO, new_status="closed", **DISCUSSION),
    "merge_pull_request": dict(repo_id=REPO, **DISCUSSION),
    "edit_discussion_comment": dict(repo_id=REPO, comment_id=ID, new_content="x", **DISCUSSION),
    "hide_discussion_comment": dict(repo_id=REPO, comment_id=ID, **DISCUSSION),
    "add_space_secret": dict(repo_id=SPACE, key="K", value="V"),
    "delete_space_secret": dict(repo_id=SPACE, key="K"),
    "get_space_secrets": dict(repo_id=SPACE),
    "get_space_variables": dict(repo_id=SPACE),
    "add_space_variable": dict(repo_id=SPACE, key="K", value="V"),
    "delete_space_variable": dict(repo_id=SPACE, key="K"),
    "get_space_runtime": dict(repo_id=SPACE),
    "list_spaces_hardware": {},
    "get_zero_gpu_quota": {},
    "request_space_hardware": dict(repo_id=SPACE, hardware="t4-medium"),
    "set_space_sleep_time": dict(repo_id=SPACE, sleep_time=300),
    "pause_space": dict(repo_id=SPACE),
    "enable_space_dev_mode": dict(repo_id=SPACE),
    "disable_space_dev_mode": dict(repo_id=SPACE),
    "restart_space": dict(repo_id=SPACE),
    "fetch_space_logs": dict(repo_id=SPACE),
    "wait_for_space": dict(repo_id=SPACE),
    "set_space_volumes": dict(repo_id=SPACE, volumes=[Volume(type="model", source="alice/m", mount_path="/m")]),
    "delete_space_volumes": dict(repo_id=SPACE),
    "list_collections": {},
    "get_collection": dict(collection_slug=SLUG),
    "create_collection": dict(title="Title"),
    "update_collection_metadata": dict(collection_slug=SLUG, title="Title"),
    "update_collection_resource_group": dict(collection_slug=SLUG, resource_group_id=ID),
    "delete_collection": dict(collection_slug=SLUG),
    "add_collection_item": dict(collection_slug=SLUG, item_id="alice/m", item_type="model"),
    "update_collection_item": dict(collection_slug=SLUG, item_object_id=ID, note="x"),
    "delete_collection_item": dict(collection_slug=SLUG, item_object_id=ID),
    "list_pending_access_requests": dict(repo_id=REPO),
    "list_accepted_access_requests": dict(repo_id=REPO),
    "list_rejected_access_requests": dict(repo_id=REPO),
    "cancel_access_request": dict(repo_id=REPO, user="bob"),
    "accept_access_request": dict(repo_id=REPO, user="bob"),
    "reject_access_request": dict(repo_id=REPO, user="bob", rejection_reason=None),
    "grant_access": dict(repo_id=REPO, user="bob"),
    "get_webhook": dict(webhook_id=ID),
    "list_webhooks": {},
    "create_webhook": dict(url="http://127.0.0.1:9/", watched=[{"type": "user", "name": "alice"}]),
    "update_webhook": dict(webhook_id=ID, secret="x"),
    "enable_webhook": dict(webhook_id=ID),
    "disable_webhook": dict(webhook_id=ID),
    "delete_webhook": dict(webhook_id=ID),
    "get_user_overview": dict(username="alice"),
    "get_organization_overview": dict(organization="acme"),
    "list_organization_followers": dict(organization="acme"),
    "list_organization_members": dict(organization="acme"),
    "list_user_followers": dict(username="alice"),
    "list_user_following": dict(username="alice"),
    "list_papers": dict(query="x"),
    "paper_info": dict(id="1706.03762"),
    "list_daily_papers": {},
    "run_job": dict(image="python:3.12", command=["true"]),
    "fetch_job_logs": dict(job_id=ID),
    "fetch_job_metrics": dict(job_id=ID),
    "list_jobs": {},
    "list_jobs_hardware": {},
    "inspect_job": dict(job_id=ID),
    "wait_for_job": dict(job_id=ID),
    "rerun_job": dict(job_id=ID),
    "cancel_job": dict(job_id=ID),
    "update_job_expose": dict(job_id=ID, expose=None),
    "update_job_labels": dict(job_id=ID, labels={"a": "b"}),
    "create_scheduled_job": dict(image="python:3.12", command=["true"], schedule="@daily"),
    "list_scheduled_jobs": {},
    "inspect_scheduled_job": dict(scheduled_job_id=ID),
    "delete_scheduled_job": dict(scheduled_job_id=ID),
    "suspend_scheduled_job": dict(scheduled_job_id=ID),
    "resume_scheduled_job": dict(scheduled_job_id=ID),
    "update_scheduled_job_schedule": dict(scheduled_job_id=ID, schedule="@daily"),
    "trigger_scheduled_job": dict(scheduled_job_id=ID),
    "update_scheduled_job_labels": dict(scheduled_job_id=ID, labels={"a": "b"}),
    "create_bucket": dict(bucket_id="alice/b"),
    "bucket_info": dict(bucket_id="alice/b"),
    "list_buckets": dict(namespace="alice"),
    "delete_bucket": dict(bucket_id="alice/b"),
    "move_bucket": dict(from_id="alice/b", to_id="alice/c"),
    "update_bucket_settings": dict(bucket_id="alice/b", private=True),
    "list_bucket_tree": dict(bucket_id="alice/b"),
    "get_bucket_paths_info": dict(bucket_id="alice/b", paths=["x"]),
    "batch_bucket_files": dict(bucket_id="alice/b", delete=["x"]),
    "get_bucket_file_metadata": dict(bucket_id="alice/b", remote_path="x"),
}


@pytest.fixture(scope="module")
def model(api):
    return api.create_repo("alice/for-the-missing", exist_ok=True).repo_id


@pytest.fixture(scope="module")
def space(api):
    return api.create_repo("alice/for-the-missing", repo_type="space", space_sdk="static", exist_ok=True).repo_id


def refused(call):
    with pytest.raises(HfHubHTTPError) as e:
        result = call()
        if isinstance(result, GeneratorType) or hasattr(result, "__next__"):
            list(result)
    response = e.value.response
    assert response.status_code in (400, 404, 501), response.text
    assert response.request.method == "HEAD" or response.json()["error"]
    assert response.headers["X-Request-Id"]
    return e.value


@pytest.mark.parametrize("method", [pytest.param(m, marks=pytest.mark.missing(f"HfApi.{m}")) for m in CALLS])
def test_refusal(api, model, space, method):
    arguments = {k: model if v is REPO else space if v is SPACE else v for k, v in CALLS[method].items()}
    error = refused(lambda: getattr(api, method)(**arguments))
    if arguments.get("repo_id") in (model, space):
        # The repository is there; only this is not.
        assert not isinstance(error, RepositoryNotFoundError)


# Methods that begin with files: FILES stands for a folder, IMAGE for a picture in it.
FILES, SCRIPT, IMAGE = "{files}", "{files}/script.py", "{files}/image.png"
CALLS_WITH_FILES = {
    "run_uv_job": dict(script=SCRIPT),
    "create_scheduled_uv_job": dict(script=SCRIPT, schedule="@daily"),
    "sync_job_volume": dict(source=FILES, mount_path="/data"),
    "download_bucket_files": dict(bucket_id="alice/b", files=[("x", SCRIPT)]),
    "sync_bucket": dict(source=FILES, dest="hf://buckets/alice/b"),
    "upload_attachment": dict(path=IMAGE),
}


@pytest.mark.parametrize("method", [pytest.param(m, marks=pytest.mark.missing(f"HfApi.{m}")) for m in CALLS_WITH_FILES])
def test_refusal_of_files(api, tmp_path, method):
    (tmp_path / "script.py").write_text("print(1)")
    (tmp_path / "image.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    arguments = {
        k: v.replace("{files}", str(tmp_path)) if isinstance(v, str) else v for k, v in CALLS_WITH_FILES[method].items()
    }
    refused(lambda: getattr(api, method)(**arguments))


@pytest.mark.missing("HfApi.read_paper")
def test_refusal_of_papers(api):
    """Not an API route, so the answer is a page: there is no such thing."""
    with pytest.raises(RepositoryNotFoundError):
        api.read_paper("1706.03762")


def test_routes_that_are_none(hub):
    for path in ("/api/quicksearch", "/api/trending", "/api/no/such/route"):
        reply = hub.request("GET", path, token=hub.alice.token)
        assert reply.status_code in (404, 501), path
        assert reply.json()["error"], path


@pytest.mark.missing(
    *(
        f"HfApi.{m}"
        for m in (
            "list_inference_endpoints",
            "create_inference_endpoint",
            "create_inference_endpoint_from_catalog",
            "list_inference_catalog",
            "get_inference_endpoint",
            "update_inference_endpoint",
            "delete_inference_endpoint",
            "pause_inference_endpoint",
            "resume_inference_endpoint",
            "scale_to_zero_inference_endpoint",
            "list_inference_endpoints_hardware",
        )
    ),
    note="the client always calls another host",
)
def test_hosts_that_no_endpoint_changes(hub):
    for url in (constants.INFERENCE_ENDPOINTS_ENDPOINT, constants.INFERENCE_CATALOG_ENDPOINT):
        assert not url.startswith(hub.url)


@pytest.mark.missing("HfApi.list_dataset_parquet_files", note="the client refuses every endpoint but its default")
def test_client_refuses(api):
    with pytest.raises(ValueError, match="not supported on third-party endpoints"):
        api.list_dataset_parquet_files("alice/data")
