#!/bin/sh
# Makes or corrects each service's database and roles, by the statements that `make up` runs too. Safe to run again.
# Usage: databases.sh FOLDER ROLES_SQL; FOLDER holds superuser.password and for each service what the statements read.
set -eu
PGPASSWORD=$(cat "$1/superuser.password")
export PGPASSWORD PGUSER=postgres PGDATABASE=postgres
for roles in "$1"/*.roles; do
  set -a
  # shellcheck source=/dev/null
  . "$roles"
  set +a
  psql --no-psqlrc --quiet --tuples-only --set=ON_ERROR_STOP=1 --file="$2"
  echo "$SERVICE has its database and roles"
done
