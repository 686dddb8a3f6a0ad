#!/usr/bin/env bash
# Hurts a cluster of containers while it works, and proves that nothing was lost or doubled.
#
#   docker/hurt.sh [HARM...]        (default: all of them)
#
#   kill-worker, kill-leader, kill-two, kill-all              SIGKILL; what was killed is started again
#   part-worker, part-leader                                  the network is taken away for as long as PART says
#   pause-worker, pause-leader                                the processes stand still as long
#   stop-worker, stop-leader                                  SIGTERM: the node leaves, and is started again
#
# Each harm has a job of its own: `flight-delays` over January 2013, read slowly enough to be harmed. It is submitted,
# harmed when it has a checkpoint, and has to end with the same five files, their lines sorted, as a run in one process
# that nobody disturbed; and every checkpoint that it has left has to be a consistent cut. What is printed is how long it took from
# the harm to the first checkpoint that was completed behind it.
#
# With PIPELINE=two-phase-commit the job books a ledger in PostgreSQL, by prepared transactions, and in files at the same
# time; it has to be in both once, in order, and nothing may be left prepared.
#
# The cluster is a project of its own (PROJECT), and is gone in the end, with its networks and volumes; KEEP=1 leaves it.
# It takes the image NODE_IMAGE (watershed:local), which `docker/build.sh` or `docker/build-local.sh` makes.
set -euo pipefail
cd "$(dirname "$0")"

export NODE_IMAGE=${NODE_IMAGE:-watershed:local}
# Ports that nobody else has: whatever the engine finds.
export NODE_PORT_1='' NODE_PORT_2='' NODE_PORT_3=''
# As many as a job asks for, so that each node has a part of it, however busy it is.
export NODE_SLOTS=1
project=${PROJECT:-watershed-hurt}
pipeline=${PIPELINE:-flight-delays}
rate=${RATE:-1200}             # records a second, of 27,004 flights, or of as many entries
events=27004
part=${PART:-6}                # seconds without a network, or of standing still
interval=${INTERVAL:-250ms}    # from one checkpoint to the next
patience=${PATIENCE:-180}      # seconds that anything may take
reports=(hourly carriers rotations weather top_routes)
harms=("$@")
((${#harms[@]})) || harms=(kill-worker kill-leader kill-two kill-all part-worker part-leader pause-worker pause-leader stop-worker stop-leader)

if docker compose version >/dev/null 2>&1; then compose=(docker compose); else compose=(docker-compose); fi
compose+=(-f compose.yaml -p "$project")
client=$project-client
failed=0

say() { printf '%s\n' "$*"; }
die() { printf 'hurt: %s\n' "$*" >&2; exit 1; }
command -v python3 >/dev/null || die "python3 reads what the cluster answers: install it"

tear_down() {
    [ -z "${KEEP:-}" ] || return 0
    docker rm -f -v "$client" >/dev/null 2>&1 || true
    # What stands still cannot be removed.
    docker ps -q --filter "label=com.docker.compose.project=$project" --filter status=paused | xargs -r docker unpause >/dev/null || true
    "${compose[@]}" down -v --timeout 1 >/dev/null 2>&1 || true
}

# The command line, in a container that nobody harms, which asks those nodes that are not harmed at the moment.
all_urls=http://n1:7180,http://n2:7180,http://n3:7180
urls=$all_urls
ask() { docker exec --env WATERSHED_NODE_URL="$urls" "$client" watershed "$@"; }
# A value out of JSON on standard input, by a Python expression over `it`; empty where that is None or there is no JSON.
of() { python3 -c '
import json, sys
try:
    it = json.load(sys.stdin)
    found = eval(sys.argv[1], {"it": it})
except (ValueError, KeyError, IndexError, TypeError, StopIteration):
    found = None
print("" if found is None else found)' "$1"; }
status() { ask status "$1" --json 2>/dev/null | of "$2"; }
seconds() { date +%s.%N; }

# Waits until a command prints something: `wait_for WHAT COMMAND...`.
wait_for() {
    local what=$1 until=$((SECONDS + patience)) found
    shift
    while :; do
        found=$("$@") || found=
        [ -z "$found" ] || { printf '%s' "$found"; return 0; }
        ((SECONDS < until)) || die "$what: not within $patience s"
        sleep 0.1
    done
}

nodes_alive() { ask nodes --json 2>/dev/null | of 'sum(n["alive"] for n in it["nodes"]) == int("'"$1"'") or None'; }
leader() { ask nodes --json 2>/dev/null | of 'next(n["node"] for n in it["nodes"] if n["leader"])'; }
# A node that has subtasks of the job and does not lead; a mere worker, if there is one.
worker() {
    local leads
    leads=$(leader)
    status "$1" 'sorted((n for n in it["slots"] if n != "'"$leads"'"), key=lambda n: n in ("n1", "n2", "n3"))[0]'
}
# The container of a node: a worker's node has the name of its container's host, which is the container's number.
declare -A containers
container() { printf '%s' "${containers[$1]:-$1}"; }
network=${project}_cluster

# The first checkpoint that is completed once a later run has been seen, in seconds since a moment, as nearly as asking
# again and again can tell: `completed JOB RUN MOMENT`.
later=
completed() {
    local run age ended now
    read -r run age ended < <(status "$1" '(it["run"] or 0, it["checkpoints"]["age_seconds"] or "-", it["state"] in ("finished", "failed", "cancelled"))' | tr -d "(),'")
    now=$(seconds)
    if [ -z "$later" ] && ((${run:-0} > $2)); then
        later=$now
    fi
    if [ "${ended:-}" = True ]; then
        recovery=-
    elif [ -n "$later" ] && [ "${age:--}" != - ]; then
        recovery=$(python3 -c 'import sys; now, age, later, harm = map(float, sys.argv[1:]); at = now - age; print(f"{at - harm:.1f}" if at > later else "")' "$now" "$age" "$later" "$3")
    fi
    [ -n "$recovery" ]
}

# Says which nodes a harm is for, in `names`: `choose HARM JOB`. On a busy machine somebody may be about to be elected, or a
# run to begin.
choose() {
    local leads works
    leads=$(wait_for "a leader" leader)
    works=$(wait_for "a worker of $2" worker "$2")
    case $1 in
    *-all) names=(n1 n2 n3 worker) ;;
    *-two) names=("$leads" "$works") ;;
    *-worker) names=("$works") ;;
    *-leader) names=("$leads") ;;
    *) die "there is no harm $1" ;;
    esac
    local name
    victims=()
    urls=$all_urls,
    for name in "${names[@]}"; do
        [ -n "$name" ] || die "nobody to harm"
        victims+=("$(container "$name")")
        urls=${urls/http:\/\/$name:7180,/}
    done
    urls=${urls%,}
    # Where nobody is left, those are asked that come back.
    urls=${urls:-$all_urls}
}

