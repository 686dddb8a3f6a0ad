#!/usr/bin/env bash
# Makes the base images under their usual names from Debian's packages, for machines that reach no registry. Whoever
# reaches one needs nothing of this: the engine pulls the images by the same names.
#
#   docker/base-images.sh [debian] [postgres] [rust]      (default: debian and postgres)
#
# It needs `mmdebstrap` (or `debootstrap`) and root, or a user who may make namespaces. DEBIAN_MIRROR is where packages come from.
set -euo pipefail

mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
here=$(cd "$(dirname "$0")" && pwd)

# Puts a Debian of a suite, with packages, under a name: `bootstrap NAME SUITE PACKAGES [changes of `docker import`]`.
bootstrap() {
    local name=$1 suite=$2 packages=$3
    shift 3
    if docker image inspect "$name" >/dev/null 2>&1; then
        echo "$name: is there"
        return
    fi
    if command -v mmdebstrap >/dev/null; then
        # As in the image of that name: no manuals, no catalogues, no lists of packages.
        mmdebstrap --quiet --variant=minbase --include="$packages" \
            --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
            --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
            "$suite" - "$mirror" | docker import "$@" - "$name" >/dev/null
    elif command -v debootstrap >/dev/null; then
        local folder
        folder=$(mktemp -d)
        debootstrap --variant=minbase --include="$packages" "$suite" "$folder/root" "$mirror"
        tar -C "$folder/root" --exclude=./var/cache/apt --exclude=./usr/share/doc --exclude=./usr/share/man -c . |
            docker import "$@" - "$name" >/dev/null
        rm -rf --one-file-system "$folder"
    else
        echo "neither mmdebstrap nor debootstrap is here: install one (apt-get install mmdebstrap)" >&2
        exit 1
    fi
    echo "$name: made"
}

debian() {
    bootstrap debian:bookworm-slim bookworm ca-certificates --change 'CMD ["bash"]'
}

# The server, with an entrypoint that knows the variables that `compose.yaml` uses.
postgres() {
    if docker image inspect postgres:17 >/dev/null 2>&1; then
        echo "postgres:17: is there"
        return
    fi
    bootstrap watershed-base:postgres trixie postgresql-17,ca-certificates
    local context
    context=$(mktemp -d)
    cp "$here/postgres-entrypoint.sh" "$context/"
    cat >"$context/Dockerfile" <<'END'
FROM watershed-base:postgres
ENV PATH=/usr/lib/postgresql/17/bin:$PATH PGDATA=/var/lib/postgresql/data LANG=C.UTF-8
COPY postgres-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
RUN install -d -o postgres -g postgres -m 0700 /var/lib/postgresql/data \
    && install -d -o postgres -g postgres -m 2775 /var/run/postgresql
VOLUME /var/lib/postgresql/data
EXPOSE 5432
USER postgres
STOPSIGNAL SIGINT
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
END
    DOCKER_BUILDKIT=0 docker build --quiet -t postgres:17 "$context" >/dev/null
    rm -r "$context"
    echo "postgres:17: made"
}

# A toolchain to build with: Debian's compilers and the Rust toolchain of this machine.
rust() {
    if docker image inspect rust:1.90-bookworm >/dev/null 2>&1; then
        echo "rust:1.90-bookworm: is there"
        return
    fi
    bootstrap watershed-base:compilers bookworm ca-certificates,gcc,g++,make,pkg-config,libc6-dev
    local toolchain
    toolchain=$(rustc --print sysroot)
    tar -C "$toolchain" --exclude=./share -c . | docker import - watershed-base:toolchain >/dev/null
    local context
    context=$(mktemp -d)
    # Whom this machine trusts: where packages come through a gateway, that has a certificate of its own.
    cp /etc/ssl/certs/ca-certificates.crt "$context/"
    printf '%s\n' \
        'FROM watershed-base:compilers' \
        'COPY --from=watershed-base:toolchain / /usr/local/rustup/' \
        'COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt' \
        'ENV CARGO_HOME=/usr/local/cargo PATH=/usr/local/rustup/bin:$PATH' >"$context/Dockerfile"
    DOCKER_BUILDKIT=0 docker build --quiet -t rust:1.90-bookworm "$context" >/dev/null
    rm -r "$context"
    echo "rust:1.90-bookworm: made, of $(rustc --version)"
}

[ $# -gt 0 ] || set -- debian postgres
for image in "$@"; do
    case $image in
    debian | postgres | rust) "$image" ;;
    *) echo "there are debian, postgres and rust, and no $image" >&2; exit 2 ;;
    esac
done
