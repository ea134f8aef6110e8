"""The manifests: rendered by kustomize, held against the schemas of the API; no cluster is needed for that."""

import re
import shutil
import subprocess
from functools import cache
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docker/k8s"
VERSION = "1.34"
"""The first that knows all that is used: claims of devices."""
OVERLAYS = ("base", "gpu", "gpu-claim")
SECRET_KEYS = {
    "valkey-password", "broker-url", "aws-access-key-id", "aws-secret-access-key", "flower-auth",
    "webhook-secret", "voxtral-key", "hf-token",
}  # fmt: skip


@cache
def rendered(overlay: str) -> list[dict[str, Any]]:
    yaml = pytest.importorskip("yaml")
    command = ["kustomize", "build"] if shutil.which("kustomize") else ["kubectl", "kustomize"]
    if not shutil.which(command[0]):
        pytest.skip("needs kustomize, or a current kubectl, on the PATH")
    done = subprocess.run([*command, str(FOLDER / overlay)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return [it for it in yaml.safe_load_all(done.stdout) if it]


def of_kind(overlay: str, *kinds: str) -> dict[str, dict[str, Any]]:
    return {it["metadata"]["name"]: it for it in rendered(overlay) if it["kind"] in kinds}


def pods(overlay: str) -> dict[str, dict[str, Any]]:
    return {name: it["spec"]["template"] for name, it in of_kind(overlay, "Deployment", "StatefulSet").items()}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_object_is_what_the_api_takes(overlay: str) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    found = [it for it in rendered(overlay) if not it["apiVersion"].startswith("keda.sh/")]
    assert len(found) >= 15
    for it in found:
        kubernetes_validate.validate(it, VERSION, strict=True)


@pytest.mark.parametrize("overlay", ["gpu", "gpu-claim"])
def test_every_scaled_object_is_what_keda_takes(overlay: str) -> None:
    keda = pytest.importorskip("cloudcoil.models.keda.v1alpha1")
    found = of_kind(overlay, "ScaledObject")
    assert set(found) == {"pools", "cpu"}
    for it in found.values():
        # The model drops what it does not know.
        known = keda.ScaledObject.model_validate(it).model_dump(by_alias=True, exclude_none=True, mode="json")
        assert known["spec"] == it["spec"]
        assert it["spec"]["scaleTargetRef"]["name"] in of_kind(overlay, "Deployment")
        assert "replicas" not in of_kind(overlay, "Deployment")[it["spec"]["scaleTargetRef"]["name"]]["spec"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_container_is_shut_in(overlay: str) -> None:
    for name, pod in pods(overlay).items():
        assert pod["spec"]["securityContext"]["runAsNonRoot"], name
        assert pod["spec"]["automountServiceAccountToken"] is False, name
        for container in pod["spec"]["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"], name


def test_no_secret_is_written_down_and_each_is_named_in_the_guide() -> None:
    assert not of_kind("base", "Secret")
    named = {
        variable["valueFrom"]["secretKeyRef"]["key"]
        for pod in pods("base").values()
        for container in pod["spec"]["containers"]
        for variable in container.get("env", ())
        if "secretKeyRef" in variable.get("valueFrom", {})
    }
    assert named == SECRET_KEYS
    guide = (ROOT / "docs/deploy.md").read_text() + (FOLDER / "base/kustomization.yaml").read_text()
    assert all(f"--from-literal={key}=" in guide for key in SECRET_KEYS)


def test_a_secret_is_with_those_alone_who_use_it() -> None:
    holders = {
        (variable["name"], container["name"])
        for pod in pods("base").values()
        for container in pod["spec"]["containers"]
        for variable in container.get("env", ())
        if variable["name"] in ("DUET_WEBHOOK_SECRET", "DUET_VOXTRAL_KEY", "HF_TOKEN")
    }
    assert holders == {
        ("DUET_WEBHOOK_SECRET", "cpu"),
        ("DUET_VOXTRAL_KEY", "voxtral"),
        ("HF_TOKEN", "voxtral"),
    }


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_pool_has_the_time_to_hand_over(overlay: str) -> None:
    (settings,) = of_kind(overlay, "ConfigMap").values()
    for name in ("pools", "cpu"):
        spec = pods(overlay)[name]["spec"]
        assert spec["terminationGracePeriodSeconds"] > float(settings["data"]["DUET_STOP_GRACE_S"])


def test_the_broker_refuses_more_before_it_is_killed() -> None:
    (container,) = pods("base")["broker"]["spec"]["containers"]
    (found,) = re.findall(r"--maxmemory (\d+)mb", " ".join(container["args"]))
    assert container["resources"]["limits"]["memory"] == "2Gi"
    assert int(found) * 2**20 <= 0.75 * 2 * 2**30


def test_both_pools_share_one_card() -> None:
    sliced = pods("gpu")["pools"]["spec"]["containers"]
    assert [it["resources"]["limits"]["nvidia.com/gpu"] for it in sliced] == ["1", "1"]
    claiming = pods("gpu-claim")["pools"]["spec"]
    (claim,) = claiming["resourceClaims"]
    assert claim["resourceClaimTemplateName"] in of_kind("gpu-claim", "ResourceClaimTemplate")
    assert [it["resources"]["claims"] for it in claiming["containers"]] == [[{"name": claim["name"]}]] * 2
    for container in (*sliced, *claiming["containers"]):
        assert "duet-gpu:" in container["image"]


def test_what_selects_pods_finds_some() -> None:
    labels = [pod["metadata"]["labels"] for pod in pods("base").values()]
    components = {it["app.kubernetes.io/component"] for it in labels}
    for it in of_kind("base", "PodDisruptionBudget", "Service").values():
        selector = it["spec"]["selector"]
        assert selector.get("matchLabels", selector)["app.kubernetes.io/component"] in components
    for policy in of_kind("base", "NetworkPolicy").values():
        for expression in policy["spec"]["podSelector"].get("matchExpressions", ()):
            assert set(expression["values"]) <= components


def test_what_scales_is_measured() -> None:
    asked = {
        name
        for it in of_kind("gpu", "ScaledObject").values()
        for trigger in it["spec"]["triggers"]
        for name in re.findall(r"\bduet_\w+", trigger["metadata"]["query"])
    }
    assert asked == {"duet_queue_messages", "duet_unacked_messages", "duet_oldest_wait_seconds"}
    measured = "".join(path.read_text() for path in (ROOT / "pipeline/monitoring/metrics").glob("*.py"))
    assert all(f'"{name}"' in measured for name in asked)


@pytest.mark.parametrize(
    ("address", "is_open"),
    [
        ("169.254.169.254", False),
        ("fd00:ec2::254", False),
        ("fd20:ce::254", False),
        ("169.254.20.10", True),
        ("169.254.25.10", True),
        ("169.254.170.23", True),
        ("fd00:ec2::23", True),
        ("10.96.0.10", True),
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07::1", True),
    ],
)
def test_all_but_pools_reach_dns_and_their_own_credentials_and_no_metadata(address: str, is_open: bool) -> None:
    yaml = pytest.importorskip("yaml")
    policies = yaml.safe_load_all((FOLDER / "base/network.yaml").read_text())
    (policy,) = (it for it in policies if it["spec"]["policyTypes"] == ["Egress"])
    blocks = [to["ipBlock"] for to in policy["spec"]["egress"][0]["to"] if "ipBlock" in to]

    asked = ip_address(address)
    within = [it for it in blocks if asked in ip_network(it["cidr"])]
    assert any(not any(asked in ip_network(hole) for hole in it["except"]) for it in within) is is_open
