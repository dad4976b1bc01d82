#!/usr/bin/env bash
# Builds the images from the Dockerfile as it stands, lays them out as folders, and runs the tests of test/image on them: contents, rights,
# health, drain, sign-in, and the services of docker-compose.yml. Asks no registry for the base image: where it is not on this machine already,
# nothing is built, and this says so. `--stand-in` makes one in its place, of Debian and the project's own Node.js: that is not the musl of the
# real one, but everything that the Dockerfile does is done.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

leave_out() {
  echo "The image is left out: $1." >&2
  exit 0
}

[[ $(uname) == Linux && $(id -u) == 0 ]] || leave_out 'building and running it takes root on Linux'
command -v buildah > /dev/null || leave_out 'buildah is not installed'

node_version=$(sed -n 's/^ARG NODE_VERSION=//p' Dockerfile)
base=node:$node_version-alpine
folder=$(mktemp -d)
containers=()
trap 'for each in "${containers[@]}"; do buildah rm "$each" > /dev/null; done; rm -rf "$folder"' EXIT

make_stand_in() {
  local root=$folder/base npm container
  debootstrap --variant=minbase stable "$root" > "$folder/debootstrap.log" || { tail "$folder/debootstrap.log" >&2; exit 1; }
  npm=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
  cp node_modules/node/bin/node "$root/usr/local/bin/node"
  mkdir -p "$root/usr/local/lib/node_modules"
  cp -r "$npm" "$root/usr/local/lib/node_modules/npm"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
  ln -s ../lib/node_modules/npm/bin/npx-cli.js "$root/usr/local/bin/npx"
  # npm asks its registry over TLS.
  mkdir -p "$root/etc/ssl/certs"
  cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
  chroot "$root" groupadd --gid 1000 node
  chroot "$root" useradd --uid 1000 --gid node --create-home node
  rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/*
  container=$(buildah from scratch)
  buildah add --quiet "$container" "$root" / > /dev/null
  buildah config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin --env NODE_VERSION="$node_version" \
    --env NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt --cmd node "$container"
  buildah commit --quiet --rm "$container" "$base" > /dev/null
  rm -rf "$root"
}

if ! buildah inspect --type image "$base" > /dev/null 2>&1; then
  [[ ${1:-} == --stand-in ]] || leave_out "$base is not on this machine ('buildah pull $base' where there is a registry, or --stand-in)"
  command -v debootstrap > /dev/null || leave_out 'debootstrap is not installed'
  make_stand_in
fi

for stage in coatcheck demo; do
  buildah build --layers --isolation chroot --pull-never --format docker --target "$stage" --tag "coatcheck-ci-$stage" .
  container=$(buildah from --pull-never "coatcheck-ci-$stage")
  containers+=("$container")
  buildah mount "$container" > "$folder/$stage.root"
  buildah inspect --type image "coatcheck-ci-$stage" > "$folder/$stage.json"
  echo "$stage: $(du -sm "$(< "$folder/$stage.root")/app" | cut -f 1) MB beyond the base image"
done

COATCHECK_IMAGES=$folder npx vitest run --maxWorkers=1 test/image
