"""Signatures, held against the reference library."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from assay.consults.webhooks.signing import new_secret, secret_fault, signed_headers


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_body_verifies_with_each_secret_and_with_no_other(body: str) -> None:
    old, new, other = new_secret(), new_secret(), new_secret()
    headers = signed_headers([new, old], "msg_1", int(time.time()), body.encode())
    for secret in (old, new):
        Webhook(secret).verify(body, headers, json_parse=False)
    for secret, content in ((other, body), (new, f"{body} ")):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(content, headers, json_parse=False)


def test_secrets_are_random_and_of_the_standard() -> None:
    secrets = {new_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert {secret_fault(secret) for secret in secrets} == {None}


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_ü", "whsec_" + "a" * 100, "a" * 44]
)
def test_other_secrets_are_refused(secret: str) -> None:
    assert secret_fault(secret) == "Takes whsec_ and 24 to 64 random bytes in base64"
