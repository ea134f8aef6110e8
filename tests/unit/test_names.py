"""Names of any bytes: each file is found, and found again from its URI."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies

from pipeline.cli import display
from pipeline.client.episode_row import EpisodeRow
from pipeline.client.library import find_episode
from pipeline.errors import StorageError
from pipeline.sources import LocalFile, Rejected, find
from pipeline.sources.digest_cache import Digests
from pipeline.storage import as_uri, for_people, join, open_object, open_storage, path_of
from pipeline.types import Episode

ID3 = b"ID3\x04\x00\x00\x00\x00\x00\x00"
ODD = [
    "Show #1", "a%20b", "50% off", "x?y", 'a"b', "a<b>|c", "CON", "-rf", "~nobody.here", "~", "trail. ", " lead",
    "nl\nx", "tab\tx", "[x]", "a*b", "a:b", "http:_x", "s3:x", "file:x",
    "😀", "\u202egnp", "e\u0301", "\u00e9", "caf\udce9",
    "%2e%2e", "\\", "&amp;", "ж" * 125,
]  # fmt: skip
NAMES = strategies.binary(min_size=1, max_size=255).filter(
    lambda name: b"\0" not in name and b"/" not in name and name not in (b".", b"..")
) | strategies.sampled_from([os.fsencode(it) for it in ODD])


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(folder=NAMES, name=NAMES)
def test_whatever_a_file_and_its_folder_are_called_it_is_found_and_comes_back_from_its_uri(
    tmp_path_factory: pytest.TempPathFactory, folder: bytes, name: bytes
) -> None:
    top = tmp_path_factory.mktemp("names")
    inside = top / os.fsdecode(folder)
    path = inside / f"{os.fsdecode(name[:250])}.mp3"
    inside.mkdir()
    path.write_bytes(ID3 + name)

    assert path_of(as_uri(path)) == path
    assert join(as_uri(top), os.fsdecode(folder), path.name) == as_uri(path)
    assert as_uri(as_uri(path)) == as_uri(path)
    assert open_storage(as_uri(inside)).get(path.name) == ID3 + name
    storage, own = open_object(as_uri(path))
    assert (storage.uri, own) == (as_uri(inside), path.name)

    for place in (inside, as_uri(inside), path, as_uri(path)):
        found = list(find(place))
        if folder.startswith(b".") and place != path:
            continue
        assert len(found) == 1
        if isinstance(found[0], LocalFile):
            assert found[0].path == path
            episode = found[0].read(Digests(top / "digests"))
            assert Episode.model_validate_json(episode.model_dump_json()) == episode
            assert episode.slug.isascii()
            assert 0 < len(episode.slug) <= 60


@pytest.mark.parametrize("name", ODD)
def test_a_destination_of_any_name_is_that_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "~"))

    for place in (name, f"./{name}", str(tmp_path / name), (tmp_path / name).as_uri()):
        open_storage(as_uri(place)).put("result.json", b"{}")

    assert [it.name for it in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("file://{}/Show #1", "Show #1"),
        ("file://{}/What now?", "What now?"),
        ("file://{}/a b", "a b"),
        ("file://{}/50% off", "50% off"),
        ("file:{}/one", "one"),
        ("FILE://localhost{}/a%23b/", "a#b"),
    ],
)
def test_a_uri_of_a_folder_may_be_written_in_many_ways(tmp_path: Path, uri: str, name: str) -> None:
    assert as_uri(uri.format(tmp_path)) == (tmp_path / name).as_uri()
    assert for_people(as_uri(uri.format(tmp_path))) == str(tmp_path / name)


def test_a_bucket_may_be_written_in_capitals_and_its_prefix_stays() -> None:
    assert as_uri("S3://bucket/A//b?c#d%20/") == "s3://bucket/A//b?c#d%20"


def test_a_pattern_may_be_in_a_folder_that_looks_like_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("Shows [2024]", "Shows 2"):
        Path(folder).mkdir()
        (tmp_path / folder / "ep.mp3").write_bytes(ID3)

    assert list(find("Shows [2024]/*.mp3")) == [LocalFile(Path("Shows [2024]/ep.mp3"))]
    assert list(find(f"{tmp_path}/Shows [2024]/**/*.mp3")) == [LocalFile(tmp_path / "Shows [2024]/ep.mp3")]
    assert len(list(find("Shows*/*.mp3"))) == 2


def test_a_name_is_one_line_of_a_list() -> None:
    row = EpisodeRow.of_rejected(Rejected("show/a\nb.mp3: completed\tx", "it is odd"))

    assert row.name == "a\N{REPLACEMENT CHARACTER}b.mp3: completed\N{REPLACEMENT CHARACTER}x"
    assert "\n" not in display.line(row)


@pytest.mark.parametrize(
    "asked", ["Show #1: Über uns!.mp3", "Show #1: Über uns!", "show-1-uber-uns", "SHOW-1", "0123456789abcdef"]
)
def test_an_episode_is_found_by_its_files_name_too(tmp_path: Path, asked: str) -> None:
    for name in ("show-1-uber-uns-0123456789abcdef", "other-0123456789abcdee", "episode-0123456789abcded"):
        open_storage(as_uri(tmp_path / "Show #1")).put(f"{name}/result.json", b"{}")

    found = find_episode(asked, str(tmp_path / "Show #1"))

    assert found == f"{as_uri(tmp_path / 'Show #1')}/show-1-uber-uns-0123456789abcdef"
    with pytest.raises(StorageError, match=r"There is no episode '\?\?'"):
        find_episode("??", str(tmp_path / "Show #1"))
