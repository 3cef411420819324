"""The folder of certificates: what is made, what is kept, and whom it vouches for."""

import errno
import ipaddress
import logging
import os
import socket
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from drivers.opcua.security.own_certificate import make_own, self_signed
from drivers.opcua.security.pki import Pki
from drivers.opcua.security.rejected_certificates import file_name, keep_rejected
from drivers.opcua.security.server_certificate import PresentedCertificate, check_form, check_time, is_for_host, thumbprint, uris_of
from plant.errors import ConfigurationError, DeviceProtocolError, DeviceUnreachable
from tests.certificates import DAY, NOW, Issuer, authority, certificate, key_of, put_der, put_key, revocations

HOST = "plc-1"
URI = "urn:plc"

SIGNED_WITH_SHA1 = b"""\
-----BEGIN CERTIFICATE-----
MIIDIDCCAgigAwIBAgIUOk9ZZeP8YDBbYKNuRqtyfLF5NIQwDQYJKoZIhvcNAQEF
BQAwEjEQMA4GA1UEAwwHT2xkIFBMQzAgFw0yNjExMjMxODQ2NTBaGA8yMTI2MTAz
MDE4NDY1MFowEjEQMA4GA1UEAwwHT2xkIFBMQzCCASIwDQYJKoZIhvcNAQEBBQAD
ggEPADCCAQoCggEBALuH0Mzkc92Q0OHGXTEAd14Laj/BEP/O22wlG55lqfOiKVMl
Zb9nhLkTUJHR4naNW8NAKbzqC9matRXYh0kQF7OXfJxSUD+VtrDft34Ia8w4NZVR
2oCH7u4NPFgprJwlKDnlv8rdgOaOSBaHZU21OA5W25f90yXAiy7Y/6AEE02Wmz6f
aolDWOzCMxTAB0koo7+y3OdxkSdI1/Jx6wRExb7Hjdumz+1y4OJVea7J8Eeuy8wY
dE9d5QyKcmIlerSphihMIS3V3rWsF/erxrsXAnEiejK+pUrOajRsCw+/FmuCu/1u
MUpyJL8v5iUF6Kjualz1mmbu79YsXaerEnr2sz0CAwEAAaNsMGowHQYDVR0OBBYE
FG3aDFH7MdMdnYhKDNRGxZgPhfKlMB8GA1UdIwQYMBaAFG3aDFH7MdMdnYhKDNRG
xZgPhfKlMA8GA1UdEwEB/wQFMAMBAf8wFwYDVR0RBBAwDoYHdXJuOnBsY4IDcGxj
MA0GCSqGSIb3DQEBBQUAA4IBAQBkCEWVPpfzILcKBYdLdS3jnzsFKwlbNyILwNpT
wLdoOUvDXbBC79yDUM6GvJ80Xea9/jbrS3DOr6rXXse0JzALeyIjyoij3ecrlD0O
hUNpKIyronCALiXCQiGUWKtlf7KPIoVOXBjqbFDslkuCn8g13F15p49h0MeNrKk3
e9U1AAp5Nlhm8iUIFnNtC5EtBKRL7bK+VsDtA3LhMbjZAs8CBvFLK6c1yq3KZvKX
VVcTYMn4qE9G5uXw+Pt3CsfLamfBqHcgNg52teNWTW1vRv19asZw6Ia6lC6ZmOCn
VmL0Rdt85JiHE8ZaUlT9Ce2dSGBNv5NK+3kgxVqRgN9fA0am
-----END CERTIFICATE-----
"""


