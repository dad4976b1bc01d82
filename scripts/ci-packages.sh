#!/usr/bin/env bash
# Installs the system packages that the tests use, those that are missing only: a Redis, browsers, proxies, and a second opinion on signatures.
set -euo pipefail

missing=()
want() {
  local command_name=$1 package=$2
  command -v "$command_name" > /dev/null || missing+=("$package")
}

want redis-server redis-server
want chromium chromium
want firefox-esr firefox-esr
# WebKitGTK's small browser comes with its driver; it wants a display, and Xvfb is one that nobody sees.
want WebKitWebDriver webkit2gtk-driver
want Xvfb xvfb
want nginx nginx-light
want openssl openssl
want haproxy haproxy
want caddy caddy
python3 -c 'import cryptography' 2> /dev/null || missing+=(python3-cryptography)
/usr/bin/python3 -c 'import jwt' 2> /dev/null || missing+=(python3-jwt)
/usr/bin/python3 -c 'import authlib' 2> /dev/null || missing+=(python3-authlib)

((${#missing[@]} == 0)) && exit 0

if [[ $(id -u) != 0 ]] || ! command -v apt-get > /dev/null; then
  echo "Missing: ${missing[*]}. Install them, or run this as root on Debian or Ubuntu." >&2
  exit 1
fi

export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# Packages must not start services on a build machine: the tests start their own.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
  printf '#!/bin/sh\nexit 101\n' > "$policy"
  chmod +x "$policy"
  trap 'rm -f "$policy"' EXIT
fi
apt-get install -y -qq --no-install-recommends "${missing[@]}"
