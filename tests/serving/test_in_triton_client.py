"""Where the app's Triton is: self-tests and users' rows go to the same place, and garbage is an error with a type."""

import datetime as dt
import ipaddress
import ssl

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from inject.hanging_peers import (
    drips_a_body,
    drips_header_lines,
    goes_on_for_ever,
    hostile,
    in_time,
    never_stops_sending,
    silence,
)
from support.wire import wire
from world.fake_triton import fake_triton
from world.models import ROW, iris, put, settings_of

from interlock.adapters.http import trusted
from interlock.errors import Garbled, Refused, SmokeFailed, Unreachable
from interlock.model.rows import encode_rows
from interlock.serving.app import create_app
from interlock.serving.in_triton import TritonClient, TritonSource
from interlock.serving.model import ModelFailed, VersionGone
from interlock.store import Store
from interlock.store.folders import candidate_folder

pytestmark = pytest.mark.anyio
READY = "GET /v2/models/best_model--candidate/versions/1/ready"
INFER = "POST /v2/models/best_model--candidate/versions/1/infer"


@pytest.fixture
def store(home):
    store = Store(home / "repository")
    put(store, 1, iris())
    return store


@pytest.fixture
def certificate(home):
    """A certificate for 127.0.0.1 with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = home / "certificate.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + made.public_bytes(pem))
    return path


async def answered(store, url: str) -> int:
    """The label that a version in the candidate's folder gives, after its self-test; both ask the same Triton."""
    source = TritonSource(store, "best_model", TritonClient(url), "dev")
    model = source.staged(1, None)
    try:
        model.self_test(5)
        return int((await model.answer(encode_rows([ROW], model.manifest.signature), 5)).labels[0])
    finally:
        await source.close()


def load(store, triton) -> None:
    content = store.paths("best_model").onnx(1).read_bytes()
    triton.load(candidate_folder("best_model"), "{}", {"file:1/model.onnx": content})


@pytest.mark.parametrize("base", ["", "/triton", "/a/b"])
async def test_a_path_before_tritons_own_is_kept(store, base):
    with fake_triton(store.root / "models", "key", base=base) as triton:
        load(store, triton)
        assert await answered(store, triton.http) == 0
        assert await answered(store, f"{triton.http}/") == 0


async def test_users_rows_go_over_tls_as_the_self_test_does(store, certificate, monkeypatch):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    trusted.cache_clear()
    with fake_triton(store.root / "models", "key", base="/triton", tls=tls) as triton:
        load(store, triton)
        assert await answered(store, triton.http) == 0
    trusted.cache_clear()


async def test_a_certificate_that_nobody_trusts_is_not_taken(store, certificate):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with fake_triton(store.root / "models", "key", tls=tls) as triton:
        load(store, triton)
        source = TritonSource(store, "best_model", TritonClient(triton.http), "dev")
        with pytest.raises(Unreachable):
            source.staged(1, None).self_test(5)
        with pytest.raises(VersionGone):
            model = source.staged(1, None)
            await model.answer(encode_rows([ROW], model.manifest.signature), 5)
        await source.close()


@pytest.mark.parametrize(
    "url",
    ["", "127.0.0.1:8000", "grpc://x:1", "http://", "http://me:secret@x", "http://x?key=secret", "http://x/#secret"],
)
async def test_a_url_that_cannot_be_taken_whole_is_refused_at_start_and_not_shown(store, url):
    with pytest.raises(ValueError, match="INTERLOCK_SERVING_TRITON_URL") as told:
        create_app(settings_of(store, engine="triton", triton_url=url))
    assert "secret" not in str(told.value)


async def test_no_proxy_comes_between(store, monkeypatch, free_port):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port}")
    monkeypatch.setenv("no_proxy", "")
    with fake_triton(store.root / "models", "key") as triton:
        load(store, triton)
        assert await answered(store, triton.http) == 0


@pytest.mark.parametrize("act", [drips_a_body, drips_header_lines, goes_on_for_ever, silence, never_stops_sending])
async def test_a_triton_that_never_ends_an_answer_holds_no_self_test(store, act):
    with hostile(act) as port, in_time(3):
        source = TritonSource(store, "best_model", TritonClient(f"http://127.0.0.1:{port}"), "dev")
        with pytest.raises((Garbled, Unreachable)):
            source.staged(1, None).self_test(0.5)


GARBAGE = [b"", b"<html>", b"[]", b"{}", b'{"outputs": []}', b'{"outputs": [{"name": "label", "data": ["x"]}]}']


@pytest.mark.parametrize("body", GARBAGE)
async def test_an_answer_that_is_none_of_tritons_is_garbled_and_condemns_nothing(store, body):
    with wire() as told:
        told.answers[READY] = lambda _: (200, b"")
        told.answers[INFER] = lambda _: (200, body)
        source = TritonSource(store, "best_model", TritonClient(told.url), "dev")
        with pytest.raises(Garbled):
            source.staged(1, None).self_test(5)


@pytest.mark.parametrize(
    ("ready", "infer", "error"),
    [
        (400, 200, Unreachable),
        (503, 200, Unreachable),
        (0, 200, Unreachable),
        (200, 500, Unreachable),
        (200, 503, Unreachable),
        (200, 0, Unreachable),
        (200, 400, Refused),
    ],
)
async def test_who_is_not_ready_or_fails_is_told_by_type_and_condemns_nothing(store, ready, infer, error):
    with wire() as told:
        told.answers[READY] = lambda _: (ready, b"")
        told.answers[INFER] = lambda _: (infer, b"{}")
        source = TritonSource(store, "best_model", TritonClient(told.url), "dev")
        with pytest.raises(error) as raised:
            source.staged(1, None).self_test(5)
        assert not isinstance(raised.value, SmokeFailed)


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"[]", b'{"outputs": [{"name": "label"}]}'])
async def test_users_get_a_typed_failure_for_an_answer_that_is_none_of_tritons(store, body):
    with wire() as told:
        told.answers[INFER] = lambda _: (200, body)
        source = TritonSource(store, "best_model", TritonClient(told.url), "dev")
        with pytest.raises((ModelFailed, VersionGone)):
            await source.staged(1, None).answer(np.zeros((1, 4), dtype=np.float32), 5)
        await source.close()
