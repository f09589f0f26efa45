#!/bin/sh
# Makes this checkout ready: a virtual environment in .venv with everything installed, Java, and Delta's jars.
# What is there already is not done again: a second run takes a fraction of a second. `make` runs it before every target.
#
#   PYTHON=/path/to/python3.12 scripts/setup.sh     with a Python of your choice
#   SPARK=4.0 scripts/setup.sh                      a second one, in .venv-4.0, with that Spark and the Delta that fits it
#
# `scripts/setup.sh tests` also gets what only tests need: a PostgreSQL server from Debian's packages, and jars of sources other than
# Delta. Without them those tests are skipped and say so. `scripts/setup.sh soak` gets the jars of S3 and HDFS as well, for long tests.
#
# Writes .venv/environment; `. .venv/environment` puts the virtual environment's programs and Java on the PATH.
set -eu
cd "$(dirname "$0")/.."
SPARK=${SPARK:-}
VENV=$PWD/.venv${SPARK:+-$SPARK}
LOG=$VENV/setup.log

main() {
    setup
    case "${1:-}" in
        tests) setup_tests ;;
        soak) setup_tests; fetch_store_jars ;;
    esac
}

setup() {
    [ -f pyproject.toml ] || fail "there is no pyproject.toml in $PWD" "run this from a whole checkout of spark-lineage"
    if [ -f "$VENV/environment" ] && [ "$(stamp)" = "$(cat "$VENV/stamp" 2>/dev/null)" ] && environment_works; then
        return
    fi
    mkdir -p "$VENV"
    if command -v flock >/dev/null; then
        exec 9<scripts/setup.sh
        flock -n 9 || { say "another set-up is under way here; waiting for it"; flock 9; }
    fi
    : >"$LOG"
    make_virtual_environment
    install_packages
    find_java || install_java
    write_environment
    fetch_jars
    compile_sources
    stamp >"$VENV/stamp"
    say "set-up is done"
}

# Tried once for each state of what it depends on: a machine that has no network or no Debian is not asked again and again.
setup_tests() {
    wanted=$(cat scripts/jars_for_tests.py "$VENV/stamp" | sha256sum | cut -c1-64)
    [ "$wanted" = "$(cat "$VENV/stamp-tests" 2>/dev/null)" ] && return
    if ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
        say "installing postgresql, for tests"
        apt_install postgresql || say "postgresql could not be installed ($why): its tests will be skipped"
    fi
    fetch_test_jars || say "the jars of scripts/jars_for_tests.py could not be fetched (see $LOG): their tests will be skipped"
    echo "$wanted" >"$VENV/stamp-tests"
}

# What the set-up depends on. When any of it changes, set-up looks again at each of its steps.
stamp() {
    { cat pyproject.toml scripts/setup.sh scripts/delta_jars.py; echo "$SPARK"; } | sha256sum | cut -c1-64
}

environment_works() {
    # In a subshell: the file changes PATH and JAVA_HOME.
    (. "$VENV/environment" && [ "$VIRTUAL_ENV" = "$VENV" ] && [ -x "$VENV/bin/python" ] && [ -e "$VENV/bin/python3" ] && command -v java >/dev/null &&
        ls "$VENV"/jars/*delta-spark*.jar >/dev/null 2>&1)
}

make_virtual_environment() {
    # Programs in it begin with its absolute path: in a checkout that was moved it is of no use.
    if [ -f "$VENV/environment" ] && ! grep -qF "VIRTUAL_ENV=\"$VENV\"" "$VENV/environment"; then
        say "this checkout was moved; making its virtual environment anew"
        rm -rf "$VENV"/bin "$VENV"/lib* "$VENV"/stamp*
    fi
    if [ -x "$VENV/bin/python" ] && is_new_enough "$VENV/bin/python" && "$VENV/bin/python" -m pip --version >/dev/null 2>&1; then
        return
    fi
    python=$(choose_python) || fail "no Python 3.11 or later found${PYTHON:+ (PYTHON is $PYTHON)}" \
        "install one (Debian 12 or Ubuntu 24.04: apt-get install python3 python3-venv), or name one: make PYTHON=/path/to/python3.11"
    say "making a virtual environment in ${VENV##*/} with $("$python" --version)"
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        version=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
        say "$version lacks its venv module; installing $version-venv"
        apt_install "$version-venv" || fail "$python cannot make virtual environments, and $version-venv could not be installed ($why)" \
            "run: sudo apt-get install $version-venv"
    fi
    rm -rf "$VENV"/bin "$VENV"/lib* "$VENV"/include "$VENV"/stamp*
    "$python" -m venv "$VENV" >>"$LOG" 2>&1 || fail_with_log "the virtual environment could not be made"
}

choose_python() {
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        found=$(command -v "$candidate" 2>/dev/null) || continue
        if is_new_enough "$found"; then
            echo "$found"
            return
        fi
    done
    return 1
}

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

install_packages() {
    wanted=$(sha256sum pyproject.toml | cut -c1-64)
    [ "$wanted" = "$(cat "$VENV/stamp-packages" 2>/dev/null)" ] && return
    say "installing spark-lineage with its development tools, PySpark and Delta (some 500 MB; a few minutes)"
    "$VENV/bin/python" -m pip install --disable-pip-version-check -e '.[dev]' "pyspark${SPARK:+==$SPARK.*}" >>"$LOG" 2>&1 ||
        fail_with_log "pip could not install the packages (is there network, and room on the disk?)"
    echo "$wanted" >"$VENV/stamp-packages"
}

