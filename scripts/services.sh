#!/usr/bin/env bash
# Runs a PostgreSQL and a Redis for development and tests, beside and apart from any that the system runs:
#
#   services.sh start    starts both (does nothing when they run)      services.sh status   says what runs; 3 when not all does
#   services.sh stop     stops both; their data stays                  services.sh env      prints the settings for the test suites
#
# Uses the distribution's packages and installs nothing. Each service has a data folder of its own, listens on 127.0.0.1 only,
# has a generated password in a file of mode 0600, and runs as an unprivileged user also when root calls this. Several calls at once
# wait for each other.
#
#   NOVACRON_SERVICES_DIR    data folder (default: ~/.cache/novacron/services, for root /var/cache/novacron/services, since
#                            the unprivileged users cannot enter /root)
#   NOVACRON_POSTGRES_PORT   default 15432              NOVACRON_REDIS_PORT   default 16379
set -euo pipefail
umask 077

pg_port=${NOVACRON_POSTGRES_PORT:-15432}
redis_port=${NOVACRON_REDIS_PORT:-16379}
if [[ $(id -u) == 0 ]]; then
  dir=${NOVACRON_SERVICES_DIR:-/var/cache/novacron/services}
else
  dir=${NOVACRON_SERVICES_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/novacron/services}
fi
pg=$dir/postgres
redis=$dir/redis

die() { echo "services.sh: $*" >&2; exit 1; }

