#!/usr/bin/env bash
# Builds the image from the sources, as `docker build -f docker/Dockerfile` does, also on an engine without BuildKit.
#
#   docker/build.sh [TAG] [further arguments of `docker build`]
set -euo pipefail
cd "$(dirname "$0")/.."

tag=${1:-watershed:local}
[ $# -eq 0 ] || shift
if docker buildx version >/dev/null 2>&1; then
    exec docker build -f docker/Dockerfile -t "$tag" "$@" .
fi
# Without BuildKit there are no caches to mount; everything is compiled each time.
sed 's/--mount=[^ ]* *//' docker/Dockerfile | grep -v '^ *\\$' |
    DOCKER_BUILDKIT=0 docker build -f - -t "$tag" "$@" .
