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
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from fcn.model import zoo
from fcn.photos.files import MAX_BYTES
from tests.benchmarks.proxy import find_free_ports, replica
from tests.support.live import ROOT, Visitor

DOCKERFILE = (ROOT / "Dockerfile").read_text()
HAPROXY = (ROOT / "deploy" / "haproxy.cfg").read_text()
SERVE = (ROOT / "deploy" / "serve.py").read_text()


@pytest.fixture(scope="module")
def kinds() -> dict[str, Any]:
    """The objects of kubernetes.yaml by kind."""
    yaml = pytest.importorskip("yaml")
    found = list(yaml.safe_load_all((ROOT / "deploy" / "kubernetes.yaml").read_text()))
    return {one["kind"]: one for one in found if one["kind"] != "Ingress"} | {
        one["metadata"]["name"]: one for one in found if one["kind"] == "Ingress"
    }


@pytest.fixture(scope="module")
def gateway() -> dict[tuple[str, str], Any]:
    """The objects of gateway.yaml by kind and name."""
    yaml = pytest.importorskip("yaml")
    found = yaml.safe_load_all((ROOT / "deploy" / "gateway.yaml").read_text())
    return {(one["kind"], one["metadata"]["name"]): one for one in found}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the Dockerfile copies and .dockerignore lets through."""
    folder = tmp_path_factory.mktemp("image")
    for source, target in re.findall(r"^COPY (\S+) (\S+)$", DOCKERFILE, re.M):
        assert target in (source, "./"), "the copy has the folders of the project"
        top = ROOT / source
        for path in [top] if top.is_file() else filter(Path.is_file, top.rglob("*")):
            name = path.relative_to(ROOT)
            if not is_ignored(name.as_posix()):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, folder / name)
    return folder


def is_ignored(name: str) -> bool:
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


def test_limits_of_an_upload_agree(kinds: dict[str, Any], gateway: dict[tuple[str, str], Any]) -> None:
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    let_in = MAX_BYTES + 1024**2  # the photo and the form around it
    assert config["server"]["maxUploadSize"] * 1024**2 >= MAX_BYTES
    assert f"req.body_size gt {let_in}" in HAPROXY
    elsewhere = kinds["fcn"]["metadata"]["annotations"]["nginx.ingress.kubernetes.io/proxy-body-size"]
    assert elsewhere == "1m" and f"req.body_size gt {1024**2} }} !" in HAPROXY
    uploads = re.search(r"WAIT = ([\d.]+).*\n\s+STALL = ([\d.]+).*\n\s+RATE = ([\d_]+)", SERVE)
    assert uploads
    wait, stall, rate = (float(value) for value in uploads.groups())
    assert f"{stall:.0f} s without a byte" in HAPROXY and f"{rate / 1000:.0f} kB a second" in HAPROXY
    [rule] = gateway["HTTPRoute", "fcn-uploads"]["spec"]["rules"]
    assert int(rule["timeouts"]["request"].rstrip("s")) > wait + stall + let_in / rate
    notes = kinds["fcn-uploads"]["metadata"]["annotations"]
    assert notes["nginx.ingress.kubernetes.io/proxy-body-size"] == f"{let_in // 1024**2}m"
    assert notes["nginx.ingress.kubernetes.io/proxy-request-buffering"] == "off"  # or nginx writes photos to its disk


LIMITS = {  # of one address, as in haproxy.cfg: at once, and in a minute
    "fcn": (r"sc_conn_cur\(1\) gt 900", "limit-connections", "900"),
    "fcn-visits": (r"visit \{ sc_conn_cur\(2\) gt 500", "limit-connections", "500"),
    "fcn-uploads": (r"upload \{ sc_conn_cur\(2\) gt 100", "limit-connections", "100"),
}


def test_limits_of_an_address_agree_and_leave_room(kinds: dict[str, Any], gateway: dict[tuple[str, str], Any]) -> None:
    for name, (line, note, value) in LIMITS.items():
        assert re.search(line, HAPROXY), name
        assert kinds[name]["metadata"]["annotations"][f"nginx.ingress.kubernetes.io/{note}"] == value
    replicas = 2 * int(re.findall(r"rise 1 maxconn (\d+)", HAPROXY)[0])
    assert int(re.findall(r"sc_conn_cur\(0\) gt (\d+)", HAPROXY)[0]) < replicas and replicas >= 2 * 900
    minute = {"fcn": "40000", "fcn-visits": "1200", "fcn-uploads": "600"}
    for name, most in minute.items():
        rules = gateway["BackendTrafficPolicy", name]["spec"]["rateLimit"]["global"]["rules"]
        assert [rule["clientSelectors"][0]["sourceCIDR"]["value"] for rule in rules] == ["0.0.0.0/0", "::/0"]
        assert all(rule["clientSelectors"][0]["sourceCIDR"]["type"] == "Distinct" for rule in rules)
        assert {str(rule["limit"]["requests"]) for rule in rules} == {most} and f"gt {most} }}" in HAPROXY
    per_second = int(kinds["fcn"]["metadata"]["annotations"]["nginx.ingress.kubernetes.io/limit-rps"])
    assert 39_000 < 60 * per_second <= 40_000
    assert gateway["ClientTrafficPolicy", "fcn"]["spec"]["connection"]["connectionLimit"]["value"] <= replicas


def test_gateway_takes_the_place_of_the_ingresses(kinds: dict[str, Any], gateway: dict[tuple[str, str], Any]) -> None:
    for name in LIMITS:
        [rule] = gateway["HTTPRoute", name]["spec"]["rules"]
        path = kinds[name]["spec"]["rules"][0]["http"]["paths"][0]
        [match] = rule["matches"]
        assert match["path"] == {"type": path["pathType"].replace("Prefix", "PathPrefix"), "value": path["path"]}
        service = kinds["Service"]
        assert rule["backendRefs"] == [
            {"name": service["metadata"]["name"], "port": service["spec"]["ports"][0]["port"]}
        ]
        assert rule["sessionPersistence"] == {"type": "Cookie", "sessionName": "replica"}
        assert gateway["BackendTrafficPolicy", name]["spec"]["targetRefs"][0]["name"] == name
        annotations = kinds[name]["metadata"]["annotations"]
        assert annotations["nginx.ingress.kubernetes.io/session-cookie-path"] == "/"
        assert annotations["nginx.ingress.kubernetes.io/session-cookie-name"] == "replica"


def test_nothing_delivered_is_without_a_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    manifest = (ROOT / "deploy" / "kubernetes.yaml").read_text()
    assert f"image: registry.example.org/fcn:{version}\n" in manifest
    assert f"-t fcn:{version} ." in DOCKERFILE and f"-t fcn:{version} ." in (ROOT / "docs" / "hosting.md").read_text()
    assert re.search(r"^FROM python:3\.\d+\.\d+-slim-\w+(@sha256:[0-9a-f]{64})?$", DOCKERFILE, re.M)
    assert "--require-hashes -r requirements.lock" in DOCKERFILE
    for text in (manifest, DOCKERFILE, (ROOT / "deploy" / "gateway.yaml").read_text()):
        assert ":latest" not in text


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
    for name in LIMITS:
        backend = kinds[name]["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
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
    [port] = find_free_ports(1)
    with replica(port, tmp_path / "log.txt", image) as server:
        *before, (status, text) = server.wait_until_ready()
        assert status == 200 and json.loads(text)["models"].keys() == set(zoo.names())
        assert {status for status, _ in before} <= {0, 503}
        assert {text for status, text in before if status == 503} <= {
            "The models are being loaded. Try again in a few seconds."
        }
        with urllib.request.urlopen(f"{server.url}/") as answer:
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "frame-ancestors 'self'" in answer.headers["Content-Security-Policy"]
        for path in ("/_stcore/metrics", "/_stcore/metrics/", "/%5Fstcore/METRICS", "//_stcore/metrics"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(server.url + path)

        async def visit_all_pages() -> None:
            for page in ("", "steps", "quality"):
                async with Visitor(server.url, page=page) as visitor:
                    await visitor.run()  # raises what the page raises

        asyncio.run(visit_all_pages())


@pytest.mark.parametrize("name", ["street.json", "street.page.json"])
def test_server_works_with_the_models_that_it_has(image: Path, tmp_path: Path, name: str) -> None:
    broken = tmp_path / "image"
    shutil.copytree(image, broken)
    (broken / "assets" / "models" / name).write_text("{")
    [port] = find_free_ports(1)
    with replica(port, tmp_path / "log.txt", broken) as server:
        *_, (status, text) = server.wait_until_ready()
        answer = json.loads(text)
        assert status == 200 and "street" not in answer["models"] and len(answer["models"]) == len(zoo.names()) - 1
        assert list(answer["problems"]) == ["street"]
        assert f"The card {name} cannot be read" in answer["problems"]["street"]

        async def visit_pages() -> None:
            for page in ("", "steps", "quality"):
                async with Visitor(server.url, "model=Street+scenes", page=page) as visitor:
                    await visitor.run()
                    assert not visitor.texts("alert")

        asyncio.run(visit_pages())


def test_server_without_any_model_lives_but_is_never_ready(image: Path, tmp_path: Path) -> None:
    broken = tmp_path / "image"
    shutil.copytree(image, broken)
    for path in (broken / "assets" / "models").iterdir():
        path.write_bytes(b"{")
    [port] = find_free_ports(1)
    with replica(port, tmp_path / "log.txt", broken) as server:
        end, answer = time.monotonic() + 60, (0, "")
        while "could be loaded" not in answer[1] and time.monotonic() < end:
            time.sleep(0.1)
            answer = server.ask_ready()
        assert answer[0] == 503 and "No model could be loaded" in answer[1] and "street" in answer[1]
        with urllib.request.urlopen(f"{server.url}/_stcore/health") as healthy:
            assert healthy.status == 200


def test_server_without_segno_shares_links_without_a_picture(image: Path, tmp_path: Path) -> None:
    bare = tmp_path / "image"
    shutil.copytree(image, bare)
    (bare / "segno.py").write_text("raise ImportError('as if it were not installed')\n")
    [port] = find_free_ports(1)
    with replica(port, tmp_path / "log.txt", bare) as server:
        server.wait_until_ready()

        async def share() -> list[str]:
            async with Visitor(server.url) as visitor:
                await visitor.run()
                await visitor.press("Share")
                return visitor.texts("markdown")

        assert any("QR codes are not available" in text for text in asyncio.run(share()))


def test_server_refuses_to_start_where_its_settings_are_not(image: Path, tmp_path: Path) -> None:
    bare = tmp_path / "image"
    shutil.copytree(image, bare)
    shutil.rmtree(bare / ".streamlit")
    [port] = find_free_ports(1)
    with replica(port, tmp_path / "log.txt", bare) as server:
        assert server.process.wait(60) != 0
    assert "The settings of the project were not found" in (tmp_path / "log.txt").read_text()