# Debian keeps the server's programs outside of PATH, one folder per version; the newest serves.
pg_program() {
  local found
  found=$(command -v "$1" || printf '%s\n' /usr/lib/postgresql/*/bin/"$1" | sort -V | tail -n1)
  [[ -x $found ]] || die "$1 is missing; install the package postgresql (scripts/setup.sh does)"
  echo "$found"
}

redis_program() {
  command -v redis-server || die "redis-server is missing; install the package redis-server (scripts/setup.sh does)"
}

# The user that a service runs as when root calls: the package's own, else nobody.
user_for() { if id -u "$1" >/dev/null 2>&1; then echo "$1"; else echo nobody; fi; }

# as USER COMMAND...: runs the command as USER when called by root, else as the caller. The lock's descriptor stays behind, or the
# service would hold the lock for its whole life.
as() {
  local user=$1
  shift
  if [[ $(id -u) == 0 ]]; then
    setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups env HOME=/ "$@" 9>&-
  else
    "$@" 9>&-
  fi
}

own() { if [[ $(id -u) == 0 ]]; then chown -R "$1": "$2"; fi; }

# secret FILE: makes a password of 192 bits once. Written aside and renamed, so that a crash leaves none or a whole one.
secret() {
  [[ -s $1 ]] && return
  od -An -tx1 -N24 /dev/urandom | tr -d ' \n' >"$1.new"
  mv "$1.new" "$1"
}

listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

alive() { [[ -s $1 ]] && kill -0 "$(head -n1 "$1")" 2>/dev/null; }

# pg_process PID: whether it is a PostgreSQL of the data folder. The server and all of its processes work in that folder.
pg_process() { [[ $(cat "/proc/$1/comm" 2>/dev/null) == postgres && /proc/$1/cwd -ef $pg/data ]]; }

pg_any() {
  local process
  for process in /proc/[0-9]*; do
    if pg_process "${process#/proc/}"; then return; fi
  done
  return 1
}

pg_alive() { alive "$pg/data/postmaster.pid" && pg_process "$(head -n1 "$pg/data/postmaster.pid")"; }
pg_serves() { pg_alive && [[ $(sed -n 4p "$pg/data/postmaster.pid") == "$pg_port" ]] && listening "$pg_port"; }
redis_alive() { alive "$redis/redis.pid" && listening "$redis_port"; }

refuse_taken() { # PORT NAME SETTING
  ! listening "$1" || die "port $1 is taken by another program; stop it, or let $2 use another port with $3"
}

start_postgres() {
  local i
  for ((i = 0; i < 100; i++)); do
    if pg_serves; then return; fi
    pg_any || break # what is there begins, or is left of a server that was killed and ends by itself
    sleep 0.1
  done
  refuse_taken "$pg_port" PostgreSQL NOVACRON_POSTGRES_PORT
  local user initdb pgctl
  user=$(user_for postgres) initdb=$(pg_program initdb) pgctl=$(pg_program pg_ctl)
  mkdir -p "$pg/run"
  secret "$dir/postgres.password"
  if [[ ! -f $pg/data/PG_VERSION || ! -f $pg/whole ]]; then
    rm -rf "$pg/data" # half-made by an earlier call that was ended
    cp "$dir/postgres.password" "$pg/password"
    own "$user" "$pg"
    as "$user" test -x "$pg" || die "user $user cannot enter $pg; choose another place with NOVACRON_SERVICES_DIR"
    as "$user" "$initdb" -D "$pg/data" -U novacron -E UTF8 --locale=C.UTF-8 --auth=scram-sha-256 --pwfile="$pg/password" >"$dir/postgres.log" 2>&1 ||
      die "initdb failed; see $dir/postgres.log"
    rm -f "$pg/password"
    : >"$pg/whole"
  fi
  own "$user" "$pg"
  # Of a server that was killed. pg_ctl would warn of it, and the server refuse to start where its number is another program's now.
  pg_any || rm -f "$pg/data/postmaster.pid"
  as "$user" "$pgctl" -D "$pg/data" -w -t 60 -l "$pg/log" -o "-c listen_addresses=127.0.0.1 -p $pg_port -c unix_socket_directories='' -c max_connections=200" start >/dev/null ||
    die "PostgreSQL did not start; see $pg/log"
}

start_redis() {
  if redis_alive; then return; fi
  refuse_taken "$redis_port" Redis NOVACRON_REDIS_PORT
  local user program
  user=$(user_for redis) program=$(redis_program)
  mkdir -p "$redis"
  secret "$dir/redis.password"
  cat >"$redis/redis.conf" <<CONF
bind 127.0.0.1
port $redis_port
dir $redis
daemonize yes
pidfile $redis/redis.pid
logfile $redis/log
save ""
requirepass $(cat "$dir/redis.password")
CONF
  own "$user" "$redis"
  as "$user" "$program" "$redis/redis.conf" >/dev/null || die "Redis did not start; see $redis/log"
  local i
  for ((i = 0; i < 100; i++)); do
    if redis_alive; then return; fi
    sleep 0.1
  done
  die "Redis did not answer within 10 s; see $redis/log"
}

stop_postgres() {
  if ! pg_alive; then return; fi
  as "$(user_for postgres)" "$(pg_program pg_ctl)" -D "$pg/data" -w -t 30 -m fast stop >/dev/null || die "PostgreSQL did not stop; see $pg/log"
}

stop_redis() {
  if ! alive "$redis/redis.pid"; then return; fi
  local pid i
  pid=$(cat "$redis/redis.pid")
  [[ $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null) == *redis-server* ]] || return 0 # the number belongs to another program now
  kill "$pid"
  for ((i = 0; i < 100; i++)); do
    kill -0 "$pid" 2>/dev/null || return 0
    sleep 0.1
  done
  die "Redis (process $pid) did not stop within 10 s"
}

status() {
  local ok=0
  if pg_serves; then echo "postgresql runs on 127.0.0.1:$pg_port"; else echo "postgresql does not run"; ok=3; fi
  if redis_alive; then echo "redis runs on 127.0.0.1:$redis_port"; else echo "redis does not run"; ok=3; fi
  return $ok
}

print_env() {
  [[ -s $dir/postgres.password && -s $dir/redis.password ]] || die "the services were never started; run: scripts/services.sh start"
  echo "NOVACRON_TEST_DATABASE_URL=postgres://novacron:$(cat "$dir/postgres.password")@127.0.0.1:$pg_port/postgres?sslmode=disable"
  echo "NOVACRON_TEST_REDIS_URL=redis://:$(cat "$dir/redis.password")@127.0.0.1:$redis_port/0"
}

locked() {
  (umask 022 && mkdir -p "$(dirname "$dir")")
  mkdir -p "$dir"
  chmod 711 "$dir" # the services' users pass through; every file in it is 0600 or below a folder of their own
  exec 9>"$dir/lock"
  flock -w 120 9 || die "another call has held $dir/lock for two minutes; see what it waits for"
}

case ${1:-} in
start) locked; start_postgres; start_redis; status ;;
stop) locked; stop_redis; stop_postgres ;;
status) status ;;
env) print_env ;;
*) sed -n '2,5p' "$0" | sed 's/^# \{0,1\}//' >&2; exit 2 ;;
esac
