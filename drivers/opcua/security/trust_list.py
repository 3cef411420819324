"""Whom the gateway trusts: the certificates and revocation lists that an administrator put into folders.

Rules (OPC UA Part 12, 7.8.2, and Part 4, 6.1.3):

- A certificate in ``trusted/certs`` is trusted. If it is that of a CA, so is what the CA issued, and nothing is above it.
- A certificate in ``issuer/certs`` completes a chain and is not trusted for that.
- What a CA's list in ``trusted/crl`` or ``issuer/crl`` names is not trusted. A CA without a list revoked nothing. A list belongs to the key that signed it: a
  CA that was renewed has two keys under one name. A list that cannot be read, or that no CA of its name here has signed, is a fault to mend, and not a list
  that names nobody. One whose next issue is overdue counts as it is, and the log says so, as it does of a certificate that cannot be read and is passed over.
- A certificate with an application URI is that of an application, and never taken for a CA though it may say so: many products make them like that, and
  whoever has the key of one device could speak for all others.

The folders are read each time: a file moved there counts from the next try on.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from itertools import pairwise
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.verification import Criticality, ExtensionPolicy, Policy, PolicyBuilder, Store, VerificationError

from drivers.opcua.security.certificate_file import read_bytes, read_certificates, wrong
from drivers.opcua.security.server_certificate import PresentedCertificate, common_name, signature_hash, thumbprint, uris_of
from plant.errors import ConfigurationError, DeviceUnreachable

_log = logging.getLogger(__name__)

_LONGEST_CHAIN: Final = 8


class Trust(Enum):
    """Why a certificate is trusted."""

    PINNED = "it is itself in the list"
    ISSUED = "a CA in the list issued it"


@dataclass(frozen=True, slots=True)
class Voucher:
    """``until`` is when the first of the certificates above it expires; ``None`` where there are none."""

    trust: Trust
    until: datetime | None


class TrustList:
    def __init__(self, folder: Path) -> None:
        self._trusted = folder / "trusted" / "certs"
        self._issuers = folder / "issuer" / "certs"
        self._told: set[tuple[Path, str]] = set()
        self._lists = (folder / "trusted" / "crl", folder / "issuer" / "crl")

    def trust_in(self, presented: PresentedCertificate, now: datetime) -> Voucher | None:
        """``None`` where nothing in the list vouches for it. Its own validity in time is not looked at.

        Raises:
            ConfigurationError: a file of the list cannot be used.
            DeviceUnreachable: revoked, or what vouches for it has expired.
        """
        leaf = presented.certificate
        trusted = self._certificates(self._trusted)
        known = [*trusted, *self._certificates(self._issuers)]
        if leaf in trusted:
            self._refuse_revoked([leaf, *_issuers_of(leaf, known)], known, now)
            return Voucher(Trust.PINNED, None)
        moment = min(max(now, leaf.not_valid_before_utc), leaf.not_valid_after_utc)
        chain = _chain_to([one for one in trusted if _is_ca(one)], [*known, *presented.issuers], leaf, moment)
        if chain is None:
            _refuse_expired(_issuers_of(leaf, [*known, *presented.issuers]), now)
            return None
        self._refuse_revoked(chain, known, now)
        return Voucher(Trust.ISSUED, min(one.not_valid_after_utc for one in chain[1:]))

    def _certificates(self, folder: Path) -> list[x509.Certificate]:
        """One file that is none, put there by mistake, must not stop every device: it is said once."""
        found = []
        for path in _files(folder):
            try:
                found += read_certificates(path)
            except ConfigurationError as error:
                self._tell_once(path, f"a file of the trust list is passed over: {error}")
        return found

    def _tell_once(self, path: Path, what: str) -> None:
        if (path, what) not in self._told:
            self._told.add((path, what))
            _log.warning("%s", what)

    def _refuse_revoked(self, chain: Sequence[x509.Certificate], known: Sequence[x509.Certificate], now: datetime) -> None:
        """``chain``: a certificate, then its issuer, then that one's."""
        lists = [found for folder in self._lists for found in _revocation_lists(folder)] if len(chain) > 1 else []
        for certificate, issuer in pairwise(chain):
            for path, revocations in lists:
                if revocations.issuer != issuer.subject:
                    continue
                if not _is_signed(revocations, issuer):
                    if any(one.subject == issuer.subject and _is_signed(revocations, one) for one in known):
                        continue
                    raise wrong(path, "is not signed by the CA that it names", "put that CA's revocation list there")
                overdue = revocations.next_update_utc
                if overdue is not None and overdue < now:
                    self._tell_once(path, f"{path}: the next revocation list was due on {overdue:%Y-%m-%d %H:%M} UTC: put the CA's newest there")
                if revocations.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None:
                    raise DeviceUnreachable(
                        f"the certificate {thumbprint(certificate)} is revoked by {path}: "
                        "have a new one issued for the server, or put the CA's newest revocation list there"
                    )