# Sets java_home to a Java that Spark runs on: JAVA_HOME, the java on the PATH, then what Debian has installed.
find_java() {
    on_path=$(command -v java 2>/dev/null) && on_path=$(readlink -f "$on_path") && on_path=${on_path%/bin/java}
    for java_home in "${JAVA_HOME:-}" "${on_path:-}" /usr/lib/jvm/*-17-* /usr/lib/jvm/*-21-* /usr/lib/jvm/*17* /usr/lib/jvm/*21*; do
        [ -n "$java_home" ] && [ -x "$java_home/bin/java" ] && is_java_for_spark "$java_home/bin/java" && return
    done
    return 1
}

# 17 or 21, with the module that Spark's launcher always adds: the runtimes inside PyPI wheels lack it.
is_java_for_spark() {
    case $("$1" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p') in
    17 | 21) "$1" --add-modules=jdk.incubator.vector -version >/dev/null 2>&1 ;;
    *) return 1 ;;
    esac
}

install_java() {
    for package in openjdk-17-jre-headless openjdk-21-jre-headless; do
        say "no Java 17 or 21 found; installing $package"
        apt_install "$package" && find_java && return
    done
    fail "Spark needs Java 17 or 21, and none could be installed ($why)" \
        "run: sudo apt-get install openjdk-17-jre-headless (or 21), or set JAVA_HOME to one you have"
}

# Installs a Debian package as root or by sudo without a password; else sets `why` and fails.
apt_install() {
    why="see $LOG"
    command -v apt-get >/dev/null || { why="this machine has no apt-get"; return 1; }
    if [ "$(id -u)" = 0 ]; then
        sudo=
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        sudo="sudo -n"
    else
        why="that needs root, and sudo asks for a password"
        return 1
    fi
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$1" >>"$LOG" 2>&1 && return
    # A machine that has never looked has no package lists.
    $sudo apt-get update >>"$LOG" 2>&1 &&
        $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$1" >>"$LOG" 2>&1
}

write_environment() {
    cat >"$VENV/environment" <<END
# Written by scripts/setup.sh; to be sourced.
export VIRTUAL_ENV="$VENV"
export JAVA_HOME="$java_home"
export PATH="$VENV/bin:$java_home/bin:\$PATH"
# Another Spark's home, or a ban on compiled modules, would make everything here wrong or slow.
unset SPARK_HOME SPARK_CONF_DIR PYTHONDONTWRITEBYTECODE
END
}

fetch_jars() {
    wanted=$("$VENV/bin/python" scripts/delta_jars.py --coordinates)
    [ "$wanted" = "$(cat "$VENV/jars/coordinate" 2>/dev/null)" ] && return
    say "fetching the jars of $wanted"
    rm -rf "$VENV/jars"
    fetch "$wanted" scripts/delta_jars.py "$VENV/jars" || fail_with_log "the jars of $wanted could not be fetched (is there network?)"
}

fetch_test_jars() {
    wanted_jars=$("$VENV/bin/python" scripts/jars_for_tests.py --coordinates)
    [ "$wanted_jars" = "$(cat "$VENV/test-jars/coordinates" 2>/dev/null)" ] && return
    say "fetching jars for tests (some 50 MB)"
    rm -rf "$VENV/test-jars"
    fetch "$wanted_jars" scripts/jars_for_tests.py "$VENV/test-jars"
}

fetch_store_jars() {
    wanted_jars=$("$VENV/bin/python" scripts/jars_of_stores.py --coordinates)
    [ "$wanted_jars" = "$(cat "$VENV/store-jars/coordinates" 2>/dev/null)" ] && return
    say "fetching the jars of S3 and HDFS, for long tests (some 60 MB)"
    rm -rf "$VENV/store-jars"
    excluded=$(cd scripts && "$VENV/bin/python" -c 'import jars_of_stores; print(",".join(jars_of_stores.EXCLUDED))')
    fetch "$wanted_jars" scripts/jars_of_stores.py "$VENV/store-jars" "$excluded" || say "they could not be fetched (see $LOG): their tests will be skipped"
}

# The jars of Maven coordinates, copied into a folder by the script that is given; a fourth argument names what is not wanted.
fetch() {
    # Spark's own cache, so that what other projects have fetched is not fetched again; here, where there is no home for it.
    cache=${HOME:-/nonexistent}/.ivy2.5.2
    mkdir -p "$cache/jars" 2>/dev/null && [ -w "$cache/jars" ] || cache=$VENV/ivy
    # What Spark carries itself is left out: a Maven cache that has its description and not its jar would stop Ivy.
    fetched=0
    (. "$VENV/environment" &&
        PYSPARK_PYTHON="$VENV/bin/python" spark-submit --master local --conf "spark.jars.ivy=$cache" \
            --exclude-packages "org.scala-lang.modules:scala-parallel-collections_2.13${4:+,$4}" --packages "$1" "$2" --into "$3") >>"$LOG" 2>&1 || fetched=1
    rm -rf "$VENV/ivy"
    return $fetched
}

# So that the first command is as fast as the second, where the environment forbids Python to write compiled files.
compile_sources() {
    "$VENV/bin/python" -m compileall -q spark_lineage >>"$LOG" 2>&1 || true
}

say() {
    echo "setup: $1"
}

fail() {
    printf 'setup: %s\nsetup: what to do: %s\n' "$1" "$2" >&2
    exit 1
}

fail_with_log() {
    printf 'setup: %s\n' "$1" >&2
    { grep -aE 'E:|rror|xception|annot|ould not' "$LOG" || cat "$LOG"; } | tail -n 6 | cut -c1-300 | sed 's/^/    /' >&2
    echo "setup: the whole log is in $LOG; run it again when the cause is gone, it goes on where it stopped" >&2
    exit 1
}

main "$@"
