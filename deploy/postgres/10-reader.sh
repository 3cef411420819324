#!/bin/sh
# The role that Grafana and analysts read with. The historian grants it what it may see, when it makes the schema.
set -eu
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" --set password="$READER_PASSWORD" <<'SQL'
CREATE ROLE monazite_reader LOGIN PASSWORD :'password';
ALTER ROLE monazite_reader SET default_transaction_read_only = on;
ALTER ROLE monazite_reader SET statement_timeout = '15s';
SQL
