"""What `.env` and the environment say, and what is refused."""

from pathlib import Path

import pytest

from devstack.settings import DEFAULT_PORTS, SettingsInvalid, read_settings


def test_without_any_variable_the_defaults_hold(tmp_path: Path) -> None:
    settings = read_settings(tmp_path, {})
    assert (settings.state_dir, settings.ports) == (tmp_path / ".comptoir", DEFAULT_PORTS)
    assert settings.foreign.postgres_url is None


def test_the_environment_wins_over_the_file_and_empty_means_unset(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "COMPTOIR_GATEWAY_PORT=9001\nCOMPTOIR_SINK_PORT=9002\nCOMPTOIR_REDIS_URL=redis://elsewhere\n"
    )
    settings = read_settings(tmp_path, {"COMPTOIR_GATEWAY_PORT": "9003", "COMPTOIR_REDIS_URL": ""})
    assert (settings.ports.gateway, settings.ports.sink) == (9003, 9002)
    assert settings.foreign.redis_url is None


def test_variables_of_a_service_are_taken_from_the_file_only(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("BOOKING_DATABASE__POOL_SIZE=10\nCOMPTOIR_SINK_PORT=9002\n")
    settings = read_settings(tmp_path, {"AUTH_TOKEN": "of another program"})
    assert settings.overrides["booking"] == {"BOOKING_DATABASE__POOL_SIZE": "10"}
    assert settings.overrides["auth"] == {}


def test_a_switch_is_on_or_off(tmp_path: Path) -> None:
    assert [read_settings(tmp_path, {"COMPTOIR_SEED": text}).seed for text in ("on", "off", "")] == [
        True,
        False,
        True,
    ]
    with pytest.raises(SettingsInvalid, match="COMPTOIR_SEED must be on or off"):
        read_settings(tmp_path, {"COMPTOIR_SEED": "maybe"})


@pytest.mark.parametrize("text", ["0", "65536", "-1", "many", "80.5"])
def test_a_port_that_is_none_is_refused_by_name(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsInvalid, match="COMPTOIR_STRIPE_PORT"):
        read_settings(tmp_path, {"COMPTOIR_STRIPE_PORT": text})


def test_a_port_used_twice_is_refused_also_inside_a_block(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsInvalid, match=r"COMPTOIR_RPC_PORT and COMPTOIR_GATEWAY_PORT both use port 7003"
    ):
        read_settings(tmp_path, {"COMPTOIR_GATEWAY_PORT": "7003"})


@pytest.mark.parametrize(
    ("port", "variable"),
    [
        (8080, "COMPTOIR_GATEWAY_PORT"),
        (7002, "COMPTOIR_RPC_PORT"),
        (7107, "COMPTOIR_ADMIN_PORT"),
        (7108, "COMPTOIR_ADMIN_PORT"),
        (1025, "COMPTOIR_SMTP_PORT"),
    ],
)
def test_each_port_knows_its_variable(port: int, variable: str) -> None:
    assert DEFAULT_PORTS.variable_for(port) == variable


def test_the_example_file_names_every_variable_with_its_default(tmp_path: Path) -> None:
    example = Path(__file__).parents[3] / ".env.example"
    uncommented = [
        line.removeprefix("# ") for line in example.read_text().splitlines() if line.startswith("# COMPTOIR_")
    ]
    (tmp_path / ".env").write_text("\n".join(uncommented))
    settings = read_settings(tmp_path, {})
    assert settings.ports == DEFAULT_PORTS
    assert len([line for line in uncommented if "_PORT=" in line]) == len(DEFAULT_PORTS.__slots__)
    assert settings.state_dir == tmp_path / ".comptoir"
    assert settings.foreign.kafka_bootstrap is not None
