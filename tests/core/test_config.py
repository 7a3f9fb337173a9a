"""Settings: where they come from, which wins, and how a wrong one is told."""

from pathlib import Path

import pytest

from assay.core import config
from assay.core.config import LogFormat, Settings
from assay.core.errors import SetupError

PASSWORD = "s3cr3t-word"


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings of the machine, and no `.env`."""
    for field in Settings.model_fields:
        monkeypatch.delenv(field.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    # It is read once in the life of a process.
    monkeypatch.setattr(config, "_dotenv", config._dotenv.__wrapped__)


def dotenv(text: str) -> None:
    Path(".env").write_text(text)


def faults(**overrides: object) -> dict[str, str]:
    """The places and messages of a refusal."""
    with pytest.raises(SetupError) as refusal:
        Settings.load(**overrides)
    assert PASSWORD not in str(refusal.value)
    return {fault.place: fault.message for fault in refusal.value.errors}


def test_with_nothing_set_it_serves_loopback_on_its_own_database() -> None:
    settings = Settings.load()
    assert (settings.host, settings.api_port, settings.database_url) == ("127.0.0.1", 8721, None)
    assert settings.cors_origins == ("http://localhost:5173", "http://localhost:3000")
    assert settings.assay_home.is_absolute()


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("API_PORT", "9000", 9000),
        ("HOST", "::1", "::1"),
        ("LOG_FORMAT", "json", LogFormat.json),
        ("DATABASE_URL", "postgres://u@db/assay", "postgres://u@db/assay"),
        ("DATABASE_URL", "", None),
        ("CORS_ORIGINS", "https://a.example", ("https://a.example",)),
        ("CORS_ORIGINS", " https://a.example, http://b:1 ,", ("https://a.example", "http://b:1")),
        ("CORS_ORIGINS", "", ()),
        ("SHUTDOWN_SECONDS", "0.5", 0.5),
    ],
)
def test_each_setting_is_a_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: object
) -> None:
    monkeypatch.setenv(name, text)
    assert getattr(Settings.load(), name.lower()) == value


def test_options_win_over_the_environment_and_that_over_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dotenv("API_PORT=1001\nHOST=from-file\nLOG_LEVEL=DEBUG\nUNKNOWN=ignored\n")
    monkeypatch.setenv("API_PORT", "1002")
    monkeypatch.setenv("HOST", "from-environment")
    settings = Settings.load(api_port=1003, host=None)
    assert (settings.api_port, settings.host, settings.log_level) == (
        1003,
        "from-environment",
        "DEBUG",
    )


@pytest.mark.parametrize(
    ("name", "text", "takes"),
    [
        ("API_PORT", "http", "integer"),
        ("API_PORT", "70000", "65535"),
        ("LOG_FORMAT", "xml", "'console' or 'json'"),
        ("LOG_LEVEL", "loud", "DEBUG|INFO|WARNING|ERROR"),
        ("DATABASE_POOL_SIZE", "1", "5"),
        ("WORKER_JOBS", "", "integer"),
    ],
)
def test_a_wrong_value_is_told_with_its_variable_and_what_it_takes(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, takes: str
) -> None:
    monkeypatch.setenv(name, text)
    [(place, message)] = faults().items()
    assert place == name
    assert takes in message
    assert repr(text) in message


def test_all_wrong_values_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_PORT", "http")
    dotenv("LOG_LEVEL=loud\n")
    assert faults().keys() == {"API_PORT", "LOG_LEVEL"}


@pytest.mark.parametrize(
    "address",
    [
        f"mysql://root:{PASSWORD}@db/assay",
        f"postgresql+asyncpg://root:{PASSWORD}@db/assay",
        f"{PASSWORD}@db",
    ],
)
def test_another_database_is_refused_and_its_password_kept(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", address)
    assert faults() == {"DATABASE_URL": "takes postgresql://user:password@host:port/name"}


def test_a_password_does_not_stand_in_printed_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://u:{PASSWORD}@db/assay")
    settings = Settings.load()
    assert PASSWORD not in f"{settings!r} {settings}"


def test_home_is_made_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.setenv("ASSAY_HOME", "~/evals/../assay")
    assert Settings.load().assay_home == tmp_path.resolve() / "me" / "assay"
    monkeypatch.setenv("ASSAY_HOME", "here")
    assert Settings.load().assay_home == tmp_path.resolve() / "here"


def test_an_empty_home_is_the_default_one(monkeypatch: pytest.MonkeyPatch) -> None:
    default = Settings.load().assay_home
    monkeypatch.setenv("ASSAY_HOME", "")
    assert Settings.load().assay_home == default


def test_the_home_of_a_user_who_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_HOME", "~nobody-of-this-name/assay")
    [(place, message)] = faults().items()
    assert place == "ASSAY_HOME"
    assert "~nobody-of-this-name" in message


def test_a_provider_has_what_is_set_and_defaults_for_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ACME_API_KEY", PASSWORD)
    monkeypatch.setenv("ACME_RPM", "500")
    monkeypatch.setenv("ACME_TIMEOUT", "2.5")
    monkeypatch.setenv("ACME_BASE_URL", "")
    acme = Settings.load().provider("acme")
    assert acme.api_key is not None
    assert acme.api_key.get_secret_value() == PASSWORD
    assert PASSWORD not in f"{acme!r} {acme}"
    assert (acme.name, acme.rpm, acme.timeout) == ("acme", 500, 2.5)
    assert (acme.base_url, acme.max_concurrency, acme.tpm) == (None, None, None)


def test_a_name_with_dashes_has_underscores_in_its_variables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AZURE_WEST_2_MAX_CONCURRENCY", "7")
    assert Settings.load().provider("azure-west-2").max_concurrency == 7


def test_a_provider_is_read_from_the_file_too(monkeypatch: pytest.MonkeyPatch) -> None:
    dotenv("ACME_BASE_URL=http://file\nACME_TPM=1000\n")
    monkeypatch.setenv("ACME_BASE_URL", "http://environment")
    acme = Settings.load().provider("acme")
    assert (acme.base_url, acme.tpm) == ("http://environment", 1000)


def test_a_wrong_value_of_a_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_WEST_API_KEY", PASSWORD)
    monkeypatch.setenv("ACME_WEST_BASE_URL", f"http://u:{PASSWORD}@gate")
    monkeypatch.setenv("ACME_WEST_RPM", "0")
    monkeypatch.setenv("ACME_WEST_TIMEOUT", "soon")
    with pytest.raises(SetupError) as refusal:
        Settings.load().provider("acme-west")
    places = {fault.place: fault.message for fault in refusal.value.errors}
    assert places.keys() == {"ACME_WEST_RPM", "ACME_WEST_TIMEOUT"}
    assert "'soon'" in places["ACME_WEST_TIMEOUT"]
    assert PASSWORD not in str(refusal.value)
