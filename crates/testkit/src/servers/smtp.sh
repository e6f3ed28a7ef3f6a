# Keeps one throw-away mail server: obeys orders from standard input, one a line, and answers each
# with `ok` or `failed`. When the input ends, the server ends, without a trace. Behind the directory
# stand the interpreter, the program, and what it is told behind directory and port.
trap '' PIPE HUP INT TERM
dir=$1
python=$2
program=$3
shift 3
port=0
child=

# The server picks the port itself the first time and says which one it got.
start() {
    rm -f "$dir/port"
    "$python" -c "$program" "$dir" "$port" "$@" >>"$dir/log" 2>&1 &
    child=$!
    until [ -e "$dir/port" ]; do
        kill -0 "$child" || return 1
        sleep 0.05
    done
    port=$(cat "$dir/port")
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