@pytest.fixture(scope="module")
def first_start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("var") / "pki"
    Pki(folder).own()
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a key, which takes long to make."""
    put_key(tmp_path / "own" / "key.pem", key_of("gateway"))
    Pki(tmp_path).own()
    return tmp_path


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_the_first_use_makes_the_folders_and_a_certificate_with_the_key_for_nobody_else(first_start: Path) -> None:
    files = {str(path.relative_to(first_start)) for path in first_start.rglob("*")}
    assert files == {
        *("own", "own/cert.der", "own/key.pem", "trusted", "trusted/certs", "trusted/crl", "issuer", "issuer/certs", "issuer/crl"),
        *("rejected", "rejected/certs"),
    }
    assert (mode_of(first_start / "own"), mode_of(first_start / "own" / "key.pem"), mode_of(first_start / "own" / "cert.der")) == (0o700, 0o600, 0o644)


def test_the_certificate_is_an_application_instance_certificate(first_start: Path) -> None:
    """OPC UA Part 6, 6.2.2."""
    made = x509.load_der_x509_certificate((first_start / "own" / "cert.der").read_bytes())
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [f"urn:{socket.gethostname()}:monazite:gateway"]
    assert names.get_values_for_type(x509.DNSName) == [socket.gethostname()]
    usage = made.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.content_commitment, usage.key_encipherment, usage.data_encipherment) == (True, True, True, True)
    assert (usage.key_cert_sign, usage.crl_sign, usage.key_agreement) == (True, False, False)
    assert set(made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    made.verify_directly_issued_by(made)
    assert made.version is x509.Version.v3
    assert made.signature_hash_algorithm is not None
    assert made.signature_hash_algorithm.name == "sha256"
    key = made.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    assert key.key_size == 3072
    assert timedelta(days=5 * 365 - 1) < made.not_valid_after_utc - NOW < timedelta(days=5 * 365 + 1)
    check_form(made, Pki(first_start).own().application_uri)


def test_the_certificate_survives_a_restart(first_start: Path) -> None:
    before = {path: path.read_bytes() for path in first_start.rglob("*.*")}
    assert Pki(first_start).own().certificate == Pki(first_start).own().certificate
    assert {path: path.read_bytes() for path in first_start.rglob("*.*")} == before


def test_a_process_killed_between_key_and_certificate_leaves_what_the_next_one_completes(folder: Path) -> None:
    (folder / "own" / "cert.der").unlink()
    key = (folder / "own" / "key.pem").read_bytes()
    assert Pki(folder).own().key.private_numbers() == key_of("gateway").private_numbers()
    assert (folder / "own" / "key.pem").read_bytes() == key


def test_two_that_start_at_once_have_the_same_certificate(tmp_path: Path) -> None:
    """The second one finds a file where it saw none: it must take that, and not put its own in its place."""
    put_key(tmp_path / "key.pem", key_of("gateway"))
    seen_as_missing = Missing(tmp_path / "cert.der")
    make_own(seen_as_missing, tmp_path / "key.pem")
    first = (tmp_path / "cert.der").read_bytes()
    make_own(seen_as_missing, tmp_path / "key.pem")
    assert (tmp_path / "cert.der").read_bytes() == first
    assert {path.name for path in tmp_path.iterdir()} == {"key.pem", "cert.der"}


class Missing(type(Path())):  # type: ignore[misc]  # the kind of path that this system has
    """A path as somebody sees it who looked before the file was there."""

    def exists(self) -> bool:
        return False


def test_what_an_administrator_puts_there_counts_at_once(folder: Path) -> None:
    pki = Pki(folder)
    pki.own()
    put_key(folder / "own" / "key.pem", key_of("issued gateway"))
    with pytest.raises(ConfigurationError, match="is not the certificate of the key"):
        pki.own()
    issued = certificate("issued gateway", uri="urn:plant:gateway", issuer=authority("Plant CA"))
    (folder / "own" / "cert.der").write_bytes(issued.public_bytes(Encoding.PEM))
    assert (pki.own().certificate, pki.own().application_uri) == (issued, "urn:plant:gateway")


def replace_pair(folder: Path, name: str, **options: object) -> None:
    put_key(folder / "own" / "key.pem", key_of(name))
    put_der(folder / "own" / "cert.der", certificate(name, **options))  # type: ignore[arg-type]  # of ``certificate``


FAULTS: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "no key": (lambda folder: (folder / "own" / "key.pem").unlink(), "key.pem", "is missing; put back the key"),
    "no certificate in it": (lambda folder: (folder / "own" / "cert.der").write_bytes(b"\x30\x03abc"), "cert.der", "is no certificate"),
    "no key in it": (lambda folder: (folder / "own" / "key.pem").write_text("-----BEGIN PRIVATE KEY-----\n"), "key.pem", "is no private key that can be read"),
    "empty": (lambda folder: (folder / "own" / "cert.der").write_bytes(b""), "cert.der", "is no certificate"),
    "everybody reads it": (lambda folder: (folder / "own" / "key.pem").chmod(0o644), "key.pem", "chmod 600"),
    "expired": (lambda folder: replace_pair(folder, "g", uri="urn:g", end=NOW - timedelta(hours=1)), "cert.der", "has expired on"),
    "of the future": (lambda folder: replace_pair(folder, "g", uri="urn:g", start=NOW + DAY), "cert.der", "is valid only from"),
    "no URI": (lambda folder: replace_pair(folder, "g"), "cert.der", "has no application URI"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_pair_that_cannot_be_used_is_named_with_the_mend(folder: Path, fault: str) -> None:
    spoil, file, message = FAULTS[fault]
    spoil(folder)
    with pytest.raises(ConfigurationError) as caught:
        Pki(folder).own()
    (problem,) = caught.value.problems
    assert problem.file == str(folder / "own" / file)
    assert message in str(problem)


def test_a_certificate_that_expires_while_we_run_is_not_used_any_more(folder: Path) -> None:
    now = [NOW]
    pki = Pki(folder, lambda: now[0])
    assert pki.own().certificate.not_valid_after_utc > NOW
    now[0] += timedelta(days=5 * 366)
    with pytest.raises(ConfigurationError, match="has expired on"):
        pki.own()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="name another folder"):
        Pki(tmp_path / "file" / "pki").own()


def shown(name: str = "PLC", issuer: Issuer | None = None, **options: object) -> x509.Certificate:
    return certificate(name, uri=URI, hosts=[x509.DNSName(HOST)], issuer=issuer, **options)  # type: ignore[arg-type]  # of ``certificate``


def check(folder: Path, leaf: x509.Certificate, *issuers: x509.Certificate, host: str = HOST, now: datetime = NOW) -> None:
    Pki(folder, lambda: now).check_trust(PresentedCertificate(leaf, issuers), host, "PLC-1")


ROOT, OTHER = authority("Root"), authority("Other")
MIDDLE = authority("Middle", ROOT)


def test_a_pinned_certificate_is_trusted(folder: Path) -> None:
    put_der(folder / "trusted" / "certs" / "plc.der", shown(name="PLC"))
    with pytest.raises(DeviceUnreachable, match="is not trusted"):
        check(folder, shown(name="PLC"))  # of the same key and name
    leaf = shown()
    (folder / "trusted" / "certs" / "plc.pem").write_bytes(leaf.public_bytes(Encoding.PEM))
    check(folder, leaf)


def test_what_a_trusted_ca_issued_is_trusted_and_what_an_issuer_only_completes_is_not(folder: Path) -> None:
    leaf = shown(issuer=MIDDLE)
    put_der(folder / "issuer" / "certs" / "middle.der", MIDDLE.certificate)
    put_der(folder / "issuer" / "certs" / "root.der", ROOT.certificate)
    with pytest.raises(DeviceUnreachable, match="is not trusted"):
        check(folder, leaf)
    put_der(folder / "trusted" / "certs" / "root.der", ROOT.certificate)
    check(folder, leaf)
    (folder / "issuer" / "certs" / "middle.der").unlink()
    with pytest.raises(DeviceUnreachable, match="is not trusted"):
        check(folder, leaf)
    check(folder, leaf, MIDDLE.certificate)


def test_a_ca_in_the_middle_can_be_the_one_that_is_trusted(folder: Path) -> None:
    put_der(folder / "trusted" / "certs" / "middle.der", MIDDLE.certificate)
    check(folder, shown(issuer=MIDDLE))
    with pytest.raises(DeviceUnreachable, match="is not trusted"):
        check(folder, shown(issuer=ROOT))


@pytest.mark.parametrize(
    ("leaf", "anchor"),
    [
        (shown(issuer=Issuer(OTHER.certificate, key_of("forger"))), OTHER.certificate),
        (shown(issuer=Issuer(shown("PLC-2"), key_of("PLC-2"))), shown("PLC-2")),
        (shown(issuer=Issuer(shown("PLC-3", ca=True), key_of("PLC-3"))), shown("PLC-3", ca=True)),
    ],
    ids=["forged signature", "no CA", "an application that says it is a CA"],
)
def test_no_trust_comes_from_a_ca_that_is_none(folder: Path, leaf: x509.Certificate, anchor: x509.Certificate) -> None:
    put_der(folder / "trusted" / "certs" / "anchor.der", anchor)
    with pytest.raises(DeviceUnreachable, match="is not trusted"):
        check(folder, leaf)


def test_a_ca_that_has_expired_is_named_as_what_is_to_be_renewed(folder: Path) -> None:
    old = authority("Old root", end=NOW - timedelta(hours=1))
    put_der(folder / "trusted" / "certs" / "root.der", old.certificate)
    with pytest.raises(DeviceUnreachable, match=r"the CA Old root .* has expired on .*: put its renewed certificate"):
        check(folder, shown(issuer=old))


def test_a_file_with_several_certificates_counts_with_all_of_them(folder: Path) -> None:
    bundle = b"".join(one.certificate.public_bytes(Encoding.PEM) for one in (OTHER, ROOT))
    (folder / "trusted" / "certs" / "plant.pem").write_bytes(bundle)
    for ca in (OTHER, ROOT):
        check(folder, shown(issuer=ca))


def test_a_ca_with_a_new_key_and_the_list_of_each_key_is_one_ca(folder: Path) -> None:
    renewed = Issuer(certificate("Root", ca=True, key=key_of("Root, renewed")), key_of("Root, renewed"))
    bad = shown(issuer=ROOT)
    for number, ca in enumerate((ROOT, renewed)):
        put_der(folder / "trusted" / "certs" / f"{number}.der", ca.certificate)
        put_der(folder / "trusted" / "crl" / f"{number}.crl", revocations(ca, [bad] if ca is ROOT else []))
    check(folder, shown(issuer=ROOT))
    check(folder, shown(issuer=renewed))
    with pytest.raises(DeviceUnreachable, match=r"is revoked by .*0\.crl"):
        check(folder, bad)


def test_a_revocation_list_whose_next_issue_is_overdue_counts_and_is_said_once(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    put_der(folder / "trusted" / "certs" / "root.der", ROOT.certificate)
    path = put_der(folder / "trusted" / "crl" / "root.crl", revocations(ROOT, []))
    pki = Pki(folder, lambda: NOW + 31 * DAY)
    for _ in range(2):
        pki.check_trust(PresentedCertificate(shown(issuer=ROOT), ()), HOST, "PLC-1")
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}: the next revocation list was due on {NOW + 30 * DAY:%Y-%m-%d %H:%M} UTC: put the CA's newest there"
    ]


def test_the_folders_are_closed_to_others_and_one_that_everybody_can_change_is_refused(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        pki = Pki(tmp_path / "pki")
        put_key(pki.folder / "own" / "key.pem", key_of("gateway"))
        pki.own()
    finally:
        os.umask(before)
    folder = pki.folder / "trusted" / "certs"
    assert mode_of(folder) == 0o750
    folder.chmod(0o777)
    with pytest.raises(ConfigurationError, match=r"certs: can be changed by everybody.*chmod o-w"):
        pki.own()


def test_a_certificate_that_could_not_be_kept_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr("os.fsync", full)
    for _ in range(3):
        with pytest.raises(OSError, match="no space left"):
            keep_rejected(tmp_path, shown("PLC"))
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    (tmp_path / ".new-left").write_bytes(b"of a process that was killed")
    leaf = shown("PLC")
    (tmp_path / file_name(leaf)).write_bytes(b"half of it")
    assert keep_rejected(tmp_path, leaf).read_bytes() == leaf.public_bytes(Encoding.DER)
    assert not list(tmp_path.glob(".new-*"))


def test_a_machine_whose_name_is_not_ascii_has_a_certificate_too() -> None:
    made = self_signed(key_of("gateway"), "müller")
    assert list(uris_of(made)) == ["urn:m%C3%BCller:monazite:gateway"]


def test_a_ca_that_may_issue_no_ca_makes_none(folder: Path) -> None:
    root = authority("Short root", path_length=0)
    between = authority("Between", root)
    put_der(folder / "trusted" / "certs" / "root.der", root.certificate)
    check(folder, shown(issuer=root))
    with pytest.raises(DeviceUnreachable, match="is not trusted"):
        check(folder, shown(issuer=between), between.certificate)


@pytest.mark.parametrize("where", ["trusted", "issuer"])
def test_what_is_revoked_is_not_trusted(folder: Path, where: str) -> None:
    bad, good = shown(issuer=ROOT), shown(issuer=ROOT)
    put_der(folder / "trusted" / "certs" / "root.der", ROOT.certificate)
    check(folder, bad)
    put_der(folder / where / "crl" / "root.crl", revocations(ROOT, [bad]))
    check(folder, good)
    with pytest.raises(DeviceUnreachable, match=r"is revoked by .*root\.crl"):
        check(folder, bad)
    put_der(folder / "trusted" / "certs" / "bad.der", bad)
    with pytest.raises(DeviceUnreachable, match="is revoked by"):
        check(folder, bad)


def test_a_revoked_ca_in_the_middle_breaks_the_chain(folder: Path) -> None:
    put_der(folder / "trusted" / "certs" / "root.der", ROOT.certificate)
    put_der(folder / "trusted" / "crl" / "root.crl", revocations(ROOT, [MIDDLE.certificate]))
    with pytest.raises(DeviceUnreachable, match="is revoked by"):
        check(folder, shown(issuer=MIDDLE), MIDDLE.certificate)


def test_a_revocation_list_that_proves_nothing_is_a_fault_and_not_an_empty_list(folder: Path) -> None:
    put_der(folder / "trusted" / "certs" / "root.der", ROOT.certificate)
    path = put_der(folder / "trusted" / "crl" / "root.crl", revocations(ROOT, [], signed_with=key_of("forger")))
    with pytest.raises(ConfigurationError, match=r"root\.crl: is not signed by the CA that it names"):
        check(folder, shown(issuer=ROOT))
    path.write_text("nothing")
    with pytest.raises(ConfigurationError, match=r"root\.crl: is no revocation list"):
        check(folder, shown(issuer=ROOT))


def test_a_file_that_is_no_certificate_stops_nobody_and_is_said_once(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    leaf = shown()
    put_der(folder / "trusted" / "certs" / "plc.der", leaf)
    (folder / "trusted" / "certs" / "README.txt").write_text("put them here")
    pki = Pki(folder, lambda: NOW)
    for _ in range(2):
        pki.check_trust(PresentedCertificate(leaf, ()), HOST, "PLC-1")
    assert [record.levelno for record in caplog.records if "README.txt" in record.getMessage()] == [logging.WARNING]


def test_another_host_is_a_warning_for_a_pinned_certificate_and_a_refusal_for_an_issued_one(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    pinned, issued = shown(), shown(issuer=ROOT)
    put_der(folder / "trusted" / "certs" / "plc.der", pinned)
    put_der(folder / "trusted" / "certs" / "root.der", ROOT.certificate)
    pki = Pki(folder, lambda: NOW)
    for _ in range(2):
        pki.check_trust(PresentedCertificate(pinned, ()), "10.20.3.21", "PLC-1")
    assert [record.getMessage() for record in caplog.records] == [
        f"PLC-1: the trusted certificate {thumbprint(pinned)} (PLC) does not name the host 10.20.3.21"
    ]
    with pytest.raises(DeviceUnreachable, match=r"but not for the host 10\.20\.3\.21: if it is the device's, move"):
        pki.check_trust(PresentedCertificate(issued, ()), "10.20.3.21", "PLC-1")


def test_a_users_certificate_of_the_same_ca_is_no_servers(folder: Path) -> None:
    put_der(folder / "trusted" / "certs" / "root.der", ROOT.certificate)
    with pytest.raises(DeviceUnreachable, match="but not for a server"):
        check(folder, shown(issuer=ROOT, usage=[ExtendedKeyUsageOID.CLIENT_AUTH]))


def test_a_server_turned_away_leaves_its_certificate_and_is_trusted_once_that_is_moved(folder: Path) -> None:
    leaf = shown("PLC/../1")
    name = f"PLC_.._1 [{thumbprint(leaf)}].der"
    with pytest.raises(DeviceUnreachable) as caught:
        check(folder, leaf)
    path = folder / "rejected" / "certs" / name
    said = f"the server's certificate {thumbprint(leaf)} (PLC/../1) is not trusted"
    assert str(caught.value) == f"{said}: if it is the device's, move {path} to {folder / 'trusted' / 'certs'} to trust it"
    assert path.read_bytes() == leaf.public_bytes(Encoding.DER)
    path.rename(folder / "trusted" / "certs" / name)
    check(folder, leaf)


@pytest.mark.parametrize(
    ("name", "kept"), [("-rf", "rf"), ("..", "no name"), ("a\nb\x1b[31m", "a_b__31m"), ("x" * 64, "x" * 64), ("Müller GmbH", "M_ller GmbH")]
)
def test_a_strangers_name_is_no_path_and_no_option(name: str, kept: str) -> None:
    named = certificate(name, key=key_of("stranger"))
    assert file_name(named) == f"{kept} [{thumbprint(named)}].der"


def test_the_rejected_are_bounded_and_the_one_longest_not_seen_goes(tmp_path: Path) -> None:
    first, second = shown("first"), shown("second")
    for age, leaf in ((2, first), (1, second)):
        os.utime(keep_rejected(tmp_path, leaf), (NOW.timestamp() - age * 10_000,) * 2)
    for number in range(98):
        path = tmp_path / f"{number}.der"
        path.write_bytes(b"")
        os.utime(path, (NOW.timestamp() - 100,) * 2)
    keep_rejected(tmp_path, first)
    keep_rejected(tmp_path, shown("third"))
    left = {path.name for path in tmp_path.iterdir()}
    assert len(left) == 100
    assert file_name(first) in left
    assert file_name(second) not in left


def test_a_signature_with_sha1_is_refused() -> None:
    with pytest.raises(DeviceUnreachable, match="is not signed with SHA-256 or better"):
        check_form(x509.load_pem_x509_certificate(SIGNED_WITH_SHA1), URI)


def test_the_time_of_a_certificate_has_an_hours_grace_at_its_beginning_and_none_at_its_end() -> None:
    leaf = shown(start=NOW, end=NOW + DAY)
    check_time(leaf, NOW - timedelta(minutes=59))
    check_time(leaf, NOW + DAY)
    with pytest.raises(DeviceUnreachable, match="is valid only from"):
        check_time(leaf, NOW - timedelta(minutes=61))
    with pytest.raises(DeviceUnreachable, match="has expired on"):
        check_time(leaf, NOW + DAY + timedelta(seconds=1))


def test_a_host_is_a_name_or_an_address() -> None:
    leaf = certificate("PLC", hosts=[x509.DNSName("PLC-1.plant.example"), x509.IPAddress(ipaddress.ip_address("fe80::1"))])
    assert is_for_host(leaf, "plc-1.PLANT.example")
    assert is_for_host(leaf, "fe80:0::1")
    assert not is_for_host(leaf, "plc-1")
    assert not is_for_host(leaf, "10.0.0.1")
    assert not is_for_host(certificate("PLC"), "PLC")


def test_a_chain_is_read_in_order_and_rubbish_is_the_servers_fault() -> None:
    leaf = shown(issuer=MIDDLE)
    blob = b"".join(one.public_bytes(Encoding.DER) for one in (leaf, MIDDLE.certificate, ROOT.certificate))
    assert PresentedCertificate.parse(blob) == PresentedCertificate(leaf, (MIDDLE.certificate, ROOT.certificate))
    for length in (1, 2, 3, 100, len(blob) - 1):
        with pytest.raises(DeviceProtocolError, match="cannot be read"):
            PresentedCertificate.parse(blob[:length])
    with pytest.raises(DeviceProtocolError, match="more than 8 certificates"):
        PresentedCertificate.parse(blob * 3)
    with pytest.raises(DeviceProtocolError, match="bytes"):
        PresentedCertificate.parse(bytes(70_000))
    for nothing in (None, b""):
        with pytest.raises(DeviceUnreachable, match="shows no certificate"):
            PresentedCertificate.parse(nothing)
