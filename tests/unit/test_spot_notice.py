"""What EC2's metadata service and a file say about this machine's end."""

import logging
from pathlib import Path

import pytest

from tests.metadata_server import metadata_server
from workers.runtime.ec2_metadata import Ec2Metadata, NoticeFile
from workers.runtime.spot_notice import SpotNoticeWatcher


def test_ec2_is_asked_with_a_token_that_is_renewed() -> None:
    with metadata_server() as server:
        ec2 = Ec2Metadata(server.url)
        assert ec2.seconds_left() is None
        assert ec2.seconds_left() is None
        assert server.tokens == 1
        server.take_away_in(120)
        server.expired = True
        assert ec2.seconds_left() == pytest.approx(120, abs=10)
        assert server.tokens == 2


def test_a_notice_without_a_time_is_one_all_the_same() -> None:
    with metadata_server() as server:
        server.notice = {"action": "hibernate"}
        assert Ec2Metadata(server.url).seconds_left() == float("inf")


def test_a_service_that_is_not_there_is_no_notice_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    ec2 = Ec2Metadata("http://127.0.0.1:9")
    with caplog.at_level(logging.WARNING):
        assert [ec2.seconds_left(), ec2.seconds_left()] == [None, None]
    assert len(caplog.records) == 1


def test_a_file_is_a_notice_with_or_without_the_seconds_left(tmp_path: Path) -> None:
    file = NoticeFile(tmp_path / "drain")
    assert file.seconds_left() is None
    (tmp_path / "drain").touch()
    assert file.seconds_left() == float("inf")
    (tmp_path / "drain").write_text("60\n")
    assert file.seconds_left() == pytest.approx(60, abs=10)


def test_a_source_that_cannot_be_looked_at_is_told_once_and_looked_at_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a folder where the file would be, as Docker puts one for a file that is not there, and another source
    flag, other = tmp_path / "drain", tmp_path / "other"
    flag.mkdir()
    watch = SpotNoticeWatcher([NoticeFile(flag), NoticeFile(other)])

    # When it is looked at, then it is said once that it cannot be
    with caplog.at_level(logging.WARNING):
        assert [watch.has_notice(), watch.has_notice()] == [False, False]
    assert len(caplog.records) == 1
    assert str(flag) in caplog.text

    # Then the other one is heard, and the first when it is mended
    other.touch()
    assert watch.has_notice()
    other.unlink()
    flag.rmdir()
    flag.touch()
    assert watch.has_notice()
