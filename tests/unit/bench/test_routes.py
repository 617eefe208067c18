import re

import pytest

from tests.bench.routes import (
    ROOT,
    TABLES_OF_PEOPLE,
    Route,
    objection,
    routes,
    statements,
)

SERVICES = ("planner", "dispatcher")


@pytest.mark.parametrize("service", SERVICES)
def test_every_statement_has_a_route_and_every_route_a_statement(service: str) -> None:
    assert set(routes(service)) == set(statements(service))


@pytest.mark.parametrize(
    ("service", "name", "route"),
    [(service, name, route) for service in SERVICES for name, route in routes(service).items()],
)
def test_a_statement_can_go_its_way(service: str, name: str, route: Route) -> None:
    assert objection(service, route, statements(service)[name]) is None


@pytest.mark.parametrize("service", SERVICES)
def test_every_key_of_a_table_of_people_names_the_person(service: str) -> None:
    """Only such a key can be enforced by one shard alone."""
    folder = ROOT / "services" / service / "migrations"
    text = "".join(path.read_text("utf-8") for path in sorted(folder.glob("*.sql")))
    for table in TABLES_OF_PEOPLE[service]:
        made = re.search(rf"CREATE TABLE {table} \((.*?)\n\)", text, re.DOTALL)
        assert made is not None, table
        assert re.search(r"person_id uuid PRIMARY KEY|PRIMARY KEY \(.*person_id", made[1]), table


@pytest.mark.parametrize(
    ("route", "statement"),
    [
        pytest.param("routed", "SELECT zone FROM recipients", id="routed but names nobody"),
        pytest.param("whole", "SELECT zone FROM recipients", id="whole but of people"),
        pytest.param("each", "SELECT day FROM days", id="each but of nobody"),
        pytest.param(
            "each",
            "SELECT plan.kind FROM plan JOIN recipients ON plan.zone = recipients.zone",
            id="people joined by something else",
        ),
    ],
)
def test_a_wrong_route_is_refused(route: Route, statement: str) -> None:
    assert objection("planner", route, statement) is not None
