"""The callback of a request: its address, and the secret that signs what is sent there."""

from assay.consults.requests.models import ConsultationRequest
from assay.consults.requests.schemas import RequestCreate
from assay.consults.webhooks.deliveries.announcing import Callback
from assay.consults.webhooks.signing import new_secret, secret_fault
from assay.core.config import Settings
from assay.core.errors import FieldFault, Invalid
from assay.core.outbound import check_url, parse_networks
from assay.core.secrets import load_secret_key


def sealed_callback(settings: Settings, new: RequestCreate) -> Callback | None:
    """The callback that a new request asks for, its secret sealed for storing.

    Raises:
        UrlRefused: Assay does not send to such an address.
        Invalid: the secret is not one of Standard Webhooks.
    """
    if new.callback_url is None:
        return None
    allowed = parse_networks(settings.webhook_allowed_networks)
    check_url(new.callback_url, allowed, place="body.callback_url")
    given = new.callback_secret
    secret = new_secret() if given is None else given.get_secret_value()
    if fault := secret_fault(secret):
        raise Invalid(fault, errors=[FieldFault("body.callback_secret", fault)])
    return Callback(new.callback_url, load_secret_key(settings).seal(secret))


def opened_secret(settings: Settings, request: ConsultationRequest) -> str | None:
    """The secret of a request's callback, for its asker."""
    if request.callback_secret is None:
        return None
    return load_secret_key(settings).open(request.callback_secret)
