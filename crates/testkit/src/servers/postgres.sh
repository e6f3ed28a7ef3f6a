# Keeps one throw-away PostgreSQL cluster: obeys orders from standard input, one a line, and
# answers each with `ok` or `failed`. When the input ends, the cluster ends, without a trace.
trap '' PIPE HUP INT TERM
dir=$1
bin=$2
port=$3

create() {
    "$bin/initdb" --pgdata="$dir/data" --username=postgres --auth=trust \
        --encoding=UTF8 --locale=C --no-sync --no-instructions || return 1
    cat >>"$dir/data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = ''
max_connections = 400
shared_buffers = '32MB'
min_wal_size = '80MB'
max_wal_size = '6GB'
checkpoint_timeout = '1h'
fsync = on
jit = off
timezone = 'UTC'
CONF
}

start() {
    [ -e "$dir/data/PG_VERSION" ] || create || return 1
    "$bin/pg_ctl" start --wait --timeout=60 --silent --pgdata="$dir/data" --log="$dir/log"
}

stop() {
    "$bin/pg_ctl" stop --wait --timeout=60 --silent --pgdata="$dir/data" --mode="$1"
}

# Whoever is killed removes nothing. The others of the server see it and end, one by one; only then
# may a new one start, and it finds out by itself whether they have.
kill_first() {
    first=$(head -n 1 "$dir/data/postmaster.pid") && kill -KILL "$first" || return 1
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        kill -0 "$first" || return 0
        sleep 0.1
    done
}

start_again() {
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        start && return 0
        sleep 0.2
    done
    return 1
}

killed=false
while read -r order; do
    case $order in
        start) if $killed; then killed=false; start_again; else start; fi ;;
        stop) stop fast ;;
        crash) stop immediate ;;
        kill) killed=true; kill_first ;;
        *) false ;;
    esac </dev/null >>"$dir/log" 2>&1 && echo ok || echo failed
done

stop immediate </dev/null >/dev/null 2>&1
cd / && rm -rf "$dir"
