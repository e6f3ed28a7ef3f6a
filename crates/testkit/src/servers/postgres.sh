# Keeps one throw-away PostgreSQL cluster: obeys orders from standard input, one a line, and
# answers each with `ok` or `failed`. When the input ends, the cluster ends, without a trace.
trap '' PIPE HUP INT TERM
dir=$1
bin=$2
port=$3
# The port of the server that this one follows, if it follows one.
primary=$4

create() {
    if [ -n "$primary" ]; then
        follow
        return
    fi
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
    [ ! -e "$dir/server.crt" ] || protect
}

# Speaks TLS, with what was put beside the data, and asks for certificates if there is an authority.
protect() {
    cat >>"$dir/data/postgresql.conf" <<CONF
ssl = on
ssl_cert_file = '$dir/server.crt'
ssl_key_file = '$dir/server.key'
CONF
    [ ! -s "$dir/clients.crt" ] ||
        echo "ssl_ca_file = '$dir/clients.crt'" >>"$dir/data/postgresql.conf"
    cat "$dir/rules" "$dir/data/pg_hba.conf" >"$dir/hba" && mv "$dir/hba" "$dir/data/pg_hba.conf"
}

# A copy of the primary, which streams from it from now on.
follow() {
    "$bin/pg_basebackup" --host=127.0.0.1 --port="$primary" --username=postgres --no-password \
        --pgdata="$dir/data" --checkpoint=fast --wal-method=stream --no-sync \
        --write-recovery-conf || return 1
    echo "port = $port" >>"$dir/data/postgresql.conf"
}

# Under the name that the order has behind it.
create_database() {
    "$bin/createdb" --host=127.0.0.1 --port="$port" --username=postgres --no-password \
        --template=template0 --encoding=UTF8 --locale=C "$1"
}

# As many as `*` names: one of them has to have a commit on disk before it is acknowledged.
synchronous() {
    echo "synchronous_standby_names = '*'" >>"$dir/data/postgresql.conf"
    reload
}

reload() {
    "$bin/pg_ctl" reload --silent --pgdata="$dir/data"
}

asynchronous() {
    echo "synchronous_standby_names = ''" >>"$dir/data/postgresql.conf"
    "$bin/pg_ctl" reload --silent --pgdata="$dir/data"
}

promote() {
    "$bin/pg_ctl" promote --wait --timeout=60 --silent --pgdata="$dir/data"
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
while read -r order name; do
    case $order in
        start) if $killed; then killed=false; start_again; else start; fi ;;
        stop) stop fast ;;
        crash) stop immediate ;;
        synchronous) synchronous ;;
        asynchronous) asynchronous ;;
        reload) reload ;;
        promote) promote ;;
        database) create_database "$name" ;;
        kill) killed=true; kill_first ;;
        *) false ;;
    esac </dev/null >>"$dir/log" 2>&1 && echo ok || echo failed
done

stop immediate </dev/null >/dev/null 2>&1
cd / && rm -rf "$dir"
