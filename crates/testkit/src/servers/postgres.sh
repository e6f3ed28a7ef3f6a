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
max_wal_size = '512MB'
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

while read -r order; do
    case $order in
        start) start ;;
        stop) stop fast ;;
        crash) stop immediate ;;
        *) false ;;
    esac </dev/null >>"$dir/log" 2>&1 && echo ok || echo failed
done

stop immediate </dev/null >/dev/null 2>&1
cd / && rm -rf "$dir"
