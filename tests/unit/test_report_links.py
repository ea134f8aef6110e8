"""Links of the report: relative, and quoted for names of any kind."""

import pytest

from pipeline.client.report.links import folder_link


@pytest.mark.parametrize(
    ("uri", "destination", "link"),
    [
        ("file:///to%20%231/ep-1", "file:///to%20%231", "./ep-1"),
        ("file:///to/a%3Fb%20c/ep-1", "file:///to", "./a%3Fb%20c/ep-1"),
        ("s3://bucket/to #1/ep-1", "s3://bucket/to #1", "./ep-1"),
        ("s3://bucket/to/a?b #c/ep:1", "s3://bucket/to", "./a%3Fb%20%23c/ep%3A1"),
        ("s3://bucket/ep-1", "s3://bucket/", "./ep-1"),
        ("s3://elsewhere/ep-1", "s3://bucket/to", ""),
        ("file:///together/ep-1", "file:///to", ""),
        (None, "file:///to", ""),
    ],
)
def test_a_link_is_relative_to_the_folder_of_the_report(uri: str | None, destination: str, link: str) -> None:
    assert folder_link(uri, destination) == link
