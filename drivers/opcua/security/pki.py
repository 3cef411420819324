"""The folder with the gateway's certificate and its lists of trusted and rejected certificates, laid out as other OPC UA products do (Part 12, annex F)::

    own/cert.der  own/key.pem        the gateway's own, made where there is none
    trusted/certs  trusted/crl       servers and CAs that are trusted; revocation lists of those CAs
    issuer/certs  issuer/crl         CAs that only complete a chain
    rejected/certs                   certificates of servers that were turned away

Everything here blocks on files and computing and may be called from any thread: keep it off the event loop.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from stat import S_IWOTH
from threading import Lock
from typing import Final

from drivers.opcua.security.certificate_file import wrong
from drivers.opcua.security.own_certificate import OwnCertificate, load_own, make_own
from drivers.opcua.security.rejected_certificates import keep_rejected
from drivers.opcua.security.server_certificate import PresentedCertificate, common_name, is_for_host, may_be_server, thumbprint
from drivers.opcua.security.trust_list import Trust, TrustList
from plant.errors import DeviceUnreachable

_log = logging.getLogger(__name__)

_OPEN: Final = ("trusted/certs", "trusted/crl", "issuer/certs", "issuer/crl", "rejected/certs")


class Pki:
    """One for all devices of a process. ``clock`` is UTC."""

    def __init__(self, folder: Path, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.folder = folder
        self.clock = clock
        self._certificate = folder / "own" / "cert.der"
        self._key = folder / "own" / "key.pem"
        self._trust = TrustList(folder)
        self._rejected = folder / "rejected" / "certs"
        self._lock = Lock()
        self._own: tuple[object, OwnCertificate] | None = None
        self._told: set[tuple[str, str]] = set()

    def own(self) -> OwnCertificate:
        """The gateway's certificate as it is on the disk now; made, with the folders, where there is none.

        Raises:
            ConfigurationError
        """
        with self._lock:
            try:
                self._make_folders()
                make_own(self._certificate, self._key)
                seen = [(status.st_ino, status.st_mtime_ns, status.st_size, status.st_mode) for status in (self._certificate.stat(), self._key.stat())]
            except OSError as error:
                raise wrong(self.folder, f"cannot be made or read: {error}", "let this process write there, or name another folder") from error
            if self._own is None or self._own[0] != seen or self._own[1].certificate.not_valid_after_utc < self.clock():
                self._own = None
                self._own = seen, load_own(self._certificate, self._key, self.clock())
            return self._own[1]

    def check_trust(self, presented: PresentedCertificate, host: str, device: str) -> datetime | None:
        """Whether the list vouches for the server at ``host``, and until when those do who issued its certificate; ``None`` where it is itself in the list. Who
        issued a certificate says which host it is for; who pinned one has said so himself.

        Raises:
            DeviceUnreachable: not trusted. The message says what to do.
            ConfigurationError: a file of the trust list cannot be used.
        """
        certificate = presented.certificate
        voucher = self._trust.trust_in(presented, self.clock())
        if voucher is None:
            raise self._reject(presented, "is not trusted")
        if voucher.trust is Trust.PINNED:
            mark = (device, thumbprint(certificate))
            if not is_for_host(certificate, host) and mark not in self._told:
                self._told.add(mark)
                _log.warning("%s: the trusted certificate %s (%s) does not name the host %s", device, thumbprint(certificate), common_name(certificate), host)
        elif not is_for_host(certificate, host):
            raise self._reject(presented, f"was issued by a trusted CA, but not for the host {host}")
        elif not may_be_server(certificate):
            raise self._reject(presented, "was issued by a trusted CA, but not for a server")
        return voucher.until

    def _reject(self, presented: PresentedCertificate, fault: str) -> DeviceUnreachable:
        certificate = presented.certificate
        known = f"the server's certificate {thumbprint(certificate)} ({common_name(certificate)}) {fault}"
        try:
            with self._lock:
                self._make_folders()
                path = keep_rejected(self._rejected, certificate)
        except OSError as error:
            return DeviceUnreachable(f"{known}, and could not be kept in {self._rejected} ({error}): let this process write there")
        return DeviceUnreachable(f"{known}: if it is the device's, move {path} to {self.folder / 'trusted' / 'certs'} to trust it")

    def _make_folders(self) -> None:
        own = self._certificate.parent
        if not own.exists():
            own.mkdir(parents=True, exist_ok=True)
            own.chmod(0o700)
        for name in _OPEN:
            folder = self.folder / name
            if not folder.exists():
                folder.mkdir(parents=True, exist_ok=True)
                folder.chmod(0o750)
            elif folder != self._rejected and folder.stat().st_mode & S_IWOTH:
                raise wrong(folder, "can be changed by everybody, and who writes there says whom the gateway trusts", f"chmod o-w {folder}")
