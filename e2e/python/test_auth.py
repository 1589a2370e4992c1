"""Who is asking: tokens, hf auth, the device flow."""

import os
import pty
import re
import select
import subprocess
import time

import httpx2
import pytest
from conftest import client_env
from forms import Browser
from huggingface_hub import HfApi
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError


@pytest.mark.works("HfApi.whoami")
def test_whoami(api, hub):
    me = api.whoami()
    assert me["name"] == "alice"
    assert me["type"] == "user"
    assert re.fullmatch("[0-9a-f]{24}", me["id"])
    assert me["orgs"] == []
    assert me["auth"]["type"] == "access_token"
    assert me["auth"]["accessToken"]["displayName"] == "alice-write"
    assert me["auth"]["accessToken"]["role"] == "write"
    assert HfApi(token=hub.alice.read_token).whoami()["auth"]["accessToken"]["role"] == "read"


@pytest.mark.works("HfApi.whoami")
def test_whoami_refuses_a_bad_token(hub):
    with pytest.raises(HfHubHTTPError) as e:
        HfApi(token="hf_" + "x" * 34).whoami()
    assert e.value.response.status_code == 401
    assert e.value.response.headers["X-Request-Id"]
    assert "Request ID" in str(e.value.__cause__)
    assert hub.request("GET", "/api/whoami-v2").status_code == 401


@pytest.mark.works("HfApi.get_full_repo_name")
def test_full_repo_name(api):
    assert api.get_full_repo_name("m") == "alice/m"
    assert api.get_full_repo_name("m", organization="acme") == "acme/m"


@pytest.mark.works("HfApi.auth_check")
@pytest.mark.parametrize("repo_type", ["model", "dataset", "space"])
def test_auth_check(api, bob, anon, hub, new_repo, repo_type):
    public = new_repo(repo_type)
    private = new_repo(repo_type, private=True)
    for repo in (public, private):
        api.auth_check(repo, repo_type=repo_type)
        api.auth_check(repo, repo_type=repo_type, write=True)
    anon.auth_check(public, repo_type=repo_type)
    for who in (bob, anon):
        with pytest.raises(RepositoryNotFoundError):
            who.auth_check(private, repo_type=repo_type)
    for who in (bob, anon, HfApi(token=hub.alice.read_token)):
        with pytest.raises(HfHubHTTPError) as e:
            who.auth_check(public, repo_type=repo_type, write=True)
        assert e.value.response.status_code in (401, 403)
    with pytest.raises(RepositoryNotFoundError):
        api.auth_check("alice/no-such-repo", repo_type=repo_type)


@pytest.mark.works("HfApi.auth_check")
def test_auth_check_of_a_gated_repo(api, bob, anon, repo):
    api.update_repo_settings(repo, gated="manual")
    api.auth_check(repo)
    for who, status in ((bob, 403), (anon, 401)):
        with pytest.raises(GatedRepoError) as e:
            who.auth_check(repo)
        assert e.value.response.status_code == status
    assert bob.repo_exists(repo)
    with pytest.raises(GatedRepoError):
        bob.file_exists(repo, ".gitattributes")


def test_read_token_cannot_write(hub, repo):
    reader = HfApi(token=hub.alice.read_token)
    for attempt in (
        lambda: reader.create_repo("alice/by-a-reader"),
        lambda: reader.upload_file(path_or_fileobj=b"x", path_in_repo="x", repo_id=repo),
        lambda: reader.delete_repo(repo),
        lambda: reader.create_branch(repo, branch="b"),
    ):
        with pytest.raises(HfHubHTTPError) as e:
            attempt()
        assert e.value.response.status_code == 403
    assert reader.list_repo_files(repo) == [".gitattributes"]


@pytest.mark.works("hf auth login", "hf auth whoami", "hf auth logout", "hf auth list", "hf auth token")
def test_login_with_a_pasted_token(hf, hub):
    assert "Not logged in" in (lambda d: d.stdout + d.stderr)(hf("auth", "whoami", token=None, check=False))
    assert hf("auth", "login", "--token", "hf_wrong", token=None, check=False).returncode != 0
    hf("auth", "login", "--token", hub.alice.token, token=None)
    who = hf("auth", "whoami", token=None).stdout
    assert "alice" in who and hub.url in who
    assert "alice-write" in hf("auth", "list", token=None).stdout
    assert hf("auth", "token", token=None).stdout.strip() == hub.alice.token
    hf("repos", "create", "by-login", token=None)
    hf("auth", "logout", token=None)
    assert hf("auth", "whoami", token=None, check=False).returncode != 0


