#!/usr/bin/env bash
# Installs the example from packed tarballs into an empty folder, as a user would, and runs its test.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
npm pack --silent --pack-destination "$folder" > /dev/null
cp -r examples/react-express "$folder/app"
cd "$folder/app"
npm install --no-audit --no-fund --prefer-offline
npm install --no-save --no-audit --no-fund --prefer-offline "$folder"/coatcheck-*.tgz
npm run build
npm test
