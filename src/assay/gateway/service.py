"""The gateway: from names to models that keep to every policy of the house."""

import asyncio
from contextlib import AsyncExitStack
from types import TracebackType
from typing import ClassVar, Self

import aiohttp
import orjson

from assay.core.config import ProviderSettings, Settings
from assay.core.errors import SetupError
from assay.core.telemetry import traces_wanted
from assay.gateway.cache import CacheMode, ResponseCache
from assay.gateway.cached import CachedModel
from assay.gateway.credentials.store import CredentialStore
from assay.gateway.embeddings import Embedder
from assay.gateway.errors import MissingKey, RemoteForbidden, UnknownModel, UnknownProvider
from assay.gateway.limits import Limits, LocalLimits
from assay.gateway.log import LoggedModel
from assay.gateway.pace import PacedModel
from assay.gateway.price import PricedModel, Rate, look_up_rate
from assay.gateway.provider_pace import ProviderPace
from assay.gateway.providers.builtin import PROGRAMS, BuiltinModel, find_program
from assay.gateway.providers.builtin_embeddings import WordLlamaModel, check_embedder
from assay.gateway.providers.catalog import BUILTIN, KNOWN, Protocol, Provider, find, split
from assay.gateway.providers.endpoint import open_session
from assay.gateway.providers.late import LateModel
from assay.gateway.providers.openai_chat import OpenAIChatModel
from assay.gateway.providers.openai_embeddings import OpenAIEmbeddingModel
from assay.gateway.retry import RetryingModel, RetryPolicy
from assay.gateway.slots import Slots
from assay.gateway.timeout import TimedModel
from assay.gateway.trace import TracedModel
from assay.gateway.types import Model

DEFAULT_CONCURRENCY = 64
# Where a provider has no limit, callers hold to one of their own.
UNLIMITED = 10_000
_PROBE_SECONDS = 1.0


