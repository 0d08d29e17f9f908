"""Who is answered by the live page's server, and what it takes."""

import http.client
import json
import re
import time

import pytest

from cellxai.verbs.view.server import MOST_BYTES


def ask(served, method: str, path: str, body: bytes | None = None, **headers: str):
    """Status and text; a header of the name ``token`` or ``host`` replaces the right one."""
    server = served.server
    sent = {"X-Token": headers.pop("token", server.token), **headers}
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.request(method, path, body, sent)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer, text


def answer_of(served, body: bytes, query: str = "run=0&methods=lime,gradcam"):
    _, text = ask(served, "POST", f"/images?{query}", body)
    job = json.loads(text)["job"]
    for _ in range(500):
        state = json.loads(ask(served, "GET", f"/images/{job}")[1])
        if state["state"] == "done":
            return state
        time.sleep(0.01)
    raise AssertionError(state)


def test_an_image_is_judged_and_explained_by_the_methods_that_are_asked_for_and_deleted(served):
    state = answer_of(served, b"PNG", "run=1&methods=lime,gradcam")
    assert state["verdict"]["predicted"] == "<b>astro</b>"
    assert [answer["method"] for answer in state["maps"]] == ["lime", "gradcam"]
    assert (served.runs[0].seen, served.runs[1].seen) == ([], [b"PNG"])
    assert [*served.folder.iterdir()] == []


def test_what_is_no_image_is_one_line_without_a_path_and_the_next_is_answered(served):
    assert answer_of(served, b"no")["problem"] == "this file is no image"
    assert answer_of(served, b"PNG")["problem"] == ""


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", ""])
def test_another_host_name_is_refused(served, host):
    answer, text = ask(served, "GET", f"/?token={served.server.token}", Host=host)
    assert answer.status == 403
    assert "only 127.0.0.1:" in json.loads(text)["problem"]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "wrong", [{"token": "x"}, {"token": ""}, {"Origin": "http://evil.example"}]
)
def test_without_the_token_or_from_another_origin_nothing_is_answered(served, method, wrong):
    path = "/images?run=0" if method == "POST" else "/images/x"
    answer, _ = ask(served, method, path, b"PNG" if method == "POST" else None, **wrong)
    assert answer.status == 403
    assert [*served.folder.iterdir()] == []
    assert ask(served, "GET", "/?token=wrong")[0].status == 403
    assert ask(served, "GET", "/")[0].status == 403


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("run=2", "expected a number below 2"),
        ("run=-1", "expected a number below 2"),
        ("run=../secret", "expected a number below 2"),
        ("methods=lime", "expected a number below 2"),
        ("run=0&methods=lime,os.system", "methods: 'os.system' is none"),
    ],
)
def test_no_run_and_no_method_but_those_of_the_page_are_taken(served, query, words):
    answer, text = ask(served, "POST", f"/images?{query}", b"PNG")
    assert answer.status == 400
    assert words in json.loads(text)["problem"]


def test_too_large_an_image_is_refused_before_it_is_read(served):
    headers = {"Content-Length": str(MOST_BYTES + 1)}
    answer, text = ask(served, "POST", "/images?run=0", None, **headers)
    assert answer.status == 413
    assert f"expected {MOST_BYTES} at most" in text
    assert ask(served, "POST", "/images?run=0", b"")[0].status == 411


@pytest.mark.parametrize(
    "path", ["/../etc/passwd", "/etc/passwd", "/images/../../x", "//x", "/%2e"]
)
def test_no_path_of_a_client_is_looked_up(served, path):
    assert ask(served, "GET", path)[0].status == 404
    assert ask(served, "POST", path, b"PNG")[0].status == 404


def test_the_page_lists_the_runs_as_text_and_may_ask_its_own_server_alone(served):
    answer, html = ask(served, "GET", f"/?token={served.server.token}")
    assert answer.status == 200
    assert "&lt;img src=x onerror=alert(1)&gt;" in html
    assert "<img src=x" not in html
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert policy.endswith("; connect-src 'self'")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