strike() {
    case $1 in
    kill-*) docker kill "${victims[@]}" >/dev/null ;;
    part-*) docker network disconnect "$network" "${victims[0]}" ;;
    pause-*) docker pause "${victims[0]}" >/dev/null ;;
    stop-*)
        started=$(docker inspect --format '{{.State.StartedAt}}' "${victims[0]}")
        docker kill --signal TERM "${victims[0]}" >/dev/null ;;
    esac
}

# Whether a container has ended since it was asked to; the engine may have started it again.
has_ended() {
    local now
    now=$(docker inspect --format '{{.State.Running}} {{.State.StartedAt}}' "$1")
    [ "$now" = "true $started" ] || printf ended
}

heal() {
    local victim alias
    for victim in "${victims[@]}"; do
        case $1 in
        kill-*) docker start "$victim" >/dev/null ;;
        part-*)
            alias=$(docker inspect --format '{{index .Config.Labels "com.docker.compose.service"}}' "$victim")
            docker network connect --alias "$alias" "$network" "$victim" ;;
        pause-*) docker unpause "$victim" >/dev/null ;;
        stop-*)
            wait_for "the end of a node that was asked to leave" has_ended "$victim" >/dev/null
            docker start "$victim" >/dev/null ;;
        esac
    done
}

sql() { "${compose[@]}" exec -T postgres psql -U watershed -d ledger -qAt -v ON_ERROR_STOP=1 -c "$1"; }

answers() { sql 'SELECT 1' 2>/dev/null; }

