"""A browser without a screen: cookies, links and forms."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

import httpx2


@dataclass
class Form:
    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[dict] = field(default_factory=list)

    def buttons_value(self) -> dict[str, str]:
        named = [b for b in self.buttons if b["name"]]
        return {named[0]["name"]: named[0]["value"]} if named else {}


class _Forms(HTMLParser):
    def __init__(self, base):
        super().__init__()
        self.base, self.forms, self._form, self._button = base, [], None, None

    def handle_starttag(self, tag, attributes):
        a = {k: v or "" for k, v in attributes}
        if tag == "form":
            self._form = Form(urljoin(self.base, a.get("action") or self.base), a.get("method", "get").upper())
            self.forms.append(self._form)
        elif self._form is None:
            return
        elif tag == "input" and a.get("type") == "submit":
            self._form.buttons.append({"name": a.get("name", ""), "value": a.get("value", ""), "text": a.get("value", "")})
        elif tag in ("input", "textarea", "select") and a.get("name"):
            if a.get("type") not in ("checkbox", "radio") or "checked" in a:
                self._form.fields[a["name"]] = a.get("value", "")
        elif tag == "button":
            self._button = {"name": a.get("name", ""), "value": a.get("value", ""), "text": ""}
            self._form.buttons.append(self._button)

    def handle_data(self, data):
        if self._button is not None:
            self._button["text"] += data

    def handle_endtag(self, tag):
        if tag == "form":
            self._form = None
        elif tag == "button":
            self._button = None


class Page:
    def __init__(self, browser, response):
        self.browser, self.response, self.text = browser, response, response.text
        parser = _Forms(str(response.url))
        parser.feed(self.text)
        self.forms = parser.forms

    def form_with(self, name):
        return next((f for f in self.forms if name in f.fields), None)

    def button(self, pattern):
        for form in self.forms:
            for b in form.buttons:
                if re.search(pattern, b["text"] + " " + b["value"]):
                    return form, b
        return None

    def submit(self, name, values, button=None):
        """Fills in and sends the form that has the named field."""
        form = self.form_with(name)
        assert form is not None, f"no form with {name!r} at {self.response.url} ({self.response.status_code}):\n{self.text[:2000]}"
        data = {**form.fields, **values}
        if button:
            pressed = [b for b in form.buttons if re.search(button, b["text"] + " " + b["value"])]
            assert pressed, f"no button {button!r} in {form.buttons}"
            if pressed[0]["name"]:
                data[pressed[0]["name"]] = pressed[0]["value"]
        return self.browser.send(form, data)

    def press(self, found):
        form, b = found
        return self.browser.send(form, {**form.fields, **({b["name"]: b["value"]} if b["name"] else {})})


class Browser:
    def __init__(self, url):
        self.url = url
        self.client = httpx2.Client(follow_redirects=True, timeout=30)

    def get(self, url) -> Page:
        return self._page(self.client.get(urljoin(self.url + "/", url)))

    def send(self, form, data) -> Page:
        origin = {"Origin": self.url, "Referer": form.action, "Sec-Fetch-Site": "same-origin"}
        if form.method == "GET":
            return self._page(self.client.get(form.action, params=data))
        return self._page(self.client.post(form.action, data=data, headers=origin))

    def sign_in(self, account) -> "Browser":
        page = self.get("/login")
        form = page.form_with("password")
        assert form is not None, page.text[:2000]
        user = next(n for n in form.fields if n.lower() in ("username", "user", "login", "name", "email"))
        page = page.submit("password", {user: account.name, "password": account.password})
        assert page.form_with("password") is None, f"signing in failed: {page.text[:2000]}"
        return self

    def _page(self, response) -> Page:
        assert response.status_code < 400, f"{response.status_code} at {response.url}:\n{response.text[:2000]}"
        return Page(self, response)
