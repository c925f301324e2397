import pytest

from common.settings import read_settings
from ingestor.settings import IngestorSettings

PLAIN = {
    "DATABASE_URL": "postgresql://freeport@127.0.0.1:5432/freeport",
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092",
    "ESI_BASE_URL": "https://esi.evetech.net",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.chdir(str(tmp_path))
    monkeypatch.delenv("ESI_USER_AGENT", raising=False)
    for name, value in PLAIN.items():
        monkeypatch.setenv(name, value)


def test_the_real_esi_without_a_contact_is_refused_in_one_line_that_names_the_setting(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ending:
        read_settings(IngestorSettings)

    (line,) = capsys.readouterr().err.splitlines()
    assert ending.value.code == 2
    assert "ESI_USER_AGENT must carry a contact" in line
    assert "me@example.com" in line


@pytest.mark.parametrize("contact", ["Market/1 (me@example.com)", "Market/1 (https://example.com/contact)"])
def test_the_real_esi_is_asked_with_a_contact(contact: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESI_USER_AGENT", contact)

    assert read_settings(IngestorSettings).esi_user_agent == contact


def test_a_simulator_needs_no_contact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESI_BASE_URL", "http://127.0.0.1:8081/")

    assert read_settings(IngestorSettings).esi_base_url == "http://127.0.0.1:8081"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ESI_BASE_URL", "esi.evetech.net"),
        ("ESI_BASE_URL", "ftp://x"),
        ("ESI_TIMEOUT", "0"),
        ("ESI_TIMEOUT", "inf"),
        ("ESI_TIMEOUT", "nan"),
        ("ESI_CONCURRENCY", "0"),
    ],
)
def test_a_wrong_setting_ends_the_process_with_its_name(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ESI_USER_AGENT", "Market/1 (me@example.com)")
    monkeypatch.setenv(name, value)

    with pytest.raises(SystemExit):
        read_settings(IngestorSettings)

    assert capsys.readouterr().err.startswith(f"{name}: ")
