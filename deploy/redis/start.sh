#!/bin/sh
# Starts Redis for sessions: one user with the least rights, no writes to disk, and nothing is ever evicted: a full Redis refuses new
# logins, an evicting one would end sessions at random.
set -eu

# A secret file often ends in a line break that is not part of the password.
hash=$(tr -d '\r\n' < "${REDIS_PASSWORD_FILE:?}" | sha256sum | cut -d ' ' -f 1)
sed "s/PASSWORD_SHA256/$hash/" "${ACL_TEMPLATE:?}" > "${ACL_FILE:?}"

exec redis-server --bind "${REDIS_BIND:-* -::*}" --port "${REDIS_PORT:-6379}" --aclfile "$ACL_FILE" \
  --save '' --appendonly no \
  --maxmemory "${REDIS_MAXMEMORY:-512mb}" --maxmemory-policy noeviction
