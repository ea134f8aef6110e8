"""Autoscaling backends: a log line only, or an Auto Scaling group of AWS."""

from typing import Any, Protocol

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from pipeline.errors import ScalingError, SettingsError

GROUP = "asg:"


class Driver(Protocol):
    """Something that knows how many hosts there are and can be asked for another number."""

    def hosts(self) -> int | None:
        """Return the number of hosts that run or start; None where the backend does not know.

        Raises:
            ScalingError: it cannot be asked.
        """
        ...

    def ask_for(self, hosts: int) -> int:
        """Ask for that many, and return how many it will be.

        Raises:
            ScalingError: it refuses.
        """
        ...


class DryRunDriver:
    """Asks nobody: what is wanted stands in the clock's log and in `duet scale`."""

    def hosts(self) -> int | None:
        """Return None: it takes for granted that what it said was done."""
        return None

    def ask_for(self, hosts: int) -> int:
        """Log the wanted number of hosts."""
        return hosts


class AutoScalingGroup:
    """An EC2 Auto Scaling group, whose own least and greatest sizes hold in any case.

    Credentials and region as boto3 takes them; the role needs `autoscaling:DescribeAutoScalingGroups` and
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

    def ask_for(self, hosts: int) -> int:
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
        SettingsError: it names none.
        ScalingError: it cannot be reached.
    """
    if scale == "print":
        return DryRunDriver()
    if scale.startswith(GROUP) and len(scale) > len(GROUP):
        return AutoScalingGroup(scale.removeprefix(GROUP))
    raise SettingsError(f"DUET_SCALE={scale!r} cannot be used: it is `print` or `asg:` and a group's name.")
