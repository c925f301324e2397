import json
import os
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from common.settings import DatabaseSettings, KafkaSettings, LogSettings, comma_separated, read_settings
from scheduler.settings import SchedulerSettings
from support.databases import settings_for

URL = "postgresql://someone:s3cret@db.example:5433/market"


@pytest.fixture(autouse=True)
def empty_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without .env, and an environment without settings."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith(("DATABASE_", "KAFKA_", "LOG_", "REGION_")):
            monkeypatch.delenv(name)
    return tmp_path


def test_a_setting_comes_from_the_environment_then_from_its_file_then_from_dot_env(
    empty_place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (empty_place / ".env").write_text("LOG_LEVEL=ERROR\nUNKNOWN=1\n")
    assert read_settings(LogSettings).log_level == "ERROR"

    (empty_place / "level").write_text("WARNING\n")
    monkeypatch.setenv("LOG_LEVEL_FILE", str(empty_place / "level"))
    assert read_settings(LogSettings).log_level == "WARNING"

    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    assert read_settings(LogSettings).log_level == "DEBUG"


@pytest.mark.parametrize("written", ["1, 2,3", "[1, 2, 3]", "1,2,3,", " [1,2,3] "])
def test_lists_are_written_as_json_or_with_commas(written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "k:9092")
    monkeypatch.setenv("REGION_IDS", written)

    assert read_settings(SchedulerSettings).region_ids == (1, 2, 3)
    assert comma_separated((1, 2)) == (1, 2)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("DATABASE_URL", None, "is not set. PostgreSQL, as postgresql://"),
        ("DATABASE_URL", "mysql://u:s3cret@h/d", "must look like postgresql://"),
        ("DATABASE_URL", "postgresql://u:s3cret@h:port/d", "must look like postgresql://"),
        ("DATABASE_URL", "postgresql://u:s3cret\u2100@h/d", "must look like postgresql://"),
        ("KAFKA_BOOTSTRAP_SERVERS", None, "is not set. Kafka brokers"),
        ("KAFKA_TOPIC_PARTITIONS", "many", "integer"),
        ("REGION_IDS", "[1, 2", "Regions to keep a copy of"),
        ("REGION_IDS", "1;2", "Regions to keep a copy of"),
        ("REGION_IDS", "0", "greater than 0"),
        ("SWEEP_INTERVAL", "9999999999", "less than or equal"),
        ("LOG_LEVEL", "LOUD", "'DEBUG'"),
        ("DATABASE_PASSWORD_FILE", "/no/such/file", "cannot read /no/such/file"),
    ],
)
def test_what_is_missing_or_wrong_ends_the_process_and_names_itself(
    name: str,
    value: str | None,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "k:9092")
    if value is None:
        monkeypatch.delenv(name)
    else:
        monkeypatch.setenv(name, value)

    with pytest.raises(SystemExit) as ended:
        read_settings(SchedulerSettings)

    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{name}: ")
    assert says in line
    assert "s3cret" not in line


@pytest.mark.parametrize(("slots", "runs"), [("30", "30"), ("90", None), (None, "7")])
def test_slots_that_would_be_folded_after_their_runs_are_gone_end_the_scheduler_s_start(
    slots: str | None, runs: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "k:9092")
    for name, value in (("SLOT_RETENTION_DAYS", slots), ("RETENTION_DAYS", runs)):
        if value is not None:
            monkeypatch.setenv(name, value)

    with pytest.raises(SystemExit) as ended:
        read_settings(SchedulerSettings)

    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert f"SLOT_RETENTION_DAYS ({slots or 30}) must be less than RETENTION_DAYS ({runs or 90})" in said


def test_a_secret_shows_in_no_representation() -> None:
    settings = DatabaseSettings(database_url=URL, database_password="0ther")

    for shown in (repr(settings), str(settings), settings.model_dump_json()):
        assert "s3cret" not in shown
        assert "0ther" not in shown


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+asyncpg", "postgresql+psycopg"])
def test_the_driver_in_the_address_is_ours_to_choose(scheme: str) -> None:
    settings = settings_for(f"{scheme}://u:p@h:1/d?sslmode=require")

    assert settings.dsn() == "postgresql://u:p@h:1/d?sslmode=require"
    assert settings.sqlalchemy_url() == "postgresql+asyncpg://u:p@h:1/d?ssl=require"


@pytest.mark.parametrize("password", ["p@ss/w:rd?#[]%&", "ü \"'\\", "%41", "a" * 200])
def test_a_password_of_any_characters_replaces_the_one_in_the_address(password: str) -> None:
    settings = DatabaseSettings(database_url=URL, database_password=password)

    url = make_url(settings.sqlalchemy_url())
    assert (url.username, url.password, url.host, url.port, url.database) == (
        "someone",
        password,
        "db.example",
        5433,
        "market",
    )


async def test_a_password_of_special_characters_opens_the_database(database_url: str) -> None:
    password = "p@ss/w:rd?#[]%&"
    connection = await asyncpg.connect(database_url)
    await connection.execute(f"CREATE ROLE tester LOGIN PASSWORD '{password}'")
    host = database_url.rpartition("@")[2]
    settings = DatabaseSettings(
        database_url=f"postgresql://tester@{host}",
        database_password=password,
    )

    other = await asyncpg.connect(settings.dsn())
    user = await other.fetchval("SELECT current_user")
    await other.close()
    await connection.execute("DROP ROLE tester")
    await connection.close()

    assert user == "tester"


def test_settings_do_not_change() -> None:
    settings = KafkaSettings(kafka_bootstrap_servers="k:9092")

    with pytest.raises(ValueError, match="frozen"):
        settings.kafka_bootstrap_servers = "other"  # type: ignore[misc]  # so says its type


def test_log_lines_are_json_that_carries_the_trace_the_fields_and_an_exception_in_one_line() -> None:
    script = """
import logging
from common.logs import configure, get_logger
from common.settings import LogSettings
from common.telemetry import continued, tracing
configure(LogSettings(), service="test")
log = get_logger("here")
with tracing(continued("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "request-1"), event_id=7):
    log.info("happened", count=3, odd=object)
    try:
        raise RuntimeError("two\\nlines")
    except RuntimeError:
        log.exception("failed")
    logging.getLogger("library").warning("said %s", "so")
log.debug("not shown")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    happened, failed, library = (json.loads(line) for line in done.stdout.splitlines())
    for line in (happened, failed, library):
        assert (line["service"], line["request_id"], line["event_id"]) == ("test", "request-1", "7")
        assert line["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert (happened["message"], happened["count"], happened["level"]) == ("happened", 3, "info")
    assert "RuntimeError: two" in failed["exception"]
    assert (library["message"], library["logger"]) == ("said so", "library")
