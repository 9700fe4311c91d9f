"""What a host runs: the files of deploy/ and the Dockerfile agree, and the server that they start becomes ready.

The server runs from a copy that holds what the image holds, so a file that .dockerignore leaves out is missed here.
"""

import asyncio
import json
import re
import shutil
import subprocess
import time
import tomllib
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from fcn.model import zoo
from fcn.photos.files import MAX_BYTES
from tests.benchmarks.proxy import free_ports, replica
from tests.support.live import ROOT, Visitor

DOCKERFILE = (ROOT / "Dockerfile").read_text()
HAPROXY = (ROOT / "deploy" / "haproxy.cfg").read_text()
SERVE = (ROOT / "deploy" / "serve.py").read_text()


@pytest.fixture(scope="module")
def kinds() -> dict[str, Any]:
    """The objects of kubernetes.yaml by kind."""
    yaml = pytest.importorskip("yaml")
    found = list(yaml.safe_load_all((ROOT / "deploy" / "kubernetes.yaml").read_text()))
    assert len({one["kind"] for one in found}) == len(found)
    return {one["kind"]: one for one in found}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the Dockerfile copies and .dockerignore lets through."""
    folder = tmp_path_factory.mktemp("image")
    for source, target in re.findall(r"^COPY (\S+) (\S+)$", DOCKERFILE, re.M):
        assert target in (source, "./"), "the copy has the folders of the project"
        top = ROOT / source
        for path in [top] if top.is_file() else filter(Path.is_file, top.rglob("*")):
            name = path.relative_to(ROOT)
            if not ignored(name.as_posix()):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, folder / name)
    return folder


def ignored(name: str) -> bool:
    """Whether .dockerignore keeps a file out: the last line that fits it or a folder above it decides."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    patterns = {"**/": "(.*/)?", "*": "[^/]*"}
    found = False
    for line in lines:
        parts = re.split(r"(\*\*/|\*)", line.removeprefix("!"))
        if re.fullmatch("".join(patterns.get(part, re.escape(part)) for part in parts) + "(/.*)?", name):
            found = not line.startswith("!")
    return found


def test_image_holds_what_runs_and_nothing_else(image: Path) -> None:
    names = {path.relative_to(image).as_posix() for path in image.rglob("*") if path.is_file()}
    assert {
        "app.py",
        "deploy/serve.py",
        ".streamlit/config.toml",
        "requirements.lock",
        "fcn/scenes/scene.py",
    } <= names
    tops = {name.partition("/")[0] for name in names}
    assert tops == {"app.py", "assets", "deploy", "fcn", ".streamlit", "requirements.lock"}
    assert "fcn/training/loop.py" not in names and not any("__pycache__" in name for name in names)


def test_start_command_port_and_ready_path_agree() -> None:
    assert 'CMD ["streamlit", "run", "deploy/serve.py"]' in DOCKERFILE
    assert re.findall(r"EXPOSE (\d+)|STREAMLIT_SERVER_PORT=(\d+)", DOCKERFILE) == [("", "8501"), ("8501", "")]
    assert "127.0.0.1:8501/ready'" in DOCKERFILE and 'Route("/ready"' in SERVE
    assert "option httpchk GET /ready" in HAPROXY
    assert "presetenv FCN_REPLICA_A 127.0.0.1:8501" in HAPROXY
    assert re.search(r"^USER 1000:1000$", DOCKERFILE, re.M)


def test_limits_of_an_upload_agree(kinds: dict[str, Any]) -> None:
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    let_in = MAX_BYTES + 1024**2  # the photo and the form around it
    assert config["server"]["maxUploadSize"] * 1024**2 >= MAX_BYTES
    assert f"req.body_size gt {let_in}" in HAPROXY
    notes = kinds["Ingress"]["metadata"]["annotations"]
    assert notes["nginx.ingress.kubernetes.io/proxy-body-size"] == f"{let_in // 1024**2}m"
    assert notes["nginx.ingress.kubernetes.io/proxy-request-buffering"] == "off"  # or nginx writes photos to its disk


