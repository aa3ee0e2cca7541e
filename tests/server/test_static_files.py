"""Static files: versioned addresses that browsers keep, and the modules that pages preload."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urljoin

import pytest
import requests
from losswise_server.static_files import FolderVersion, content_version, imported_modules

from tests.support.network.stream import Stream
from tests.support.server import Server

OTHER_VERSION = "v-0123456789ab"


def addresses(server: Server, page: str) -> tuple[list[str], list[str]]:
    """The modules that a page preloads, and those that it starts."""
    text = server.signed_in().get(server.url + page, timeout=30).text
    preloads = re.findall(r'<link rel="modulepreload" href="([^"]+)">', text)
    return preloads, re.findall(r'<script type="module" src="([^"]+)"></script>', text)


def imports(server: Server, address: str, found: set[str]) -> set[str]:
    """Follow the imports of a module, as a browser does."""
    text = requests.get(server.url + address, timeout=30).text
    for line in re.findall(r"from '([^']+)';$", text, re.MULTILINE):
        imported = urljoin(address, line)
        if imported not in found:
            found.add(imported)
            imports(server, imported, found)
    return found


@pytest.mark.parametrize("page", ["/", "/projects", "/quickstart"])
def test_every_module_that_a_page_needs_is_preloaded_once(server: Server, page: str) -> None:
    preloads, entries = addresses(server, page)
    needed = set().union(*(imports(server, entry, set()) for entry in entries))
    assert needed
    assert sorted(preloads) == sorted(needed)
    if page == "/":
        assert len(preloads) > 20


def test_static_files_may_be_kept_for_a_year(server: Server) -> None:
    _, [entry, *_] = addresses(server, "/")
    answer = requests.get(server.url + entry, timeout=30)
    assert answer.status_code == 200
    assert {"public", "immutable", "max-age=31536000"} <= set(answer.headers["Cache-Control"].split(", "))


def test_the_stream_tells_the_version(server: Server) -> None:
    _, [entry, *_] = addresses(server, "/")
    stream = Stream(server, project_id=server.project_id())
    assert stream.wait("version")["static"] == entry.split("/")[2]
    stream.close()


def test_other_versions_of_an_address_give_the_file_too_but_are_not_kept(server: Server) -> None:
    _, [entry, *_] = addresses(server, "/")
    own = requests.get(server.url + entry, timeout=30)
    version = entry.split("/")[2]
    for other in (entry.replace(version, OTHER_VERSION), entry.replace(version + "/", "")):
        answer = requests.get(server.url + other, timeout=30)
        assert answer.status_code == 200
        assert answer.content == own.content
        assert answer.headers["Cache-Control"] == "no-cache"
        etag = answer.headers["ETag"]
        again = requests.get(server.url + other, headers={"If-None-Match": etag}, timeout=30)
        assert again.status_code == 304


@pytest.mark.parametrize(
    "path", ["nothing.js", f"{OTHER_VERSION}/nothing.js", "js/", "../__init__.py", "%2e%2e/config.py"]
)
def test_what_is_no_static_file_is_not_found(server: Server, path: str) -> None:
    assert requests.get(f"{server.url}/static/{path}", timeout=30).status_code == 404


def test_the_version_follows_content_and_names(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("1")
    first = content_version(tmp_path)
    (tmp_path / "a.js").write_text("2")
    second = content_version(tmp_path)
    (tmp_path / "a.js").rename(tmp_path / "b.js")
    assert len({first, second, content_version(tmp_path)}) == 3
    (tmp_path / "b.js").rename(tmp_path / "a.js")
    assert content_version(tmp_path) == second


def test_an_edited_file_changes_the_version_of_a_running_server(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("1")
    version = FolderVersion(tmp_path, check_interval_s=0)
    first = version.get()
    assert version.get() == first == content_version(tmp_path)
    (tmp_path / "a.js").write_text("22")
    assert version.get() == content_version(tmp_path) != first


def test_a_link_to_nothing_is_no_static_file(tmp_path: Path) -> None:
    """As some editors make them beside a file that is open."""
    (tmp_path / "a.js").write_text("1")
    version = FolderVersion(tmp_path, check_interval_s=0)
    first = version.get()
    (tmp_path / ".#a.js").symlink_to(tmp_path / "nobody@host")
    assert version.get() == first


def test_imports_are_followed(tmp_path: Path) -> None:
    for name, text in {
        "start.js": "import { a } from './a/one.js';\nimport './a/bare.js';\n",
        "a/one.js": "import {\n  two,\n  three,\n} from '../b/two.js';\nexport { four } from './four.js';\n",
        "a/bare.js": "const text = \"import x from './nowhere.js'\";\nexport const b = './nowhere.js';\n",
        "a/four.js": "import { a } from './one.js';\n",
        "b/two.js": "// import x from './nowhere.js';\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert imported_modules(tmp_path, "start.js") == {"a/one.js", "a/bare.js", "a/four.js", "b/two.js"}