class Gateway:
    """Every model call goes through here; an async context manager that owns the connections.

    Example::

        async with Gateway(Settings.load()) as gateway:
            answer = await gateway.model("builtin/echo").complete(
                ModelRequest([{"role": "user", "content": "hello"}])
            )

    Attributes:
        limits: who holds the limits; ask it for slots of a scope of your own, such as a run.
        allow_remote: whether models that are not on this machine may be asked. Tests set it to
            false on the class, and no gateway in the process then leaves loopback.
    """

    allow_remote: ClassVar[bool] = True

    def __init__(
        self,
        settings: Settings,
        limits: Limits | None = None,
        *,
        retry: RetryPolicy | None = None,
        credentials: CredentialStore | None = None,
        cache: ResponseCache | None = None,
    ) -> None:
        """Take the settings and what completes them.

        Args:
            settings: the keys and limits of the environment.
            limits: who holds the limits; this process alone by default.
            retry: how failed calls are tried again.
            credentials: where keys come from that the environment does not have.
            cache: where answers are kept, for models that are asked for with a cache.
        """
        self._settings = settings
        self.limits = limits or LocalLimits()
        self._retry = retry or RetryPolicy()
        self._closing = AsyncExitStack()
        self._session: aiohttp.ClientSession | None = None
        self._paces: dict[str, ProviderPace] = {}
        self._adapters: dict[str, Model] = {}
        self._cache = cache
        self._credentials = credentials
        if credentials is not None:
            # Adapters hold the key that they were made with.
            credentials.on_change = self._adapters.clear

    async def __aenter__(self) -> Self:
        self._session = await self._closing.enter_async_context(open_session())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._closing.aclose()

    def check(self, name: str) -> None:
        """Say whether `provider/model` could be asked, as far as can be known without asking.

        Raises:
            UnknownProvider: with the known ones, and how to reach any other.
            UnknownModel: the provider is built in and has no such model.
            MissingKey: naming the variable to set.
            RemoteForbidden: it is not on this machine and `allow_remote` is off.
            SetupError: one of the provider's variables has a value that it does not take.
        """
        provider, model = split(name)
        self._find(provider)
        if provider == BUILTIN:
            find_program(model)

    def model(
        self,
        name: str,
        slots: Slots | None = None,
        cache: CacheMode = CacheMode.off,
        retry: RetryPolicy | None = None,
    ) -> Model:
        """The model `provider/model` with log, price, retries, pace and time limit around it.

        Args:
            name: `provider/model`.
            slots: a limit of the caller's own, such as a run's, beside the provider's. Its
                slots are held only while a request is in flight or waits for the provider's
                pace, never between attempts.
            cache: whether answers at temperature 0 come from the cache; those of built-in
                programs never do.
            retry: how failed calls are tried again, where not as in all others.

        Raises:
            ModelError, SetupError: as `check`.
        """
        provider_name, model = split(name)
        provider = self._find(provider_name)
        if provider_name == BUILTIN:
            return _watched(BuiltinModel(model))
        adapter = self._adapter(provider, model)
        watched = _watched(self._careful(provider, adapter, slots, retry))
        if self._cache is None or cache is CacheMode.off:
            return watched
        return CachedModel(watched, self._cache, cache, str(provider.base_url))

    def check_embedder(self, name: str) -> None:
        """Say whether `provider/model` could be asked for embeddings; as `check`.

        Raises:
            UnknownModel: the provider has a protocol of its own, or is built in and has no
                such model.
            MissingExtra: the package of a built-in model is not installed.
            ModelError, SetupError: as `check`.
        """
        provider_name, model = split(name)
        provider = self._find(provider_name)
        if provider_name == BUILTIN:
            check_embedder(model)
        elif provider.known.protocol is not Protocol.openai:
            raise UnknownModel(
                f"{name} cannot be asked for embeddings: these come from providers that speak the "
                "OpenAI protocol, and from builtin/wordllama"
            )

    def embedder(self, name: str, slots: Slots | None = None) -> Embedder:
        """A model that makes embeddings, with all around it that `model` has but the cache.

        Raises:
            ModelError, SetupError: as `check_embedder`.
        """
        self.check_embedder(name)
        provider_name, model = split(name)
        if provider_name == BUILTIN:
            return Embedder(_watched(WordLlamaModel(model), "embeddings"))
        provider = self._find(provider_name)
        adapter = self._adapters.get(f"embeddings:{name}")
        if adapter is None:
            adapter = OpenAIEmbeddingModel(provider, model, self._connected())
            self._adapters[f"embeddings:{name}"] = adapter
        return Embedder(_watched(self._careful(provider, adapter, slots), "embeddings"))

    def concurrency(self, name: str) -> int:
        """How many calls of `provider/model` its provider may have in flight; 64 if none is set.

        Raises:
            ModelError, SetupError: as `check`.
        """
        provider, _ = split(name)
        return self._find(provider).settings.max_concurrency or DEFAULT_CONCURRENCY

    async def rate(self, name: str) -> Rate:
        """The list price of `provider/model`, for any usage; free models cost 0.

        Raises:
            ModelError, SetupError: as `check`.
        """
        provider_name, model = split(name)
        if provider_name == BUILTIN or self._find(provider_name).free:
            return _free
        return await look_up_rate(provider_name, model)

    async def available(self) -> list[str]:
        """The models that can be asked right now.

        These are the built-in ones, those that servers on loopback list within a second, and a
        small one of each provider whose key is set.
        """
        names = [f"{BUILTIN}/{program}" for program in PROGRAMS]
        listed = []
        for name in KNOWN:
            try:
                provider = self._find(name)
            except (UnknownProvider, MissingKey, RemoteForbidden, SetupError):
                continue
            if provider.on_loopback and name != BUILTIN:
                listed.append(self._list(provider))
            elif provider.api_key is not None and provider.known.sample is not None:
                names.append(f"{name}/{provider.known.sample}")
        for models in await asyncio.gather(*listed):
            names.extend(models)
        return names

    def _careful(
        self,
        provider: Provider,
        adapter: Model,
        slots: Slots | None,
        retry: RetryPolicy | None = None,
    ) -> Model:
        timed = TimedModel(adapter, provider.settings.timeout)
        paced = PacedModel(timed, self._pace(provider), slots)
        retrying = RetryingModel(paced, retry or self._retry)
        return PricedModel(retrying, _free if provider.free else None)

    def _find(self, name: str) -> Provider:
        provider = find(name, self._given)
        if not self.allow_remote and not provider.on_loopback:
            raise RemoteForbidden(f"provider {name} is not on this machine, and may not be asked")
        return provider

    def _given(self, name: str) -> ProviderSettings:
        given = self._settings.provider(name)
        return self._credentials.complete(given) if self._credentials else given

    def _pace(self, provider: Provider) -> ProviderPace:
        given = provider.settings
        limit = given.max_concurrency or UNLIMITED
        # Asked for each time: limits that are shared give up scopes that nobody asks for.
        slots = self.limits.slots(f"provider:{provider.name}", limit)
        pace = self._paces.get(provider.name)
        if pace is None:
            pace = self._paces[provider.name] = ProviderPace(
                provider.name,
                slots,
                rpm=given.rpm,
                tpm=given.tpm,
                patience=self._retry.patience,
            )
        return pace

    def _adapter(self, provider: Provider, model: str) -> Model:
        name = f"{provider.name}/{model}"
        adapter = self._adapters.get(name)
        if adapter is None:
            if provider.known.protocol is Protocol.native:
                adapter = LateModel(provider, model, self._closing)
            else:
                adapter = OpenAIChatModel(provider, model, self._connected())
            self._adapters[name] = adapter
        return adapter

    async def _list(self, provider: Provider) -> list[str]:
        """What the server of a provider offers to chat with; nothing if it does not answer."""
        if provider.base_url is None:
            return []
        url = provider.base_url / "models"
        key = provider.api_key
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        try:
            async with (
                asyncio.timeout(_PROBE_SECONDS),
                self._connected().get(url, headers=headers) as response,
            ):
                models = orjson.loads(await response.read())["data"]
                ids = sorted(str(model["id"]) for model in models)
        except (aiohttp.ClientError, TimeoutError, ValueError, LookupError, TypeError):
            return []
        return [f"{provider.name}/{model}" for model in ids if "embed" not in model]

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("enter the gateway first: async with Gateway(...) as gateway")
        return self._session


def _watched(model: Model, operation: str = "chat") -> Model:
    logged = LoggedModel(model)
    # A span costs as much as a whole call of a built-in program, so none where nobody looks.
    return TracedModel(logged, operation) if traces_wanted() else logged


def _free(_usage: object) -> float:
    return 0.0
