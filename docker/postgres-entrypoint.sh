#!/usr/bin/env bash
# Starts PostgreSQL, and founds its database first where there is none: the part of the usual image's entrypoint that
# `compose.yaml` relies on, which is POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB.
set -euo pipefail

user=${POSTGRES_USER:-postgres}
database=${POSTGRES_DB:-$user}
if [ "${1:-}" != postgres ]; then
    exec "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    : "${POSTGRES_PASSWORD:?say which password the database is to have}"
    initdb --username="$user" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") --auth-local=trust \
        --auth-host=scram-sha-256 --encoding=UTF8 >/dev/null
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
    # Without a port, so that nobody finds it before it is whole.
    pg_ctl --wait --options="-c listen_addresses=''" start >/dev/null
    if [ "$database" != postgres ]; then
        createdb --username="$user" --owner="$user" "$database"
    fi
    pg_ctl --wait --mode=fast stop >/dev/null
fi
exec "$@" -c listen_addresses='*'
