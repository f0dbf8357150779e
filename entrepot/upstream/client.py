"""The Upstream that speaks the OCI distribution API. Assembles; how each part behaves is told where it is."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager

from entrepot.oci.descriptor import Descriptor
from entrepot.oci.digest import Digest
from entrepot.oci.names import RepositoryName, Tag
from entrepot.registry import Page
from entrepot.telemetry import Meter, SilentMeter
from entrepot.upstream.addresses import Address
from entrepot.upstream.base import CredentialSource, Download, Fetched
from entrepot.upstream.blobs import open_blob, stat_blob
from entrepot.upstream.limits import Limits
from entrepot.upstream.listings import list_tags
from entrepot.upstream.manifests import fetch_manifest, resolve
from entrepot.upstream.questions import Questions
from entrepot.upstream.referrers import list_referrers
from entrepot.upstream.route import Route
from entrepot.upstream.vicinity import Lookup, Vicinity, look_up
from entrepot.upstream.waiting import deadline
from entrepot.upstream.watch import Watch

__all__ = ["Limits", "OciUpstream"]


class OciUpstream:
    """One upstream. Nothing is opened before the first call, which must come in the event loop of all others."""

    def __init__(
        self,
        remoteurl: str,
        credentials: CredentialSource | None = None,
        *,
        realm_hosts: Collection[str] = (),
        limits: Limits | None = None,
        meter: Meter | None = None,
        label: str = "",
        ca: str = "",
        clientcert: str = "",
        proxyurl: str = "",
        lookup: Lookup = look_up,
    ) -> None:
        """`realm_hosts` are further names of token services that may see the credentials.

        `label` is the upstream's name in figures and logs, its host where none is given. `ca` is a file of authorities
        to trust beside the system's, `clientcert` one of our certificate and key, both PEM and read here; `proxyurl`
        replaces the proxies of the environment and may hold a password. `lookup` asks DNS where a redirect leads.

        Raises ValueError, fit for the operator, where `remoteurl` is no address of an upstream or a file is no good.
        """
        address = Address.parse(remoteurl)
        limits = limits or Limits()
        watch = Watch(address, label or address.host, meter or SilentMeter(), limits)
        route = Route.read(ca, clientcert, proxyurl)
        self._listing = limits.listing
        self._questions = Questions(
            address,
            credentials,
            realm_hosts=realm_hosts,
            limits=limits,
            route=route,
            watch=watch,
            vicinity=Vicinity(address, limits.connect, route.is_proxied, lookup),
        )

    async def resolve(self, name: RepositoryName, tag: Tag) -> Digest:
        return await resolve(self._questions, name, tag)

    async def manifest(self, name: RepositoryName, reference: Tag | Digest) -> Fetched:
        return await fetch_manifest(self._questions, name, reference)

    async def stat_blob(self, name: RepositoryName, digest: Digest) -> int:
        return await stat_blob(self._questions, name, digest)

    def blob(self, name: RepositoryName, digest: Digest, start: int = 0) -> AbstractAsyncContextManager[Download]:
        return open_blob(self._questions, name, digest, start)

    async def tags(self, name: RepositoryName, after: str, limit: int | None) -> Page[str]:
        async with deadline(self._listing):
            return await list_tags(self._questions, name, after, limit)

    async def referrers(self, name: RepositoryName, digest: Digest, artifact_type: str | None) -> Sequence[Descriptor]:
        async with deadline(self._listing):
            return await list_referrers(self._questions, name, digest, artifact_type)

    async def close(self) -> None:
        await self._questions.close()
