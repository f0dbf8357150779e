r"""Every path of a registry on a driver, in one place: the tree of CNCF Distribution's registry v2.

    /docker/registry/v2
      blobs/<algorithm>/<hh>/<hex>/data                     content; hh = the first two digits
      blobs/<algorithm>/<hh>/<hex>/fill, fill.progress, evicted   on its way in, or out: ours, Distribution ignores them
      repositories/<name>
        _layers/<algorithm>/<hex>/link                      this repository may read that blob
        _manifests
          revisions/<algorithm>/<hex>/link                  this repository holds that manifest
          tags/<tag>/current/link                           what the tag names now
          tags/<tag>/index/<algorithm>/<hex>/link           what it has ever named
          referrers/<algorithm>/<hex>/<algorithm>/<hex>/link   subject, then referrer: ours, Distribution ignores it
        _uploads/<uuid>/startedat, data                     an upload session

A link holds a digest and nothing else, not even a newline. Built from parsed values only.
"""

from __future__ import annotations

from entrepot.oci.digest import Digest
from entrepot.oci.names import RepositoryName, Tag

ROOT = "/docker/registry/v2"
REPOSITORIES = f"{ROOT}/repositories"

LAYERS = "_layers"
MANIFESTS = "_manifests"


def blob_data(digest: Digest) -> str:
    """Where content lies, whatever kind it is of."""
    text = str(digest)
    return f"{ROOT}/blobs/{text[:6]}/{text[7:9]}/{text[7:]}/data"


def blob_spool(digest: Digest) -> str:
    """Where a fill of it grows: beside its place, under a name that Distribution ignores."""
    return blob_data(digest).removesuffix("data") + "fill"


def turn(digest: Digest) -> str:
    """Where whoever fetches a manifest holds a lock: ours, outside of what Distribution knows."""
    return f"/entrepot/turns/{digest.algorithm}-{digest.encoded}"


def blob_evicted(digest: Digest) -> str:
    """Where it lies while it is decided whether anybody still needs it; a name that Distribution ignores as well."""
    return blob_data(digest).removesuffix("data") + "evicted"


def repository(name: RepositoryName) -> str:
    return f"{REPOSITORIES}/{name}"


def layer_link(name: RepositoryName, digest: Digest) -> str:
    text = str(digest)
    return f"{REPOSITORIES}/{name}/_layers/{text[:6]}/{text[7:]}/link"


def layers(name: RepositoryName) -> str:
    return f"{REPOSITORIES}/{name}/_layers"


def manifests(name: RepositoryName) -> str:
    return f"{REPOSITORIES}/{name}/_manifests"


def revision_link(name: RepositoryName, digest: Digest) -> str:
    text = str(digest)
    return f"{REPOSITORIES}/{name}/_manifests/revisions/{text[:6]}/{text[7:]}/link"


def tags(name: RepositoryName) -> str:
    return f"{REPOSITORIES}/{name}/_manifests/tags"


def tag(name: RepositoryName, tag_name: str) -> str:
    return f"{REPOSITORIES}/{name}/_manifests/tags/{tag_name}"


def tag_current(name: RepositoryName, tag_name: str) -> str:
    return f"{REPOSITORIES}/{name}/_manifests/tags/{tag_name}/current/link"


def tag_index(name: RepositoryName, tag_name: Tag, digest: Digest) -> str:
    return f"{tag(name, tag_name)}/index/{digest.algorithm}/{digest.encoded}/link"


def referrers(name: RepositoryName, subject: Digest) -> str:
    return f"{REPOSITORIES}/{name}/_manifests/referrers/{subject.algorithm}/{subject.encoded}"


def referrer_link(name: RepositoryName, subject: Digest, referrer: Digest) -> str:
    return f"{referrers(name, subject)}/{referrer.algorithm}/{referrer.encoded}/link"


def uploads(name: RepositoryName) -> str:
    return f"{REPOSITORIES}/{name}/_uploads"


def upload(name: RepositoryName, upload_id: str) -> str:
    return f"{REPOSITORIES}/{name}/_uploads/{upload_id}"
