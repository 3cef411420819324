"""What a user is made known by, and when not at all."""

from pathlib import Path

import pytest
from asyncua import ua

from drivers.opcua.security.endpoints import NONE_URI
from drivers.opcua.security.user_identity import Anonymous, Certified, Identity, Named, choose_token, load_identity
from plant.errors import ConfigurationError, DeviceUnreachable
from plant.opcua_device import CertificateUser, NamedUser
from tests.certificates import DAY, NOW, certificate, key_of, put_der, put_key

BASE = "http://opcfoundation.org/UA/SecurityPolicy#"
STRONG, WEAK = BASE + "Aes256_Sha256_RsaPss", BASE + "Aes128_Sha256_RsaOaep"
SHA1 = BASE + "Basic256"
KIND = ua.UserTokenType
MODE = ua.MessageSecurityMode
NAMED = Named("monazite", "secret")
CERTIFIED = Certified(certificate("operator", usage=()), key_of("operator"))


def offer(kind: ua.UserTokenType, uri: str | None) -> ua.UserTokenPolicy:
    return ua.UserTokenPolicy(PolicyId=f"{kind.name} {uri}", TokenType=kind, SecurityPolicyUri=uri)


@pytest.mark.parametrize(
    ("who", "offered", "channel", "mode", "taken"),
    [
        (NAMED, [NONE_URI, WEAK, STRONG], NONE_URI, MODE.None_, STRONG),
        (NAMED, [SHA1, WEAK], NONE_URI, MODE.None_, WEAK),
        (NAMED, [None], STRONG, MODE.Sign, STRONG),
        (NAMED, [""], WEAK, MODE.SignAndEncrypt, WEAK),
        (NAMED, [NONE_URI], STRONG, MODE.SignAndEncrypt, NONE_URI),
        (NAMED, [SHA1, NONE_URI], STRONG, MODE.SignAndEncrypt, NONE_URI),
        (CERTIFIED, [SHA1, WEAK], NONE_URI, MODE.None_, WEAK),
        (CERTIFIED, [None], STRONG, MODE.Sign, STRONG),
        (NAMED, [NONE_URI], NONE_URI, MODE.None_, None),
        (NAMED, [None], NONE_URI, MODE.None_, None),
        (NAMED, [NONE_URI], STRONG, MODE.Sign, None),
        (NAMED, [SHA1], NONE_URI, MODE.None_, None),
        (NAMED, [SHA1], STRONG, MODE.SignAndEncrypt, None),
        (CERTIFIED, [NONE_URI], STRONG, MODE.SignAndEncrypt, None),
        (CERTIFIED, [SHA1], STRONG, MODE.SignAndEncrypt, None),
    ],
)
def test_a_user_is_known_by_the_strongest_protection_or_not_at_all(
    who: Identity, offered: list[str | None], channel: str, mode: ua.MessageSecurityMode, taken: str | None
) -> None:
    policies = [offer(KIND.Anonymous, NONE_URI), *(offer(who.kind, uri) for uri in offered)]
    if taken is None:
        with pytest.raises(DeviceUnreachable, match="nothing was sent"):
            choose_token(policies, who, channel, mode)
        return
    token = choose_token(policies, who, channel, mode)
    assert (token.TokenType, token.SecurityPolicyUri) == (who.kind, taken)
    assert token.PolicyId in {policy.PolicyId for policy in policies}


def test_a_kind_of_user_that_the_server_does_not_take_is_named() -> None:
    only = [offer(KIND.UserName, STRONG), offer(KIND.IssuedToken, STRONG)]
    with pytest.raises(DeviceUnreachable, match="takes no anonymous user, only a name and a password or an issued token: give the device a user"):
        choose_token(only, Anonymous(), STRONG, MODE.Sign)
    with pytest.raises(DeviceUnreachable, match="does not take a user's certificate, only a name and a password or an issued token"):
        choose_token(only, CERTIFIED, STRONG, MODE.Sign)
    with pytest.raises(DeviceUnreachable, match="does not take a name and a password, only nobody"):
        choose_token([], NAMED, STRONG, MODE.Sign)
    assert choose_token([], Anonymous(), STRONG, MODE.Sign).TokenType is KIND.Anonymous


def test_a_secret_is_in_no_text() -> None:
    assert "secret" not in repr(NAMED)
    assert "key" not in repr(CERTIFIED)


@pytest.mark.parametrize(
    ("content", "password"),
    [
        (b"pass word\r\nrest\n", "pass word"),
        (b"\xef\xbb\xbfp\xc3\xa4ss", "p\u00e4ss"),
        (b"x" * 128, "x" * 128),
        (b"x" * 129, "a first line of more than 128 bytes"),
        (b"", "an empty first line"),
        (b"\nsecond", "an empty first line"),
        (b"\xff\xfe", "is no UTF-8"),
    ],
)
def test_the_password_is_the_first_line_of_its_file(tmp_path: Path, content: bytes, password: str) -> None:
    path = tmp_path / "password"
    path.write_bytes(content)
    path.chmod(0o600)
    user = NamedUser("monazite", str(path))
    if " first line" in password or "UTF" in password:
        with pytest.raises(ConfigurationError, match=password):
            load_identity(user, NOW)
    else:
        assert load_identity(user, NOW) == Named("monazite", password)


@pytest.mark.parametrize("mode", [0o644, 0o620, 0o666])
def test_secrets_that_others_may_read_or_change_are_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "password"
    path.write_text("secret")
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        load_identity(NamedUser("monazite", str(path)), NOW)
    key = put_key(tmp_path / "user.pem", key_of("operator"))
    key.chmod(mode)
    with pytest.raises(ConfigurationError, match=r"user\.pem: can be read by everybody, or changed by others"):
        load_identity(CertificateUser(str(put_der(tmp_path / "user.der", certificate("operator"))), str(key)), NOW)


def test_a_users_certificate_has_its_key_and_is_valid(tmp_path: Path) -> None:
    user = CertificateUser(str(put_der(tmp_path / "user.der", certificate("operator", end=NOW + DAY))), str(put_key(tmp_path / "user.pem", key_of("operator"))))
    who = load_identity(user, NOW)
    assert isinstance(who, Certified)
    assert who.key.private_numbers() == key_of("operator").private_numbers()
    with pytest.raises(ConfigurationError, match=r"user\.der: has expired on"):
        load_identity(user, NOW + 2 * DAY)
    assert load_identity(None, NOW) == Anonymous()
