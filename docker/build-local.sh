#!/usr/bin/env bash
# Builds the binary here and puts it into an image: for tests, and for machines that reach no registry.
#
#   docker/build-local.sh [release|debug] [TAG]
#
# The binary needs a system C library no newer than the image's: build on Debian 12 or something as old. A
# binary that is there already is taken with NODE_BINARY=path.
set -euo pipefail
cd "$(dirname "$0")/.."

profile=${1:-release}
tag=${2:-watershed:local}
case $profile in
release) flags=(--release) ;;
debug) flags=() ;;
*) echo "the profile is release or debug, not $profile" >&2; exit 2 ;;
esac

docker image inspect debian:bookworm-slim >/dev/null 2>&1 || docker/base-images.sh debian
binary=${NODE_BINARY:-}
if [ -z "$binary" ]; then
    cargo build --locked --bin watershed "${flags[@]}"
    binary=${CARGO_TARGET_DIR:-target}/$profile/watershed
fi

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
# What helps a debugger is most of the binary, and nobody debugs in there.
strip --strip-debug -o "$context/watershed" "$binary" 2>/dev/null || cp "$binary" "$context/watershed"
cp -r examples/data "$context/data"
DOCKER_BUILDKIT=0 docker build --quiet -f docker/Dockerfile.local -t "$tag" "$context"