@pytest.mark.works("hf auth login")
def test_login_with_the_device_flow(hub, tmp_path):
    """hf auth login in a terminal, approved by alice in a browser."""
    screen = Terminal(["hf", "auth", "login"], client_env(tmp_path, None))
    screen.expect("Log in with your browser")
    url, code = screen.expect(r"(http\S+)\s+And enter the code: (\S+)", keys="\r")
    assert url.startswith(hub.url)
    screen.expect(r"Waiting for authorization\s*\.")  # one "authorization_pending" was understood

    browser = Browser(hub.url)
    page = browser.sign_in(hub.alice).get(url)
    assert code in page.text or page.form_with("user_code") is not None
    page = page.submit("user_code", {"user_code": code}, button="(?i)approve|authori[sz]e|allow|confirm|continue")
    if button := page.button("(?i)approve|authori[sz]e|allow|confirm"):
        page.press(button)  # the code first, then the consent
    screen.expect("Login successful")
    assert screen.wait() == 0

    def hf(*args):
        done = subprocess.run(["hf", *args], env=client_env(tmp_path, None), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "alice" in hf("auth", "whoami")
    token = hf("auth", "token").strip()
    assert token.startswith("hf_")
    HfApi(token=token).create_repo("alice/by-device")  # it may write
    expires = [l for l in (tmp_path / "hf" / "stored_tokens").read_text().splitlines() if l.startswith("expires_at")]
    if expires:  # a token that is near its end would be refreshed by every process
        assert int(expires[0].split("=")[1]) > time.time() + 2 * 24 * 3600


def test_device_flow_errors(hub):
    def poll(code):
        return hub.request(
            "POST",
            "/oauth/token",
            data={
                "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
                "device_code": code,
                "client_id": "26be6b09-91c5-47da-9861-d2d2bb7a7e36",
            },
        )

    device = hub.request("POST", "/oauth/device", data={"client_id": "26be6b09-91c5-47da-9861-d2d2bb7a7e36"}).json()
    first = poll(device["device_code"])
    assert 400 <= first.status_code < 500
    assert first.json()["error"] == "authorization_pending"
    assert poll(device["device_code"]).json()["error"] in ("authorization_pending", "slow_down")
    unknown = poll("no-such-code")
    assert 400 <= unknown.status_code < 500
    assert unknown.json()["error"] in ("expired_token", "invalid_grant", "access_denied")
    # Nobody is signed in: the page asks for that first.
    page = Browser(hub.url).get(device["verification_uri_complete"])
    assert page.form_with("password") is not None


def test_forms_are_safe_against_forgery(hub):
    """A request with alice's cookie but not from alice's page changes nothing."""
    browser = Browser(hub.url).sign_in(hub.alice)
    device = hub.request("POST", "/oauth/device", data={"client_id": "26be6b09-91c5-47da-9861-d2d2bb7a7e36"}).json()
    page = browser.get(device["verification_uri_complete"])
    form = page.form_with("user_code")
    reply = browser.client.post(
        form.action,
        data={"user_code": device["user_code"], **form.buttons_value()},
        headers={"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"},
    )
    assert reply.status_code in (400, 403, 419, 422)


class Terminal:
    """A program under a pseudo-terminal."""

    def __init__(self, args, env):
        self.fd, slave = pty.openpty()
        self.process = subprocess.Popen(args, env=env, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        os.close(slave)
        self.text = ""

    def expect(self, pattern, keys="", timeout=60):
        """Waits until the screen matches, returns the groups, and drops what it matched.

        Keys are pressed until it does: a program drops those that come while it
        sets the terminal up."""
        deadline = time.monotonic() + timeout
        while not (match := re.search(pattern, self.text)):
            assert time.monotonic() < deadline, f"{pattern!r} did not appear:\n{self.text}"
            os.write(self.fd, keys.encode())
            if select.select([self.fd], [], [], 0.5)[0]:
                try:
                    chunk = os.read(self.fd, 65536)
                except OSError:
                    chunk = b""
                assert chunk, f"the program ended before {pattern!r}:\n{self.text}"
                self.text += re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", chunk.decode(errors="replace"))
        self.text = self.text[match.end() :]
        return match.groups()

    def wait(self):
        while True:
            try:
                if not os.read(self.fd, 65536):
                    break
            except OSError:
                break
        return self.process.wait(timeout=30)
