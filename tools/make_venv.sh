#!/bin/sh
# Make a virtual environment: tools/make_venv.sh DIR [PYTHON]
# Without PYTHON, the first of the usual names that is Python 3.11 or newer is taken.
set -u
directory=$1
wanted=${2:-}

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

python=
for name in ${wanted:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
    if new_enough "$name"; then
        python=$name
        break
    fi
done
if [ -z "$python" ]; then
    echo "emtui needs Python 3.11 or newer; ${wanted:-none on the PATH} is not. Say which: make PYTHON=/path/to/python3.12" >&2
    exit 1
fi

version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
if ! "$python" -c 'import venv, ensurepip' >/dev/null 2>&1; then
    echo "$python cannot make virtual environments. On Debian or Ubuntu: apt-get install python$version-venv" >&2
    exit 1
fi

# An environment that another Python made is not mended but made anew.
if [ -x "$directory/bin/python" ]; then
    found=$("$directory/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || echo broken)
    [ "$found" = "$version" ] && exit 0
    "$python" -m venv --clear "$directory"
else
    "$python" -m venv "$directory"
fi