submit() {
    local set=(--set "output=out/$1" --set "rate=$rate")
    if [ "$pipeline" = two-phase-commit ]; then
        # A table is one job's.
        sql 'DROP TABLE IF EXISTS ledger, stream_fence, stream_commit' 2>/dev/null
        set+=(--set "events=$events" --set database=postgresql://watershed:watershed@postgres/ledger)
    fi
    ask submit "$pipeline" --name "$1" --parallelism 4 --checkpoint-interval "$interval" "${set[@]}" >/dev/null
}

# Whether a job has written what it has to, and once.
same() {
    if [ "$pipeline" = two-phase-commit ]; then same_ledger "$1"; else same_reports "$1"; fi
}

same_reports() {
    local report
    for report in "${reports[@]}"; do
        docker exec "$client" sh -c "sort out/whole/$report.csv >/tmp/whole; sort out/$1/$report.csv | cmp - /tmp/whole" ||
            { say "  $1: $report is not what an undisturbed run writes"; return 1; }
    done
}

same_ledger() {
    local rows files found
    rows=$(sql 'SELECT count(*), count(DISTINCT (partition, "offset")) FROM ledger')
    files=$(docker exec "$client" sh -c "cat out/$1/ledger/*.jsonl" | python3 -c '
import json, sys
entries = [json.loads(line) for line in sys.stdin]
print(len(entries), len({(entry["partition"], entry["offset"]) for entry in entries}), sep="|")')
    # The so-manieth entry of its key says so.
    found=$(sql 'SELECT count(*) FROM (SELECT "count", row_number() OVER (PARTITION BY "key" ORDER BY "count") AS place FROM ledger) AS entries WHERE "count" <> place')
    found+=/$(sql 'SELECT count(*) FROM pg_prepared_xacts')
    [ "$rows/$files/$found" = "$events|$events/$events|$events/0/0" ] ||
        { say "  $1: rows and different ones in the table: $rows, in files: $files; out of order / left prepared: $found"; return 1; }
}

# Every checkpoint that is left is proved.
proved() {
    ask checkpoints "$1" --json | of 'all(c["certificate"] != "violated" for c in it["checkpoints"]) and len(it["checkpoints"]) or None'
}

hurt() {
    local name=$1 job=$1 moment until state run before
    wait_for "all nodes" nodes_alive 4 >/dev/null
    submit "$job"
    wait_for "a checkpoint of $job" status "$job" 'it["checkpoints"]["newest"]' >/dev/null
    sleep 1
    before=$(status "$job" 'it["run"]')
    choose "$name" "$job"
    until=$((SECONDS + patience))
    moment=$(seconds)
    strike "$name"
    case $name in
    kill-all) sleep 1; heal "$name" ;;
    part-* | pause-*) (sleep "$part"; heal "$name") & ;;
    esac
    recovery='' later=''
    until completed "$job" "$before" "$moment"; do
        ((SECONDS < until)) || die "no checkpoint of $job behind the harm within $patience s"
        sleep 0.1
    done
    case $name in
    part-* | pause-*) wait ;;
    kill-worker | kill-leader | kill-two | stop-*) heal "$name" ;;
    esac
    urls=$all_urls
    state=$(wait_for "the end of $job" status "$job" 'it["state"] if it["state"] in ("finished", "failed", "cancelled") else None')
    run=$(status "$job" 'it["run"]')
    if [ "$state" != finished ]; then
        say "$name: the job $state: $(status "$job" 'it["reason"]')"
        failed=1
    elif same "$job"; then
        say "$name: first checkpoint $recovery s behind the harm, run $before before and $run at the end; same output; $(proved "$job") checkpoints proved"
    else
        failed=1
    fi
    ((failed == 0)) || "${compose[@]}" logs --no-color --tail 40 n1 n2 n3 worker >&2
}

docker image inspect "$NODE_IMAGE" >/dev/null 2>&1 ||
    die "there is no image $NODE_IMAGE: docker/build.sh makes it, or docker/build-local.sh from a binary built here"
trap tear_down EXIT
tear_down
services=(n1 n2 n3 worker)
[ "$pipeline" != two-phase-commit ] || services+=(postgres)
"${compose[@]}" up -d --no-build --scale worker=1 "${services[@]}" >/dev/null 2>&1 || die "the cluster does not start"
for node in n1 n2 n3 worker; do
    containers[$node]=$("${compose[@]}" ps -q "$node")
done
docker run -d --name "$client" --network "$network" --volume "${project}_out:/watershed/out" --no-healthcheck \
    --entrypoint sleep "$NODE_IMAGE" infinity >/dev/null
[ "$pipeline" = two-phase-commit ] || docker exec "$client" watershed run flight-delays --quiet --set output=out/whole >/dev/null
[ "$pipeline" != two-phase-commit ] || wait_for "the database" answers >/dev/null
for name in "${harms[@]}"; do
    hurt "$name"
done
exit "$failed"