def _is_signed(revocations: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    key = issuer.public_key()
    return isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey) and revocations.is_signature_valid(key)


def _refuse_expired(issuers: Sequence[x509.Certificate], now: datetime) -> None:
    """No chain may be for no other reason than this one, which no moving of files mends."""
    for issuer in issuers:
        if issuer.not_valid_after_utc < now:
            raise DeviceUnreachable(
                f"the CA {common_name(issuer)} {thumbprint(issuer)}, which issued the server's certificate, has expired on "
                f"{issuer.not_valid_after_utc:%Y-%m-%d %H:%M} UTC: put its renewed certificate into the trust list"
            )


def _chain_to(anchors: list[x509.Certificate], others: Iterable[x509.Certificate], leaf: x509.Certificate, moment: datetime) -> list[x509.Certificate] | None:
    if not anchors:
        return None
    issuing = ExtensionPolicy.permit_all().require_present(x509.BasicConstraints, Criticality.AGNOSTIC, _must_be_ca)
    issuing = issuing.may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _must_sign)
    policy = PolicyBuilder().store(Store(anchors)).time(moment).max_chain_depth(_LONGEST_CHAIN)
    verifier = policy.extension_policies(ca_policy=issuing, ee_policy=ExtensionPolicy.permit_all()).build_client_verifier()
    try:
        return verifier.verify(leaf, [one for one in others if _is_ca(one)]).chain
    except VerificationError:
        return None


def _must_be_ca(_policy: Policy, _certificate: x509.Certificate, constraints: x509.BasicConstraints | None) -> None:
    if constraints is None or not constraints.ca:
        raise ValueError("no CA")


def _must_sign(_policy: Policy, _certificate: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    if usage is not None and not usage.key_cert_sign:
        raise ValueError("not for signing certificates")


def _is_ca(certificate: x509.Certificate) -> bool:
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return False
    return constraints.ca and not uris_of(certificate) and signature_hash(certificate) is not None


def _issuers_of(certificate: x509.Certificate, known: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """Those above it that are known, the nearest first."""
    chain = [certificate]
    while len(chain) <= _LONGEST_CHAIN and chain[-1].issuer != chain[-1].subject:
        issuer = next((one for one in known if _is_ca(one) and _issued(one, chain[-1])), None)
        if issuer is None:
            break
        chain.append(issuer)
    return chain[1:]


def _issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    if issuer.subject != certificate.issuer:
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _revocation_lists(folder: Path) -> list[tuple[Path, x509.CertificateRevocationList]]:
    found = []
    for path in _files(folder):
        data = read_bytes(path, "a revocation list")
        try:
            read = x509.load_pem_x509_crl(data) if b"-----BEGIN " in data else x509.load_der_x509_crl(data)
        except ValueError as error:
            raise wrong(path, f"is no revocation list ({error})", "put the CA's list there, DER or PEM, or remove the file") from error
        found.append((path, read))
    return found


def _files(folder: Path) -> list[Path]:
    """Hidden files are those that somebody is still copying."""
    try:
        return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise wrong(folder, f"cannot be read: {error.strerror}", "let this process read it") from error