def test_kubernetes_objects_fit_together(kinds: dict[str, Any]) -> None:
    template = kinds["Deployment"]["spec"]["template"]
    [container] = template["spec"]["containers"]
    assert [port["containerPort"] for port in container["ports"]] == [8501]
    paths = {name: container[name]["httpGet"]["path"] for name in container if name.endswith("Probe")}
    assert paths == {"startupProbe": "/ready", "readinessProbe": "/ready", "livenessProbe": "/_stcore/health"}
    assert (
        container["securityContext"]["readOnlyRootFilesystem"] and template["spec"]["securityContext"]["runAsNonRoot"]
    )
    labels = template["metadata"]["labels"]
    assert kinds["Deployment"]["spec"]["selector"]["matchLabels"] == kinds["Service"]["spec"]["selector"] == labels
    assert kinds["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    assert kinds["Service"]["spec"]["ports"][0]["targetPort"] == container["ports"][0]["name"]
    backend = kinds["Ingress"]["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
    assert backend == {"name": kinds["Service"]["metadata"]["name"], "port": {"name": "http"}}
    target = kinds["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert target["name"] == kinds["Deployment"]["metadata"]["name"]
    [secret] = [one for one in container["env"] if one["name"] == "STREAMLIT_SERVER_COOKIE_SECRET"]
    assert "secretKeyRef" in secret["valueFrom"] and "Secret" not in kinds


@pytest.mark.parametrize("encrypted", [False, True])
def test_haproxy_accepts_its_file(encrypted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("haproxy") is None or (encrypted and shutil.which("openssl") is None):
        pytest.skip("haproxy or openssl is not installed.")
    if encrypted:
        both = tmp_path / "both.pem"
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
        subprocess.run(
            [*command, "-keyout", tmp_path / "key", "-out", tmp_path / "crt"], check=True, capture_output=True
        )
        both.write_bytes((tmp_path / "crt").read_bytes() + (tmp_path / "key").read_bytes())
        monkeypatch.setenv("FCN_CERTIFICATE", str(both))
    checked = subprocess.run(["haproxy", "-c", "-f", ROOT / "deploy" / "haproxy.cfg"], capture_output=True, text=True)
    assert checked.returncode == 0 and "[WARNING]" not in checked.stderr, checked.stderr


def test_server_is_ready_once_its_models_are_loaded(image: Path, tmp_path: Path) -> None:
    [port] = free_ports(1)
    with replica(port, tmp_path / "log.txt", image) as server:
        *before, (status, text) = server.until_ready()
        assert status == 200 and json.loads(text)["models"].keys() == set(zoo.names())
        assert {status for status, _ in before} <= {0, 503}
        assert {text for status, text in before if status == 503} <= {
            "The models are being loaded. Ask again in a few seconds."
        }
        with urllib.request.urlopen(f"{server.url}/") as answer:
            assert answer.headers["X-Content-Type-Options"] == "nosniff"

        async def all_pages() -> None:
            for page in ("", "steps", "quality"):
                async with Visitor(server.url, page=page) as visitor:
                    await visitor.run()  # raises what the page raises

        asyncio.run(all_pages())


def test_server_without_a_model_lives_but_is_never_ready(image: Path, tmp_path: Path) -> None:
    broken = tmp_path / "image"
    shutil.copytree(image, broken)
    (broken / "assets" / "models" / "street.json").write_text("{")
    [port] = free_ports(1)
    with replica(port, tmp_path / "log.txt", broken) as server:
        end, answer = time.monotonic() + 60, (0, "")
        while "could not" not in answer[1] and time.monotonic() < end:
            time.sleep(0.1)
            answer = server.ready()
        assert answer[0] == 503 and "The models could not be loaded: The card street.json cannot be read" in answer[1]
        with urllib.request.urlopen(f"{server.url}/_stcore/health") as healthy:
            assert healthy.status == 200


def test_server_refuses_to_start_where_its_settings_are_not(image: Path, tmp_path: Path) -> None:
    bare = tmp_path / "image"
    shutil.copytree(image, bare)
    shutil.rmtree(bare / ".streamlit")
    [port] = free_ports(1)
    with replica(port, tmp_path / "log.txt", bare) as server:
        assert server.process.wait(60) != 0
    assert "The settings of the project were not found" in (tmp_path / "log.txt").read_text()
