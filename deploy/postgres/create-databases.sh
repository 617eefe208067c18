#!/bin/sh
# Run once by the PostgreSQL image in a new data folder: one role and database per service.
set -eu

prepare() {
    JUBILEE_ROLE="$1" JUBILEE_ROLE_PASSWORD="$2" \
        psql -X -q -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -f "/jubilee/$3"
}

prepare jubilee_user "$JUBILEE_USER_PASSWORD" service.sql
prepare jubilee_planner "$JUBILEE_PLANNER_PASSWORD" service.sql
prepare jubilee_dispatcher "$JUBILEE_DISPATCHER_PASSWORD" service.sql
if [ -n "${JUBILEE_TEST_PASSWORD:-}" ]; then
    prepare jubilee_test "$JUBILEE_TEST_PASSWORD" tests.sql
fi
