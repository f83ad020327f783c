#!/bin/bash
# Makes the users of users.sql with passwords from files: an init script of ClickHouse's image, which runs it once, over
# an empty folder of data. Passwords go to the server as SHA-256, so no log of statements holds one.
# SECRETS_DIR  clickhouse_reader_password, clickhouse_writer_password, clickhouse_migrator_password, clickhouse_admin_password
# USERS_SQL    the statements
set -euo pipefail

secrets=${SECRETS_DIR:-/run/secrets}
statements=$(<"${USERS_SQL:-/etc/attribution/users.sql}")

for role in reader writer migrator; do
    password=$(<"$secrets/clickhouse_${role}_password")
    if [ -z "$password" ]; then
        echo "$secrets/clickhouse_${role}_password is empty: write a long random text into it" >&2
        exit 1
    fi
    digest=$(printf '%s' "$password" | sha256sum | cut -d' ' -f1)
    statements=${statements//"sha256_password BY 'CHANGE_ME_$role'"/"sha256_hash BY '$digest'"}
done
if [[ $statements == *CHANGE_ME_* ]]; then
    echo "users.sql names a user whose password is in no file" >&2
    exit 1
fi

CLICKHOUSE_PASSWORD=$(<"$secrets/clickhouse_admin_password") \
    clickhouse-client --host 127.0.0.1 --user "${CLICKHOUSE_USER:-admin}" --multiquery <<<"$statements"
