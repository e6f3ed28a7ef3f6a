# Keeps one throw-away load balancer: obeys orders from standard input, one a line, and answers each
# with `ok` or `failed`. When the input ends, the balancer ends, without a trace. Behind the
# directory stand the balancer's name, its program, and its port.
trap '' PIPE HUP INT TERM
dir=$1
name=$2
program=$3
port=$4
child=

# In the foreground, and in one process group, so that it ends with its child.
balance() {
    case $name in
        haproxy) exec "$program" -db -f "$dir/balancer.conf" "$@" ;;
        nginx) exec "$program" -e "$dir/log" -p "$dir" -c "$dir/nginx.conf" -g 'daemon off;' "$@" ;;
    esac
}

check() {
    case $name in
        haproxy) (balance -c) ;;
        nginx) (balance -t) ;;
    esac
}

# Somebody listens on the port: the kernel's list says so in hexadecimal, with the state 0A.
listens() {
    grep -qi ":$(printf '%04x' "$port") [0-9a-f]*:0000 0A" /proc/net/tcp
}

# Who ignores a signal hands that down; the balancer has to hear it.
start() {
    (trap - TERM && balance) >>"$dir/log" 2>&1 &
    child=$!
    until listens; do
        kill -0 "$child" || return 1
        sleep 0.05
    done
}

stop() {
    [ -n "$child" ] || return 1
    kill -TERM "$child"
    wait "$child"
    child=
}

while read -r order; do
    case $order in
        start) start ;;
        check) check ;;
        *) false ;;
    esac </dev/null >>"$dir/log" 2>&1 && echo ok || echo failed
done

stop </dev/null >/dev/null 2>&1
cd / && rm -rf "$dir"
