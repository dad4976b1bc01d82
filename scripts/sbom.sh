#!/usr/bin/env bash
# Prints what the image and an installed package consist of (CycloneDX, or what is named: `npm run -s sbom -- spdx`), by the lock file alone.
# `npm sbom --omit dev` by itself leaves out every package that development tools need as well.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cp package.json package-lock.json .npmrc "$folder"
cd "$folder"
npm pkg delete devDependencies
npm install --package-lock-only --ignore-scripts --offline --no-audit --no-fund --loglevel error > /dev/null
npm sbom --package-lock-only --sbom-format "${1:-cyclonedx}"
