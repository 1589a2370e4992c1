"""The pages that people use without a client: accounts, tokens; and what browsers demand."""

import re
from urllib.parse import quote, urljoin

import httpx2
import pytest
from forms import Browser
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError

PASSWORD = "a long enough password"


@pytest.fixture(scope="module")
def dave(hub) -> Browser:
    """A person who signs up."""
    browser = Browser(hub.url)
    page = browser.get("/join").submit(
        "password2", {"username": "dave", "password": PASSWORD, "password2": PASSWORD, "email": "dave@example.org"}
    )
    assert page.form_with("password2") is None, page.text[:2000]
    return browser


def new_token(browser, name, role) -> str:
    page = browser.get("/settings/tokens")
    if page.form_with("role") is None:
        page = browser.get("/settings/tokens/new")
    page = page.submit("role", {"name": name, "role": role})
    return re.search(r"hf_[A-Za-z0-9]{20,}", page.text).group()


@pytest.mark.works("sign-up and access tokens in the browser")
def test_sign_up_and_use_a_token(dave, hub):
    token = new_token(dave, "laptop", "write")
    api = HfApi(token=token)
    me = api.whoami()
    assert (me["name"], me["auth"]["accessToken"]["displayName"]) == ("dave", "laptop")
    api.create_repo("dave/first")
    reader = HfApi(token=new_token(dave, "reader", "read"))
    assert reader.model_info("dave/first").id == "dave/first"
    with pytest.raises(HfHubHTTPError):
        reader.create_repo("dave/second")
    # The token is shown once, and it can be taken back.
    page = dave.get("/settings/tokens")
    assert token not in page.text and "laptop" in page.text
    while api_works(api):
        page.press(page.button("(?i)revoke|delete|remove"))
        page = dave.get("/settings/tokens")
    assert "laptop" not in page.text or api_works(reader) is False


def api_works(api) -> bool:
    try:
        api.whoami()
        return True
    except HfHubHTTPError as e:
        assert e.response.status_code == 401
        return False


def test_sign_up_refuses(dave, hub):
    for values in (
        {"username": "dave"},
        {"username": "DAVE"},
        {"username": "api"},
        {"username": "a b"},
        {"username": "eve", "password": "short", "password2": "short"},
        {"username": "eve", "password2": "something else"},
    ):
        page = Browser(hub.url).get("/join")
        form = page.form_with("password2")
        data = {**form.fields, "password": PASSWORD, "password2": PASSWORD, **values}
        reply = httpx2.post(form.action, data=data, headers={"Origin": hub.url, "Sec-Fetch-Site": "same-origin"})
        assert reply.status_code in (400, 409, 422), values
        assert "password2" in reply.text  # the form again
    assert hub.request("GET", "/eve").status_code == 404


def test_sign_in_and_out(dave, hub):
    browser = Browser(hub.url)
    page = browser.get("/login")
    form = page.form_with("password")
    reply = browser.client.post(
        form.action,
        data={**form.fields, "username": "dave", "password": "wrong"},
        headers={"Origin": hub.url, "Sec-Fetch-Site": "same-origin"},
    )
    assert reply.status_code in (400, 401, 403, 422)
    # Nobody learns whether it is the name or the password.
    other = browser.client.post(
        form.action,
        data={**form.fields, "username": "nobody-here", "password": "wrong"},
        headers={"Origin": hub.url, "Sec-Fetch-Site": "same-origin"},
    )
    assert other.status_code == reply.status_code
    page = page.submit("password", {"username": "dave", "password": PASSWORD})
    cookie = next(c for c in browser.client.cookies.jar)
    assert cookie.has_nonstandard_attr("HttpOnly") and cookie.get_nonstandard_attr("SameSite") in ("Lax", "Strict")
    page = browser.get("/settings/tokens")
    page.press(page.button("Sign out"))
    assert browser.get("/settings/tokens").form_with("password") is not None


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_forgery(dave, hub, headers):
    page = dave.get("/settings/tokens")
    if page.form_with("role") is None:
        page = dave.get("/settings/tokens/new")
    form = page.form_with("role")
    reply = dave.client.post(form.action, data={**form.fields, "name": "forged", "role": "write"}, headers=headers)
    assert reply.status_code == 403
    assert "forged" not in dave.get("/settings/tokens").text


def test_a_session_is_no_token(dave, hub):
    """The API takes tokens: a cookie that any page can make a browser send does not write."""
    reply = dave.client.post(
        hub.url + "/api/repos/create",
        json={"name": "by-cookie", "type": "model"},
        headers={"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"},
    )
    assert reply.status_code in (401, 403)


def test_pages_echo_nothing(hub):
    for path in ("/models?search=<script>alert(1)</script>", "/login?next=javascript:alert(1)", "/<script>alert(1)</script>"):
        reply = hub.request("GET", path, follow_redirects=True)
        assert "<script>alert(1)" not in reply.text and "javascript:alert(1)" not in reply.text
        assert "default-src" in reply.headers["Content-Security-Policy"]


@pytest.mark.parametrize("target", ["//evil.example/x", "http://evil.example/x", "/\\evil.example/x", "javascript:alert(1)"])
def test_signing_in_leads_nowhere_else(dave, hub, target):
    form = Browser(hub.url).get(f"/login?next={quote(target)}").form_with("password")
    reply = httpx2.post(
        form.action,
        data={**form.fields, "next": target, "username": "dave", "password": PASSWORD},
        headers={"Origin": hub.url, "Sec-Fetch-Site": "same-origin"},
    )
    assert reply.status_code in (302, 303)
    assert urljoin(hub.url + "/login", reply.headers["Location"]).startswith(hub.url + "/")


def test_browsers_of_other_origins(hub):
    """What @huggingface/hub needs to run in a page."""
    reply = hub.request(
        "OPTIONS",
        "/api/models",
        headers={
            "Origin": "http://app.example",
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "authorization,range",
        },
    )
    assert reply.status_code in (200, 204)
    assert reply.headers["Access-Control-Allow-Origin"] in ("*", "http://app.example")
    allowed = reply.headers["Access-Control-Allow-Headers"].lower()
    assert "authorization" in allowed and "range" in allowed
    got = hub.request("GET", "/api/models", headers={"Origin": "http://app.example"})
    assert got.headers["Access-Control-Allow-Origin"] in ("*", "http://app.example")
    assert "x-repo-commit" in got.headers["Access-Control-Expose-Headers"].lower()
    assert "Access-Control-Allow-Credentials" not in got.headers


@pytest.mark.works("/healthz and /metrics")
def test_health_and_metrics(hub):
    assert hub.request("GET", "/healthz").json()["status"] == "ok"
    assert "# HELP" in hub.request("GET", "/metrics").text


def test_guessing_is_slowed(hub):
    # The last test of the suite: the limit is by address as well as by name.
    browser = Browser(hub.url)
    form = browser.get("/login").form_with("password")
    seen = [
        browser.client.post(
            form.action,
            data={**form.fields, "username": "a-victim", "password": f"guess {i}"},
            headers={"Origin": hub.url, "Sec-Fetch-Site": "same-origin"},
        ).status_code
        for i in range(40)
    ]
    assert 429 in seen
    assert Browser(hub.url).get("/login").form_with("password") is not None
