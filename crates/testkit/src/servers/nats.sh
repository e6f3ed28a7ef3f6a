# Keeps one throw-away NATS server: obeys orders from standard input, one a line, and answers
# each with `ok` or `failed`. When the input ends, the server ends, without a trace. Arguments
# behind the directory and the program go to the server.
trap '' PIPE HUP INT TERM
dir=$1
program=$2
shift 2
port=-1
child=

# The server picks the port itself the first time and says which one it got.
start() {
    : >"$dir/log"
    "$program" --addr 127.0.0.1 --port "$port" "$@" >>"$dir/log" 2>&1 &
    child=$!
    until grep -q 'Server is ready' "$dir/log"; do
        kill -0 "$child" || return 1
        sleep 0.05
    done
    port=$(sed -n 's/.*Listening for client connections on 127\.0\.0\.1:\([0-9]*\).*/\1/p' "$dir/log")
}

stop() {
    [ -n "$child" ] || return 1
    kill -KILL "$child"
    wait "$child"
    child=
}

while read -r order; do
    case $order in
        start) start "$@" ;;
        stop) stop ;;
        *) false ;;
    esac </dev/null >>"$dir/control.log" 2>&1 && echo "ok $port" || echo failed
done

stop </dev/null >/dev/null 2>&1
cd / && rm -rf "$dir"
