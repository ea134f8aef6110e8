"""Autoscaling backends: a log line only, or an Auto Scaling group of AWS."""

from typing import Any, Protocol

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from pipeline.errors import ScalingError, SettingsError

GROUP = "asg:"


class Driver(Protocol):
    """A backend that returns the number of hosts and changes it."""

    def hosts(self) -> int | None:
        """Return the number of hosts that run or start, or None if the backend does not know it.

        Raises:
            ScalingError: the backend cannot be reached.
        """
        ...

    def set_hosts(self, hosts: int) -> int:
        """Request a number of hosts and return the number that the backend accepted.

        Raises:
            ScalingError: the backend rejected the request.
        """
        ...


class DryRunDriver:
    """Changes nothing; beat's log and `duet scale` show the wanted number of hosts."""

    def hosts(self) -> int | None:
        """Return None, so that the last wanted number counts as the present one."""
        return None

    def set_hosts(self, hosts: int) -> int:
        """Return the wanted number unchanged."""
        return hosts


class AutoScalingGroup:
    """An EC2 Auto Scaling group; its own minimum and maximum sizes always apply.

    Credentials and region come from boto3's usual sources; the role needs `autoscaling:DescribeAutoScalingGroups` and
    `autoscaling:SetDesiredCapacity`.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        try:
            self._client: Any = boto3.session.Session().client("autoscaling")
        except BotoCoreError as error:
            raise ScalingError(f"The Auto Scaling group {name} cannot be asked: {error}") from None

    def hosts(self) -> int:
        """Return its desired capacity."""
        return int(self._group()["DesiredCapacity"])

    def set_hosts(self, hosts: int) -> int:
        """Set its desired capacity, within its own limits."""
        group = self._group()
        possible = max(group["MinSize"], min(hosts, group["MaxSize"]))
        if possible != group["DesiredCapacity"]:
            self._call("set_desired_capacity", AutoScalingGroupName=self.name, DesiredCapacity=possible)
        return int(possible)

    def _group(self) -> dict[str, Any]:
        found = self._call("describe_auto_scaling_groups", AutoScalingGroupNames=[self.name])["AutoScalingGroups"]
        if not found:
            raise ScalingError(f"There is no Auto Scaling group {self.name!r} in this region; check DUET_SCALE.")
        group: dict[str, Any] = found[0]
        return group

    def _call(self, what: str, **details: Any) -> Any:
        try:
            return getattr(self._client, what)(**details)
        except (BotoCoreError, ClientError) as error:
            raise ScalingError(
                f"AWS does not {what.replace('_', ' ')} for {self.name}: {error}; check credentials and region."
            ) from None


def driver(scale: str) -> Driver:
    """Return the driver that DUET_SCALE names.

    Raises:
        SettingsError: the setting names no driver.
        ScalingError: the driver's backend cannot be reached.
    """
    if scale == "print":
        return DryRunDriver()
    if scale.startswith(GROUP) and len(scale) > len(GROUP):
        return AutoScalingGroup(scale.removeprefix(GROUP))
    raise SettingsError(f"DUET_SCALE={scale!r} cannot be used: it is `print` or `asg:` and a group's name.")
