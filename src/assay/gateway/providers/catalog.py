"""The providers known by name, and how to reach them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum

from yarl import URL

from assay.core.addresses import is_loopback
from assay.core.config import ProviderSettings
from assay.core.errors import FieldFault, SetupError
from assay.gateway.errors import MissingKey, UnknownModel, UnknownProvider

BUILTIN = "builtin"


class Protocol(StrEnum):
    """How a provider is talked to."""

    builtin = "builtin"
    openai = "openai"
    native = "native"


@dataclass(frozen=True, slots=True)
class Known:
    """A provider that needs no base URL from the user, or only that.

    Attributes:
        protocol: how it is talked to.
        base_url: where it is; `None` where the user has to say (`<NAME>_BASE_URL`), or where
            the native adapter knows.
        needs_key: whether it wants `<NAME>_API_KEY` when it is not on loopback.
        self_hosted: whether it runs on hardware of the user's own, so that on loopback its
            answers are free.
        sample: a small model of it, to try the provider with.
        key_alias: another name whose `<NAME>_API_KEY` holds its key.
    """

    protocol: Protocol = Protocol.openai
    base_url: str | None = None
    needs_key: bool = True
    self_hosted: bool = False
    sample: str | None = None
    key_alias: str | None = None


KNOWN: dict[str, Known] = {
    BUILTIN: Known(Protocol.builtin, needs_key=False),
    "openai": Known(base_url="https://api.openai.com/v1", sample="gpt-6-luna"),
    "ollama": Known(base_url="http://127.0.0.1:11434/v1", needs_key=False, self_hosted=True),
    "openrouter": Known(base_url="https://openrouter.ai/api/v1", sample="openai/gpt-oss-20b"),
    "groq": Known(base_url="https://api.groq.com/openai/v1", sample="openai/gpt-oss-20b"),
    "mistral": Known(base_url="https://api.mistral.ai/v1", sample="mistral-small-latest"),
    "deepseek": Known(base_url="https://api.deepseek.com/v1", sample="deepseek-flash"),
    "together": Known(base_url="https://api.together.xyz/v1", sample="openai/gpt-oss-120b"),
    "xai": Known(base_url="https://api.x.ai/v1", sample="grok-4-1-fast-non-reasoning"),
    "fireworks": Known(
        base_url="https://api.fireworks.ai/inference/v1",
        sample="accounts/fireworks/models/gpt-oss-20b",
    ),
    "cerebras": Known(base_url="https://api.cerebras.ai/v1"),
    "vllm": Known(needs_key=False, self_hosted=True),
    # The v1 API of Azure is the OpenAI protocol: https://<resource>.openai.azure.com/openai/v1
    "azure-openai": Known(),
    "anthropic": Known(Protocol.native, sample="claude-haiku-4-5"),
    "google": Known(Protocol.native, sample="gemini-3.1-flash-lite", key_alias="gemini"),
    # These find their credentials by the means of their own clouds and SDKs.
    "google-cloud": Known(Protocol.native, needs_key=False),
    "bedrock": Known(Protocol.native, needs_key=False),
    "cohere": Known(Protocol.native, needs_key=False),
    "huggingface": Known(Protocol.native, needs_key=False),
}


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider that can be asked: known or given a base URL, with its key if it wants one.

    Attributes:
        name: as in `provider/model`.
        base_url: without a slash at its end; `None` where the native adapter knows.
        api_key: the key, if one is set.
        settings: its limits and its time limit.
        known: what the catalog says of it.
    """

    name: str
    base_url: URL | None
    api_key: str | None = field(repr=False)
    settings: ProviderSettings
    known: Known

    @property
    def on_loopback(self) -> bool:
        """Whether asking it stays on this machine."""
        if self.base_url is None:
            return self.known.protocol is Protocol.builtin
        return is_loopback(self.base_url.host or "")

    @property
    def free(self) -> bool:
        """Whether its answers cost nothing."""
        return self.on_loopback and self.known.self_hosted


def split(name: str) -> tuple[str, str]:
    """The provider and the model of `provider/model`; the model may hold slashes itself.

    Raises:
        UnknownProvider: there is no slash in the name.
        UnknownModel: there is nothing behind the slash.
    """
    provider, slash, model = name.partition("/")
    if not slash or not provider:
        raise UnknownProvider(
            f"a model is named provider/model, such as builtin/echo; {name!r} has no provider"
        )
    if not model:
        raise UnknownModel(f"a model is named provider/model; {name!r} has no model")
    return provider, model


def find(name: str, given_for: Callable[[str], ProviderSettings]) -> Provider:
    """Look up provider `name`; `given_for` gives what is set for one.

    Raises:
        UnknownProvider: nothing is known by that name and no base URL is set for it.
        MissingKey: it wants a key and none is set.
        SetupError: one of its variables has a value that it does not take.
    """
    given = given_for(name)
    known = KNOWN.get(name, Known(needs_key=False))
    variable = name.upper().replace("-", "_")
    base_url = _base_url(given.base_url or known.base_url, f"{variable}_BASE_URL")
    if base_url is None and known.protocol is Protocol.openai:
        raise _nowhere(name, variable)
    key = _key(given, f"{variable}_API_KEY")
    if key is None and known.key_alias:
        key = _key(given_for(known.key_alias), f"{known.key_alias.upper()}_API_KEY")
    provider = Provider(name, base_url, key, given, known)
    if key is None and known.needs_key and not provider.on_loopback:
        raise MissingKey(f"provider {name} wants a key: set {variable}_API_KEY")
    return provider


def _nowhere(name: str, variable: str) -> UnknownProvider:
    if name in KNOWN:
        return UnknownProvider(
            f"provider {name} has no address of its own: set {variable}_BASE_URL to where it is"
        )
    close = get_close_matches(name, KNOWN, n=1)
    meant = f"did you mean {close[0]}? " if close else ""
    return UnknownProvider(
        f"there is no provider {name!r}; {meant}Known are {', '.join(sorted(KNOWN))}; any other "
        f"server that speaks the OpenAI chat protocol is reached by setting {variable}_BASE_URL"
    )


def _base_url(value: str | None, variable: str) -> URL | None:
    if value is None:
        return None
    try:
        url = URL(value.strip().rstrip("/"))
    except ValueError:
        url = URL()
    if url.scheme not in {"http", "https"} or not url.host or url.user or url.query:
        raise SetupError(
            "A setting has a value that it does not take",
            errors=[FieldFault(variable, "takes a base URL such as http://127.0.0.1:8000/v1")],
        )
    return url


def _key(given: ProviderSettings, variable: str) -> str | None:
    if given.api_key is None:
        return None
    key = given.api_key.get_secret_value().strip()
    if not key.isascii() or not key.isprintable() or " " in key:
        raise SetupError(
            "A setting has a value that it does not take",
            errors=[FieldFault(variable, "holds a space or a character that no key has")],
        )
    return key or None
