"""Images of Docker's schema 2 whose conversion to schema 1 has something to stumble over, and what old clients ask.

The members of the configurations are what builders have written over the years.
"""

import json
from typing import Any

import httpx

from entrepot.testing.images import DOCKER, DOCKER_LAYER, SampleBlob, SampleManifest, layer, manifest

SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"
FOR_OLD_CLIENTS = {"Accept": f"{SIGNED}, application/json"}


def old_image(history: list[dict[str, Any]], **members: Any) -> SampleManifest:
    """An image with a layer for each step that has one, and these members in its configuration."""
    layers = [layer(media_type=DOCKER_LAYER) for step in history if not step.get("empty_layer")]
    body = {
        "architecture": "amd64",
        "os": "linux",
        **members,
        "rootfs": {"type": "layers", "diff_ids": [one.diff_id for one in layers]},
        "history": history,
    }
    content = json.dumps(body, indent=2, ensure_ascii=False).encode()
    return manifest(SampleBlob(content, DOCKER.config), layers, DOCKER)


def pull_old(client: httpx.Client, name: str, reference: str) -> httpx.Response:
    """The manifest, as a client that knows schema 1 only asks for it."""
    return client.get(f"/v2/{name}/manifests/{reference}", headers=FOR_OLD_CLIENTS)


PLAIN = old_image([{"created": "2024-02-03T04:05:06Z", "created_by": "/bin/sh -c #(nop) ADD file:1 in /"}])

STEPS = old_image(
    [
        {"created": "2016-01-01T00:00:00.123456789Z", "created_by": "ADD <a> && <b>", "author": "A <a@example.org>"},
        {
            "created": "2016-01-01T00:00:01.100000000Z",
            "created_by": "ENV A=1",
            "empty_layer": True,
            "comment": "é\u2028",
        },
        {"created": "2016-01-01T02:00:02+02:00", "created_by": "RUN 'quoted \"twice\"'\t\n"},
        {"created_by": "no time at all"},
        {"created": "2016-01-01T00:00:03Z", "empty_layer": True},
    ],
    config={"Env": ["PATH=/bin", "B=<&>"], "Cmd": ["sh"], "Labels": {"z": "1", "a": "\u2029 \\ / é"}, "Volumes": None},
    container_config={"Hostname": "h", "Memory": 1e21, "CpuShares": 12345678901234567890},
    created="2016-01-01T00:00:03Z",
    docker_version="1.10.0",
    author="somebody",
    variant="v8",
    **{"os.version": "10.0", "unknown to all": [1, 2.50, {"b": 1, "a": []}]},
)

EMPTY_AT_ONCE = old_image([{"created_by": "ENV", "empty_layer": True}, {"created_by": "COPY"}], architecture="")
