"""The description and its page: valid, public, cached, true by its own word, and nothing of it comes from outside."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any, cast

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client as HttpClient

from cases.models import Case
from tests.cases.api.conftest import Api, read_error
from tests.cases.api.description import Description, is_outside
from tests.cases.factories import CaseFactory

PAGE = "/docs"
DESCRIPTION = "/openapi.json"


@pytest.fixture(scope="module")
def description() -> Description:
    return Description()


def test_the_description_is_valid_openapi_and_made_without_a_warning(tmp_path: Path) -> None:
    made = tmp_path / "openapi.json"

    call_command("spectacular", "--validate", "--fail-on-warn", "--format", "openapi-json", "--file", str(made))

    document = json.loads(made.read_text(encoding="utf-8"))
    assert document["openapi"] == "3.1.1"
    assert document == Description().published
    assert document["servers"] == [{"url": "/"}]


def test_the_description_has_the_version_of_the_project(description: Description) -> None:
    project = tomllib.loads((Path(settings.BASE_DIR) / "pyproject.toml").read_text(encoding="utf-8"))

    assert description.document["info"]["version"] == project["project"]["version"]


def test_the_names_for_generated_clients_are_these(description: Description) -> None:
    assert [operation.name for operation in description.list_operations()] == [
        "listCases",
        "createCase",
        "getCase",
        "getAttachment",
        "cancelCase",
        "provideInput",
    ]


def test_every_reference_leads_somewhere(description: Description) -> None:
    for reference in set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(description.document))):
        found: Any = description.document
        for name in reference.removeprefix("#/").split("/"):
            found = found[name]
        assert found


def test_every_example_keeps_to_the_schema_beside_it(description: Description) -> None:
    examples = list(description.list_examples())

    faults = {place: description.list_faults(schema, value) for place, schema, value in examples}

    assert {place: found for place, found in faults.items() if found} == {}
    assert len(examples) > 50


def test_every_answer_and_every_body_has_an_example(description: Description) -> None:
    for operation in description.list_operations():
        contents = [response["content"] for response in operation.text["responses"].values()]
        contents += [operation.text["requestBody"]["content"]] if "requestBody" in operation.text else []
        assert all(content["application/json"]["examples"] for content in contents), operation.name


def test_the_examples_of_a_new_case_are_taken_as_they_stand(api: Api, description: Description) -> None:
    body = description.get_operation("createCase").text["requestBody"]["content"]["application/json"]

    answers = [api.post("/cases", example["value"]) for example in body["examples"].values()]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert Case.objects.count() == 2


def test_the_example_of_an_answer_is_taken_as_it_stands(api: Api, description: Description) -> None:
    body = description.get_operation("provideInput").text["requestBody"]["content"]["application/json"]
    [example] = [example["value"] for example in body["examples"].values()]
    case = CaseFactory.create(client=api.client, status="INPUT_NEEDED")
    case.input_requests.create(id=example["inputRequestId"], question="Which?", requested_at=case.created_at)

    answer = api.post(f"/cases/{case.id}/input", example)

    assert answer.status_code == 202


# -- As it is served


def test_the_description_needs_no_key_and_may_be_kept_for_minutes() -> None:
    answer = HttpClient().get(DESCRIPTION)

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert not answer.cookies


def test_who_has_the_description_already_is_told_so() -> None:
    first = HttpClient().get(DESCRIPTION)

    second = HttpClient().get(DESCRIPTION, headers={"if-none-match": first.headers["ETag"]})

    assert (second.status_code, second.content) == (304, b"")
    assert second.headers["ETag"] == first.headers["ETag"]


def test_head_answers_without_the_body() -> None:
    answer = HttpClient().head(DESCRIPTION)

    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["Content-Length"]) == len(HttpClient().get(DESCRIPTION).content)


@pytest.mark.parametrize("path", [DESCRIPTION, PAGE])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_another_method_gets_the_envelope(path: str, method: str) -> None:
    answer = cast(HttpResponse, HttpClient().generic(method, path))

    assert (answer.status_code, read_error(answer)["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert answer.headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("path", [DESCRIPTION, PAGE])
def test_what_a_browser_accepts_and_the_key_it_sends_change_nothing(path: str) -> None:
    plain = HttpClient().get(path)

    answer = HttpClient().get(path, headers={"accept": "application/xml", "x-api-key": "nobody's"})

    assert (answer.status_code, answer.content) == (200, plain.content)


def test_the_page_loosens_the_policy_for_styles_and_images_alone() -> None:
    def read_policy(path: str) -> dict[str, list[str]]:
        header = HttpClient().get(path).headers["Content-Security-Policy"]
        return {name: values for name, *values in (part.split() for part in header.split(";"))}

    loosened = {"style-src": ["'self'", "'unsafe-inline'"], "img-src": ["'self'", "data:"]}

    assert read_policy(PAGE) == read_policy(DESCRIPTION) | loosened
    assert read_policy(DESCRIPTION)["default-src"] == ["'self'"]


def test_all_that_the_page_loads_is_a_file_of_this_server() -> None:
    page = HttpClient().get(PAGE).content.decode()

    loaded = re.findall(r'(?:src|href)="([^"]+)"', page)

    files = [url.removeprefix("/static/") for url in loaded if url != DESCRIPTION]
    assert not [url for url in loaded if is_outside(url)]
    assert [name for name in files if finders.find(name) is None] == []
    assert [Path(name).name for name in files] == [
        "favicon.svg",
        "swagger-ui.css",
        "openapi.css",
        "swagger-ui-bundle.js",
        "openapi.js",
    ]


def test_the_page_has_no_script_of_its_own_and_sets_no_cookie() -> None:
    answer = HttpClient().get(PAGE)

    page = answer.content.decode()
    assert re.findall(r"<script(?! src=)|<style| style=| on\w+=", page) == []
    assert not answer.cookies
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
