"""nginx stands before Entrepot, as it does in front of many registries."""

from pathlib import Path

import httpx
import pytest

from entrepot.testing.images import image
from tests.programs import need
from tests.real import skopeo
from tests.real.layouts import dir_files, read_dir, write_oci
from tests.real.nginx import Nginx
from tests.repositories import fresh_name
from tests.servers import Server

# As Distribution's own recipe for nginx has it: uploads are passed on as they come.
PASS_ON = """
location /v2/ {{
    proxy_pass {url};
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_request_buffering off;
    proxy_http_version 1.1;
}}
"""


@pytest.mark.usefixtures("skopeo_installed")
def test_skopeo_pushes_and_pulls_through_nginx(filesystem_server: Server, tmp_path: Path) -> None:
    """Every Location of an upload leads back to nginx, whose port the client knows, and not to the port behind it."""
    need("nginx")
    pushed = image(2)

    repository = fresh_name()
    with Nginx(PASS_ON.format(url=filesystem_server.url)) as nginx:
        name = f"docker://{nginx.address}/{repository}:v1"
        skopeo.copy(write_oci(tmp_path / "in", pushed, "v1"), name)
        skopeo.copy(name, f"dir:{tmp_path}/out")
        answer = httpx.post(f"{nginx.url}/v2/{repository}/blobs/uploads/", trust_env=False)

    assert read_dir(tmp_path / "out") == dir_files(pushed)
    assert answer.headers["Location"].startswith(nginx.url)
