"""The clock asks a group of EC2 machines (moto's server) for as many as what waits in a real Valkey calls for."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from beat.maintenance import scale_gpu_hosts
from pipeline.errors import ScalingError
from pipeline.scaling.drivers import AutoScalingGroup
from pipeline.scaling.scaler import KEY
from pipeline.settings import settings
from pipeline.state.job_store import JobStore
from pipeline.types import Episode, JobSpec, JobState, LegOutcome, Options
from tests.services import start_aws, start_valkey

HOUR_BYTES = 57_600_000
"""An hour at 128 kbit/s."""
GROUP = "gpu"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with start_valkey(tmp_path_factory.mktemp("valkey")) as broker, start_aws(tmp_path_factory.mktemp("aws")) as aws:
        yield {
            "DUET_BROKER_URL": broker,
            "AWS_ENDPOINT_URL_AUTO_SCALING": aws,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
        }


@pytest.fixture
def group(servers: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A group of no machines, and settings that lead to it; yields what asks for its desired capacity."""
    for name, value in servers.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DUET_SCALE", f"asg:{GROUP}")
    monkeypatch.setenv("DUET_SCALE_START_S", "0")
    monkeypatch.setenv("DUET_SCALE_DOWN_AFTER_S", "0")
    settings.cache_clear()
    JobStore().redis.flushall()
    client = boto3.client("autoscaling", endpoint_url=servers["AWS_ENDPOINT_URL_AUTO_SCALING"])
    client.create_launch_configuration(LaunchConfigurationName="gpu", ImageId="ami-12c6146b", InstanceType="g5.xlarge")
    client.create_auto_scaling_group(
        AutoScalingGroupName=GROUP,
        LaunchConfigurationName="gpu",
        MinSize=0,
        MaxSize=20,
        AvailabilityZones=["us-east-1a"],
    )

    def desired() -> int:
        found = client.describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])["AutoScalingGroups"]
        return int(found[0]["DesiredCapacity"])

    yield desired
    client.delete_auto_scaling_group(AutoScalingGroupName=GROUP, ForceDelete=True)
    client.delete_launch_configuration(LaunchConfigurationName="gpu")
    settings.cache_clear()


def begin(job_store: JobStore, number: int) -> JobSpec:
    """Note a job of an hour of audio."""
    episode = Episode(id=f"{number:016x}", source=f"{number}.mp3", slug="ep", size_bytes=HOUR_BYTES)
    spec = JobSpec(
        job=f"{number:016x}-{'0' * 8}",
        attempt=1,
        episode=episode,
        options=Options(),
        audio_uri="file:///audio",
        uri="file:///results",
    )
    assert job_store.begin(spec)
    return spec


def test_hosts_come_and_go_with_what_waits(group: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given an episode that was heard, Whisper at ten times real time and Voxtral at four, and 34 that wait
    job_store = JobStore()
    jobs = [begin(job_store, number) for number in range(35)]
    for leg, work_s in (("whisper", 360.0), ("voxtral", 900.0)):
        outcome = LegOutcome.model_validate({"leg": leg, "status": "ok", "audio_s": 3600.0, "work_s": work_s})
        job_store.note_leg(jobs[0], outcome.leg, outcome=outcome.model_dump_json())
    job_store.advance(jobs[0], JobState.COMPLETED)

    # When the clock looks, then there are as many hosts as have them done within the hour
    scale_gpu_hosts()
    assert group() == 9

    # Of a shorter target as many as the group may have
    monkeypatch.setenv("DUET_DRAIN_TARGET_S", "900")
    settings.cache_clear()
    scale_gpu_hosts()
    assert group() == 10, "no more than DUET_SCALE_MAX_HOSTS"
    monkeypatch.setenv("DUET_SCALE_MAX_HOSTS", "100")
    settings.cache_clear()
    scale_gpu_hosts()
    assert group() == 20, "no more than the group's own greatest size"

    # And none when all is done
    for job in jobs[1:]:
        job_store.advance(job, JobState.COMPLETED)
    scale_gpu_hosts()
    scale_gpu_hosts()
    assert group() == 0


def test_a_group_that_is_not_there_is_said_and_hosts_stay_as_they_are(
    group: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ScalingError, match="no Auto Scaling group 'gone'"):
        AutoScalingGroup("gone").hosts()
    monkeypatch.setenv("DUET_SCALE", "asg:gone")
    settings.cache_clear()
    scale_gpu_hosts()
    assert "Hosts stay as they are" in caplog.text
    assert JobStore().redis.get(KEY) is None


def test_aws_that_does_not_answer_is_said(group: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_AUTO_SCALING", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(ScalingError, match="check credentials and region"):
        AutoScalingGroup(GROUP).hosts()
